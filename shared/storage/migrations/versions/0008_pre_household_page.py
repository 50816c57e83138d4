"""The household page: who is visiting it, from where systems were linked, and what happened to an account."""

import sqlalchemy as sa
from alembic import op

from shared.storage.online import build_index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("account_id", "link_id"):
        build_index(f"ix_audit_events_{column}", "audit_events", [column])
    op.create_table(
        "visits",
        sa.Column("visit_hash", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text()),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("visit_hash", name="pk_visits"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_visits_account_id", ondelete="CASCADE"
        ),
    )
    for column in ("account_id", "expires_at"):
        op.create_index(f"ix_visits_{column}", "visits", [column])
    op.create_table(
        "grant_origins",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("os_version", sa.Text(), nullable=False),
        sa.Column("app_name", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name="pk_grant_origins"),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grants.grant_id"], name="fk_grant_origins_grant_id", ondelete="CASCADE"
        ),
    )
