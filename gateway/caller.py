"""Who a call is from: the one answer of the guard, alike for every way of signing in."""

import msgspec

from shared.domain.account import AccountTier
from shared.settings import Auth


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose call may be answered. No operation needs to know how they proved it."""

    kind: Auth
    """What the call was let in by; a service that has migrated may still see the earlier kind."""
    service: str
    account_id: str | None = None
    """Whose account it is; None for `anonymous`."""
    provider: str | None = None
    subject: str | None = None
    """The person at the identity provider: what a content server knows them by."""
    nickname: str | None = None
    tier: AccountTier | None = None
    household_id: str | None = None
    """The household that was linked; where nothing is linked, the one that the call names, which is no proof."""
    device_id: str | None = None
    """As the call itself says: all there is to tell anonymous callers apart."""
    grant_id: str | None = None
    """The grant whose token came; None where there are no tokens."""
    favorites: str
    """Version of all that belongs to this caller: another one after the household was linked anew."""
