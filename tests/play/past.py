"""An hour goes by: moves a grant back in time, and makes the token that belongs to it, as token_worker would."""

from shared import keys
from shared.domain.token import TokenClaims
from shared.settings import load
from shared.tokens import sign
from tests.play.database import execute
from tests.play.operator import System

HOUR = 3600


async def stale_token(system: System, *, hours: int = 2) -> str:
    """Return the token of the only grant, as if it had been minted *hours* ago; the row moves along."""
    back = hours * HOUR
    await execute(
        system.database_url,
        "UPDATE grants SET issued_at = issued_at - :back, expires_at = expires_at - :back",
        back=back,
    )
    ((grant_id, service, account_id, family, generation, issued_at, expires_at),) = await execute(
        system.database_url,
        "SELECT grant_id, service, account_id, family, generation, issued_at, expires_at FROM grants",
    )
    settings = load(
        database_url=system.database_url,
        broker_url="memory://",
        keys_dir=system.keys_dir,
        public_url=system.environment["LATCHKEY_PUBLIC_URL"],
    )
    claims = TokenClaims(
        issuer=settings.issuer,
        service=str(service),
        account_id=str(account_id),
        grant_id=str(grant_id),
        family=int(str(family)),
        generation=int(str(generation)),
        issued_at=int(str(issued_at)),
        expires_at=int(str(expires_at)),
    )
    return sign(claims, keys.read(system.keys_dir, keys.TokenWorkerKeys).signing[0])


async def age_link(system: System, *, seconds: int = 3600) -> None:
    """Let the time of every link be over; the code's own expiry is the gateways' matter, and not reached by this."""
    await execute(
        system.database_url,
        "UPDATE links SET requested_at = requested_at - :back, expires_at = expires_at - :back",
        back=seconds,
    )
