"""Typed codes: the short names of live links, and who typed a code when."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "typed_codes",
        sa.Column("typed_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("typed_id", name="pk_typed_codes"),
    )
    op.create_index("ix_typed_codes_expires_at", "typed_codes", ["expires_at"])
    op.create_table(
        "code_entries",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("typed_id", sa.Text()),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_code_entries"),
    )
    for column in ("browser", "network", "expires_at"):
        op.create_index(f"ix_code_entries_{column}", "code_entries", [column])
