"""The account is authorized again, or taken away. Last, since it ends what the others look at."""

import asyncio
import shlex

from deploy.check import sources
from deploy.check.checks import check, unless_fault, unless_result
from deploy.check.codes import AUTH_FAULTS
from deploy.check.probe import Linked, Probe
from deploy.check.reading import Skipped, pair_in
from deploy.check.report import Severity
from deploy.check.signin import NotSignedIn

_COMMAND_SECONDS = 60
REVOCATION_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 2.0


async def _again(probe: Probe) -> tuple[Linked, Linked]:
    """Return the first link and another of the same household; the household goes on with what that one gave."""
    first = await probe.linked()
    sign_in = probe.sign_in
    if sign_in is None or not sign_in.repeatable:
        raise Skipped("needs somebody who signs in twice: --form or --approve-with")
    if probe.relinked is None:
        probe.relinked = await probe.complete(sign_in)
        await probe.adopt(pair_in(probe.relinked.answer))
    return first, probe.relinked


@check(
    "relink.works",
    sonos="A household whose token is dead is asked to authorize the account again, by the same calls as the first time.",
    way_out="Let a household link as often as it likes.",
    source=sources.APP_LINK,
)
async def relink_works(probe: Probe) -> str | None:
    """A household that links again gets a pair that works."""
    try:
        _, second = await _again(probe)
    except NotSignedIn as error:
        return f"the second link was not completed: {error}"
    pair = pair_in(second.answer)
    return "it got none" if pair is None else unless_result(await probe.use(pair))


@check(
    "relink.same-user",
    sonos="Another userIdHashCode is another account: Sonos does not replace the dead one, it adds a second.",
    way_out="Compute the userIdHashCode from what never changes about an account.",
    source=sources.USER_INFO,
)
async def relink_same_user(probe: Probe) -> str | None:
    """Who links again is the same user as before."""
    try:
        first, second = (each.answer.text("userIdHashCode") for each in await _again(probe))
    except NotSignedIn:
        raise Skipped("the second link was not completed: see relink.works") from None
    return "userIdHashCode differs" if first and second and first != second else None


async def _revoked(probe: Probe) -> None:
    """Have the household's token revoked, once."""
    if not probe.options.revoke:
        raise Skipped("needs to be told how: --revoke COMMAND, which gets the token on its standard input")
    pair = await probe.pair()
    if probe.is_revoked:
        return
    process = await asyncio.create_subprocess_exec(
        *shlex.split(probe.options.revoke),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(_COMMAND_SECONDS):
        output, _ = await process.communicate(pair.token.encode())
    if process.returncode != 0:
        raise Skipped(
            f"the command ended with {process.returncode}: {output.decode(errors='replace')[-160:].strip()}"
        )
    probe.is_revoked = True


@check(
    "revoke.refused",
    sonos="On AuthTokenExpired the app offers to authorize the account again; until then nobody uses it.",
    way_out="Look a token up before you serve it, or keep its life short; answer a revoked one with Client.AuthTokenExpired.",
    source=sources.AUTH_ERRORS,
)
async def revoke_refused(probe: Probe) -> str | None:
    """A token that was revoked is refused within a minute."""
    await _revoked(probe)
    pair = await probe.pair()
    give_up = probe.clock.monotonic() + REVOCATION_SECONDS
    while True:
        seen = unless_fault(await probe.use(pair), *AUTH_FAULTS)
        if seen is None or probe.clock.monotonic() >= give_up:
            return seen
        await probe.clock.sleep(_LOOK_AGAIN_SECONDS)


@check(
    "revoke.no-successor",
    sonos="A revoked token that can be renewed is not revoked.",
    way_out="Look at what a token belongs to before you renew it.",
    source=sources.REFRESH,
)
async def revoke_no_successor(probe: Probe) -> str | None:
    """A token that was revoked has no successor."""
    await _revoked(probe)
    answer = await probe.refresh(await probe.pair())
    return f"refreshAuthToken: {answer.shown}" if answer.is_result else None


@check(
    "revoke.number",
    sonos="Sonos's self test would prefer a SonosError to AuthTokenExpired.",
    way_out="Leave SonosError out of AuthTokenExpired.",
    source=sources.SELF_TEST,
    severity=Severity.WARNING,
)
async def revoke_number(probe: Probe) -> str | None:
    """The fault of a revoked token has no SonosError."""
    await _revoked(probe)
    fault = (await probe.use(await probe.pair())).fault
    return f"SonosError {fault.sonos_error}" if fault is not None and fault.sonos_error else None


RELINK_CHECKS = (relink_works, relink_same_user)
REVOKE_CHECKS = (revoke_refused, revoke_no_successor, revoke_number)
