"""An index to find the grants of a household, which are listed and revoked by it."""

from shared.storage.online import build_index

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_grants_household_id", "grants", ["household_id"])
