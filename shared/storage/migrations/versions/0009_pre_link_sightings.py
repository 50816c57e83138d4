"""What gateways saw of a link, and which link a grant came from."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "link_sightings",
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("observer", sa.Text(), nullable=False),
        sa.Column("sight", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "observer", "sight", name="pk_link_sightings"),
        sa.ForeignKeyConstraint(
            ["link_id"], ["links.link_id"], name="fk_link_sightings_link_id", ondelete="CASCADE"
        ),
    )
    op.add_column("grant_origins", sa.Column("link_id", sa.Text()))
