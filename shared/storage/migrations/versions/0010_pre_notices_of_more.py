"""Notices of more than new links: of accounts that are gone, why, and when they are told next.

Notices from before are taken for told.
"""

import sqlalchemy as sa
from alembic import op

from shared.storage.online import build_index

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite cannot take NOT NULL away in place; Alembic copies the table there.
    with op.batch_alter_table("notices") as table:
        table.alter_column("account_id", existing_type=sa.Text(), nullable=True)
        for name in ("provider", "subject", "reason"):
            table.add_column(sa.Column(name, sa.Text()), if_not_exists=True)
        table.add_column(sa.Column("due_at", sa.BigInteger()), if_not_exists=True)
        attempts = sa.Column("attempts", sa.Integer(), nullable=False, server_default="0")
        table.add_column(attempts, if_not_exists=True)
    build_index("ix_notices_due_at", "notices", ["due_at"])
