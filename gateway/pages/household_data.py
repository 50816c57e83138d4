"""All that is known about an account, for the person whose it is."""

from dataclasses import asdict

from shared.domain.account import Account
from shared.storage.base import ReadStore
from shared.storage.visits import SystemView

MOST = 10_000
"""Systems and events; nobody has as many."""


async def everything(account: Account, store: ReadStore) -> dict[str, object]:
    """Return an account, its systems and its events as JSON can say them; times are seconds since the epoch, in UTC.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    systems = await store.systems(account.account_id, limit=MOST)
    events = await store.events(account.account_id, limit=MOST)
    return {
        "account": {
            "id": account.account_id,
            "service": account.service,
            "provider": account.provider,
            "subject": account.subject,
            "nickname": account.nickname,
            "tier": account.tier,
            "status": account.status,
        },
        "systems": [_system(system) for system in systems],
        "events": [asdict(event) for event in events],
    }


def _system(system: SystemView) -> dict[str, object]:
    grant, origin = system.grant, system.origin
    return {
        "id": grant.grant_id,
        "household": grant.household_id,
        "linked_at": grant.family_started_at,
        "last_used_at": grant.used_at,
        "linked_from": {**asdict(origin.device), "network": origin.network} if origin else None,
    }
