"""Which rows would be lost with a key: asked before one is retired."""

from dataclasses import dataclass

from sqlalchemy import bindparam, func, or_, select

from shared.domain.grant import GrantStatus
from shared.storage.engine import Timeouts, open_engine
from shared.storage.expressions import now_seconds
from shared.storage.schema import grants, provider_tokens
from shared.storage.session import fetch

_GRANTS = select(func.count()).where(
    grants.c.status == GrantStatus.ACTIVE.value,
    grants.c.used_at > now_seconds() - bindparam("idle"),
    or_(
        grants.c.signing_key_id == bindparam("signing"), grants.c.derivation_key_id == bindparam("derivation")
    ),
)
_PROVIDER_TOKENS = select(func.count()).where(provider_tokens.c.checked_at < bindparam("since"))
_TIMEOUTS = Timeouts(statement=600, lock=5, idle_in_transaction=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What still depends on keys that are about to go."""

    grants: int
    """Households that may come back with a pair made with them, and could not be told their successor any more."""
    provider_tokens: int
    """Tokens of providers that were sealed before the new keys came into use."""


async def key_use(url: str, *, signing: str, derivation: str, since: int, idle: int) -> KeyUse:
    """Count what depends on keys of token_worker, and on a box key that was used until *since*; reads whole tables.

    Args:
        idle: seconds after which a grant that was not used is over.

    Raises:
        StoreUnavailable: the database does not answer, or does not let us see these tables.
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    parameters = {"signing": signing, "derivation": derivation, "idle": idle}
    async with open_engine(
        url, application_name="latchkey-keys", read_only=True, pool_size=1, timeouts=_TIMEOUTS
    ) as engine:
        ((living,),) = await fetch(engine, _GRANTS, parameters)
        ((kept,),) = await fetch(engine, _PROVIDER_TOKENS, {"since": since})
    return KeyUse(grants=living, provider_tokens=kept)
