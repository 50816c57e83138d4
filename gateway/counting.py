"""Under which keys a password counts: who was named, from where, and whether it is the same one again; all of it hashed under our key.

A gateway reads first whether a budget is used up, so that a flood does not reach the bus. auth_worker judges.
"""

import hmac

import structlog

from gateway.context import GatewayContext
from shared.boxes import LoginEvidence
from shared.domain import limits
from shared.domain.errors import SignInRefused, TooManyTries
from shared.domain.limits import Counted, Decision

log = structlog.get_logger(__name__)

TAG_DIGITS = 4
"""Hexadecimal digits: sixteen bits of a keyed hash tell one wrong password from the next, and no password from a dump."""
_NOBODYS = frozenset("0-:")


def counted(
    login: LoginEvidence,
    *,
    service: str,
    provider: str,
    network: str | None,
    place: str,
    key: bytes,
) -> Counted:
    """Return the keys of one try.

    Args:
        login: the name and the password that were offered.
        service: the service whose accounts they are for.
        provider: where they are going to be judged.
        network: `network_id` of the client.
        place: what stands for the browser, or the household; empty if nothing does.
        key: the key of this installation's gateways.
    """
    account = _hash(key, "account", service, provider, limits.normal_name(login.name))
    return Counted(
        account=account,
        network=network,
        at_network=_hash(key, "at network", account, network) if network else None,
        at_place=_hash(key, "at place", account, place) if place else None,
        tag=_hash(key, "tag", account, login.password)[:TAG_DIGITS],
    )


def household_place(household_id: str) -> str:
    """Return what stands for a household that signs in by itself; nothing where it has no name, or the one that all have who have none."""
    return f"household {household_id}" if set(household_id) - _NOBODYS else ""


async def decision_on(tried: Counted, context: GatewayContext) -> Decision:
    """Return what auth_worker would decide; one read."""
    tries = await context.store.tries(tried)
    return limits.judge(tries, tag=tried.tag, limits=context.settings.guessing)


async def check(tried: Counted, context: GatewayContext) -> None:
    """Refuse early what auth_worker would refuse without asking anybody.

    Raises:
        TooManyTries: a budget is used up.
        SignInRefused: the same password was wrong a moment ago.
    """
    decision = await decision_on(tried, context)
    if decision.is_known_wrong:
        raise SignInRefused
    if decision.wait:
        log.info("sign-in limited", wait_s=decision.wait)
        raise TooManyTries(decision.wait)


def _hash(key: bytes, *parts: str) -> str:
    # Each part with its length, so that no two lists of parts look alike.
    message = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
    return hmac.digest(key, b"sign-in\0" + message, "sha256").hex()[:32]
