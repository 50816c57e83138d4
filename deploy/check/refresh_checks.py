"""A token is replaced: on request, in a fault, twice, by everybody at once, and after the answer was lost."""

import asyncio

from deploy.check import schema, sources
from deploy.check.checks import check, counted, unless_fault, unless_result
from deploy.check.client import Answer, Pair
from deploy.check.codes import AUTH_FAULTS, REFRESH_REQUIRED, is_sentinel
from deploy.check.document import SMAPI, SoapFault, local_name
from deploy.check.probe import Probe
from deploy.check.reading import Skipped, claims_in, pair_in
from deploy.check.report import Severity

AT_ONCE = 8
_TRANSIENT = ("Server.ServiceUnavailable",)
_ONCE_A_MINUTE = 60.0
_GRACE_SECONDS = 90.0


@check(
    "refresh.explicit",
    sonos="After a 401 from a REST endpoint Sonos asks for a new token; the desktop controller does so for every stale one.",
    way_out="Answer refreshAuthToken with the successor of the token in the SOAP header, and its key.",
    source=sources.REFRESH,
    severity=Severity.WARNING,
)
async def explicit(probe: Probe) -> str | None:
    """refreshAuthToken gives a pair, as the schema has it."""
    answer = (await probe.refreshed()).answer
    seen = unless_result(answer)
    if seen is not None:
        return seen
    assert answer.content is not None
    return counted(schema.problems_of(answer.content, "refreshAuthToken"))


@check(
    "refresh.works",
    sonos="The household stores the new pair, and is signed out by it.",
    way_out="Commit the new pair before the answer leaves.",
    source=sources.REFRESH,
)
async def works(probe: Probe) -> str | None:
    """The new token can be used at once."""
    return unless_result(await probe.use(await probe.successor()))


@check(
    "refresh.same-user",
    sonos="Another userIdHashCode is another account; Sonos's record of this one does not fit any more.",
    way_out="Compute the userIdHashCode from what never changes.",
    source=sources.REFRESH,
)
async def same_user(probe: Probe) -> str | None:
    """A refresh changes nothing about who it is."""
    await probe.successor()
    before = (await probe.linked()).answer.text("userIdHashCode")
    after = (await probe.refreshed()).answer.text("userIdHashCode")
    return "userIdHashCode differs" if before and after and before != after else None


@check(
    "refresh.lost-answer",
    sonos="Answers get lost, and another player of the household comes with the old pair: it is signed out.",
    way_out="Give everybody who comes with the old pair the same successor, for a day or so.",
    source=sources.REFRESH,
    severity=Severity.WARNING,
)
async def lost_answer(probe: Probe) -> str | None:
    """Asked again with the old pair, the service gives a pair that works."""
    await probe.successor()
    again = await probe.refresh((await probe.refreshed()).before)
    return await _unless_usable(probe, [again])


@check(
    "refresh.race",
    sonos="Players and apps find out at the same moment that a token is stale; all but one are signed out.",
    way_out="Derive the successor from the token, or compare and swap: whoever comes second gets what the first got.",
    source=sources.REFRESH,
    severity=Severity.WARNING,
)
async def race(probe: Probe) -> str | None:
    """Eight that refresh the same pair at once all get a pair that works."""
    pair = await probe.successor()
    answers = await asyncio.gather(*(probe.refresh(pair) for _ in range(AT_ONCE)))
    seen = await _unless_usable(probe, answers)
    await probe.adopt(next((given for a in answers if a.is_result and (given := pair_in(a))), None))
    return seen


async def _unless_usable(probe: Probe, answers: list[Answer]) -> str | None:
    problems = [
        f"{a.method}: {a.shown}"
        for a in answers
        if not a.is_result and not (a.fault is not None and a.fault.code in _TRANSIENT)
    ]
    pairs = dict.fromkeys(given for a in answers if a.is_result and (given := pair_in(a)))
    used = [await probe.use(pair) for pair in pairs]
    return counted(problems + [f"with a pair it gave: {seen}" for a in used if (seen := unless_result(a))])


@check(
    "refresh.wrong-key",
    sonos="The key is what a stolen token alone does not have; unchecked, a token out of a log lives for ever.",
    way_out="Where a key comes with refreshAuthToken, compare it.",
    source=sources.DEVICE_AUTH_TOKEN,
    severity=Severity.WARNING,
)
async def wrong_key(probe: Probe) -> str | None:
    """A wrong key gets no successor."""
    pair = await probe.successor()
    if is_sentinel(pair.key):
        raise Skipped("the service says that its keys mean nothing")
    return unless_fault(await probe.refresh(Pair(token=pair.token, key=probe.letters(24))))


@check(
    "refresh.unknown-token",
    sonos="LoginUnauthorized and AuthTokenExpired make the app offer to authorize the account again.",
    way_out="Answer a token that is not yours with Client.LoginUnauthorized.",
    source=sources.REFRESH,
)
async def unknown_token(probe: Probe) -> str | None:
    """A token that was never given gets no successor, and is told so."""
    await probe.successor()
    answer = await probe.refresh(Pair(token=probe.letters(40), key=probe.letters(24)))
    return unless_fault(answer, *AUTH_FAULTS)


# --- in the fault


async def _stale(probe: Probe) -> tuple[Pair, SoapFault]:
    """Return a pair past its time, and the fault that it gets.

    Raises:
        Skipped: there is none, or the service does not refresh in faults; `refresh.stale` says so.
    """
    pair = await _stale_pair(probe)
    answer = await probe.use(pair)
    if answer.fault is None or answer.fault.code != REFRESH_REQUIRED:
        raise Skipped(f"a stale token is not answered with TokenRefreshRequired: {answer.shown}")
    return pair, answer.fault


async def _stale_pair(probe: Probe) -> Pair:
    if probe.stale is None:
        probe.stale = probe.options.stale or await _pair_past_its_time(probe)
    return probe.stale


async def _pair_past_its_time(probe: Probe) -> Pair:
    """Return the household's own pair, after its time if that may be waited for."""
    pair = await probe.pair()
    seconds = _seconds_left(probe, pair)
    if seconds is None and probe.options.wait:
        return await _found_stale(probe, pair)
    if seconds is None or seconds + _GRACE_SECONDS > probe.options.wait:
        left = "an unknown time" if seconds is None else f"{seconds:.0f} s"
        raise Skipped(
            f"the token lives for {left}: --wait SECONDS, or --stale-token with one that is past its time"
        )
    if seconds >= 0:
        await probe.clock.sleep(seconds + _GRACE_SECONDS)
    return pair


async def _found_stale(probe: Probe, pair: Pair) -> Pair:
    """Return the pair once the service does not take it any more; it is tried once a minute."""
    give_up = probe.clock.monotonic() + probe.options.wait
    while probe.clock.monotonic() < give_up:
        await probe.clock.sleep(_ONCE_A_MINUTE)
        if not (await probe.use(pair)).is_result:
            return pair
    raise Skipped(f"the token still holds after {probe.options.wait:.0f} s: --wait SECONDS, or --stale-token")


def _seconds_left(probe: Probe, pair: Pair) -> float | None:
    expires = (claims_in(pair.token) or {}).get("exp")
    return float(expires) - probe.clock.now() if isinstance(expires, int | float) else None


@check(
    "refresh.stale",
    sonos="On TokenRefreshRequired Sonos takes the pair in it and repeats the call; on AuthTokenExpired it bothers the person.",
    way_out="Answer a stale token that can be renewed with Client.TokenRefreshRequired and the new pair.",
    source=sources.TOKENS,
    severity=Severity.WARNING,
)
async def stale(probe: Probe) -> str | None:
    """A stale token is answered with TokenRefreshRequired; where its key says that there is no refresh, with AuthTokenExpired."""
    pair = await _stale_pair(probe)
    without = ("Client.AuthTokenExpired",) if pair.key is not None and is_sentinel(pair.key) else ()
    return unless_fault(await probe.use(pair), REFRESH_REQUIRED, *without)


@check(
    "refresh.fault-detail",
    sonos="noson takes the children of the first element of detail, the Linux controller exactly detail/refreshAuthTokenResult.",
    way_out="Put refreshAuthTokenResult directly below detail, first, in SMAPI's namespace, with authToken and privateKey.",
    source=sources.TOKENS,
)
async def fault_detail(probe: Probe) -> str | None:
    """The new pair stands directly below detail, both halves of it."""
    _, fault = await _stale(probe)
    if fault.detail is None or not len(fault.detail):
        return "there is no pair in the fault"
    first = fault.detail[0]
    if first.tag != f"{{{SMAPI}}}refreshAuthTokenResult":
        return f"detail begins with {local_name(first)}"
    return counted(
        schema.pair_problems(first)
        + [f"{local_name(e)} is empty" for e in first if not len(e) and not e.text]
    )


@check(
    "refresh.fault-string",
    sonos="node-sonos-ts refreshes only where faultstring is `tokenRefreshRequired` and has an xml:lang.",
    way_out='Send `<faultstring xml:lang="en">tokenRefreshRequired</faultstring>`: it suits every client.',
    source=sources.SONOS_TS,
    severity=Severity.WARNING,
)
async def fault_string(probe: Probe) -> str | None:
    """The text of the fault is the one that every client understands."""
    _, fault = await _stale(probe)
    if fault.string != "tokenRefreshRequired":
        return f"faultstring is {fault.string[:40]!r}"
    return None if fault.language else "faultstring has no xml:lang"


@check(
    "refresh.fault-pair",
    sonos="Sonos repeats the call once with the new pair; where that is not good at once, the call has failed.",
    way_out="Commit the new pair before the fault leaves.",
    source=sources.SELF_TEST,
)
async def fault_pair(probe: Probe) -> str | None:
    """The pair in the fault can be used at once."""
    _, fault = await _stale(probe)
    pair = _pair_of(fault)
    if pair is None:
        return "there is no pair in the fault"
    if probe.options.stale is None:
        # It was the household's own: it goes on with the new one.
        await probe.adopt(pair)
    return unless_result(await probe.use(pair))


@check(
    "refresh.fault-repeat",
    sonos="The other players of the household come with the same stale token a moment later; they are signed out.",
    way_out="Give everybody who comes with the old pair the same successor, for a day or so.",
    source=sources.TOKENS,
)
async def fault_repeat(probe: Probe) -> str | None:
    """Whoever comes second with the stale token gets a pair that works, too."""
    pair, _ = await _stale(probe)
    again = await probe.use(pair)
    if again.fault is None or again.fault.code != REFRESH_REQUIRED:
        return unless_fault(again, REFRESH_REQUIRED)
    second = _pair_of(again.fault)
    return "there is no pair in the fault" if second is None else unless_result(await probe.use(second))


@check(
    "refresh.fault-bearer",
    sonos="S2 sends the stale token as `Authorization: Bearer`, without its key.",
    way_out="Renew a genuine stale token wherever it comes, with or without its key.",
    source=sources.BONOB,
    severity=Severity.WARNING,
)
async def fault_bearer(probe: Probe) -> str | None:
    """A stale token in the Authorization header is renewed, too."""
    pair, _ = await _stale(probe)
    return unless_fault(await probe.use(pair, bearer=True), REFRESH_REQUIRED)


def _pair_of(fault: SoapFault) -> Pair | None:
    if fault.detail is None:
        return None
    values = {local_name(each): (each.text or "").strip() for each in fault.detail.iter()}
    token = values.get("authToken")
    return Pair(token=token, key=values.get("privateKey") or None) if token else None


CHECKS = (
    explicit,
    works,
    same_user,
    lost_answer,
    race,
    wrong_key,
    unknown_token,
    stale,
    fault_detail,
    fault_string,
    fault_pair,
    fault_repeat,
    fault_bearer,
)
