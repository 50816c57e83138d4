"""An upgrade to OAuth: auth_worker's word that old credentials were good, on which token_worker gives a pair.

The word is a row and not a message: only auth_worker's database role can write it, so nobody who can merely publish has a pair
minted.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """One row of `upgrades`."""

    request_id: str
    """Given by the gateway; the same for the same credentials and household within minutes."""
    service: str
    account_id: str
    household_id: str
    old_grant_id: str | None = None
    """The grant of the token that was shown, if it was one of an earlier service: it has to be alive still."""
    old_family: int | None = None
    expires_at: int
    """Seconds since the epoch by the database's clock: until then the word counts."""
