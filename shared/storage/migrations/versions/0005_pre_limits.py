"""Budgets of wrong passwords, where an account was signed in to, notices of new links, and from which network a link was asked for."""

import sqlalchemy as sa
from alembic import op

from shared.storage.online import build_index

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_links_household_id", "links", ["household_id"])
    op.create_table(
        "sign_in_tries",
        sa.Column("try_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("account", sa.Text()),
        sa.Column("network", sa.Text()),
        sa.Column("at_network", sa.Text()),
        sa.Column("at_place", sa.Text()),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("tried_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("try_id", name="pk_sign_in_tries"),
    )
    for column in ("account", "network", "at_network", "at_place", "expires_at"):
        op.create_index(f"ix_sign_in_tries_{column}", "sign_in_tries", [column])
    op.create_table(
        "known_places",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_known_places"),
    )
    op.create_index("ix_known_places_expires_at", "known_places", ["expires_at"])
    op.create_table(
        "notices",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("household_id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("app_name", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name="fk_notices_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notices"),
    )
    for column in ("account_id", "expires_at"):
        op.create_index(f"ix_notices_{column}", "notices", [column])
    op.add_column("links", sa.Column("network", sa.Text()))
