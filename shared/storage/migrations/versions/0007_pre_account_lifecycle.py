"""How accounts live on: where the question whether a person is still there stands, and who said that one ended."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_checks",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text()),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=False),
        sa.Column("gone_at", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_checks"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_account_checks_account_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "told_ends",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_told_ends"),
    )
    op.create_index("ix_told_ends_expires_at", "told_ends", ["expires_at"])
