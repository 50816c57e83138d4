"""The calls that a household makes with its token, wherever it puts it; and those with a token that is none."""

from deploy.check import schema, sources
from deploy.check.checks import check, counted, unless_fault, unless_result
from deploy.check.client import Answer, Pair, login_token
from deploy.check.codes import AUTH_FAULTS
from deploy.check.document import local_name
from deploy.check.probe import Probe
from deploy.check.reading import claims_in
from deploy.check.report import LINKING, Mode, Severity

_ROOT = {"id": "root", "index": "0", "count": "100"}


@check(
    "use.header",
    sonos="The service was added and shows nothing.",
    way_out="Take the token from credentials/loginToken/token of the SOAP header.",
    source=sources.TOKENS,
)
async def header(probe: Probe) -> str | None:
    """A call with the token in the SOAP header is answered."""
    return unless_result(await probe.use(await probe.pair()))


@check(
    "use.bearer",
    sonos="With the capability for it on, S2 sends the token as `Authorization: Bearer` alone; the service was added and shows nothing.",
    way_out="Take the token from the Authorization header where the SOAP header has none.",
    source=sources.BONOB,
    severity=Severity.WARNING,
)
async def bearer(probe: Probe) -> str | None:
    """A call with the token in the Authorization header is answered, with a loginToken that has a household alone and without any."""
    pair = await probe.pair()
    said = [await probe.use(pair, bearer=True), await probe.use(pair, bearer=True, household=None)]
    return counted([seen for a in said if (seen := unless_result(a))])


@check(
    "use.without-key",
    sonos='privateKey "should not be expected in every request sent by Sonos"; Android leaves it out.',
    way_out="Tell who it is by the token alone; look at the key when refreshing, and only if it came.",
    source=sources.DEVICE_AUTH_TOKEN,
)
async def without_key(probe: Probe) -> str | None:
    """A call with the token and without its key is answered."""
    return unless_result(await probe.use(await probe.pair(), with_key=False))


@check(
    "use.other-household",
    sonos="The household has one form when linking and others afterwards: with a suffix, or cut at a dot.",
    way_out="Tell who it is by the token alone; keep the household as a note.",
    source=sources.RESEARCH,
)
async def other_household(probe: Probe) -> str | None:
    """A call with another form of the household, or none, is answered."""
    pair = await probe.pair()
    forms = (f"{probe.household}_0000000a", probe.household.rpartition("_")[0], None)
    said = [await probe.use(pair, household=form) for form in forms]
    return counted([seen for a in said if (seen := unless_result(a))])


@check(
    "use.other-device",
    sonos="Every player and every app of the household sends the same token with an id of its own.",
    way_out="Do not tie a token to a deviceId.",
    source=sources.TOKENS,
)
async def other_device(probe: Probe) -> str | None:
    """A call from another device of the household is answered."""
    return unless_result(await probe.use(await probe.pair(), device_id="B8-E9-37-C0-01-18:0"))


@check(
    "use.unknown-token",
    sonos="LoginUnauthorized and AuthTokenExpired make the app offer to authorize the account again; nothing else does.",
    way_out="Answer a token that is not yours with Client.LoginUnauthorized.",
    source=sources.TOKENS,
)
async def unknown_token(probe: Probe) -> str | None:
    """A token that was never given is refused with LoginUnauthorized or AuthTokenExpired."""
    return unless_fault(await probe.use(Pair(token=probe.letters(40), key=None)), *AUTH_FAULTS)


@check(
    "use.no-token",
    sonos="An untyped error is shown as a failure of the service; with an auth fault the app offers to sign in.",
    way_out="Answer a call without a token with Client.LoginUnauthorized or Client.AuthTokenExpired.",
    source=sources.TOKENS,
)
async def no_token(probe: Probe) -> str | None:
    """A call without any token is refused in the same way."""
    said = [
        await probe.client.call("getMetadata", _ROOT),
        await probe.client.call("getMetadata", _ROOT, "<loginToken><token></token></loginToken>"),
    ]
    return counted([seen for a in said if (seen := unless_fault(a, *AUTH_FAULTS))])


@check(
    "use.altered-token",
    sonos="Whoever can alter a token can make one for any account.",
    way_out="Verify the signature of a token, with the algorithm that you chose; compare opaque ones whole.",
    source=sources.TOKENS,
)
async def altered_token(probe: Probe) -> str | None:
    """A token that was altered in one letter, or stripped of its signature, is refused."""
    token = (await probe.pair()).token
    tokens = [_altered(token, len(token) // 3), _altered(token, len(token) * 5 // 6)]
    if claims_in(token) is not None:
        none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
        tokens += [f"{none}.{token.split('.')[1]}.", f"{'.'.join(token.split('.')[:2])}."]
    said = [await probe.use(Pair(token=each, key=None)) for each in tokens]
    return counted([seen for a in said if (seen := unless_fault(a, *AUTH_FAULTS))])


def _altered(token: str, place: int) -> str:
    letter = "a" if token[place] != "a" else "b"
    return token[:place] + letter + token[place + 1 :]


@check(
    "use.root",
    sonos="The first thing that the app shows of a service; without it, it opens on an error.",
    way_out="Answer getMetadata for `root`, if only with an empty list.",
    source=sources.SMAPI,
    modes=LINKING | {Mode.ANONYMOUS},
)
async def root(probe: Probe) -> str | None:
    """The root of the catalogue opens, twice."""
    login = "" if probe.mode is Mode.ANONYMOUS else login_token(await probe.pair(), probe.household)
    said = [await probe.client.call("getMetadata", _ROOT, login) for _ in range(2)]
    return counted([seen for a in said if (seen := unless_result(a))])


@check(
    "use.account-action",
    sonos="With account logging on, Sonos reports that the account was added; S2 asks this of anonymous services, too.",
    way_out="Answer reportAccountAction with an empty response.",
    source=sources.REPORT_ACCOUNT,
    modes=LINKING | {Mode.ANONYMOUS},
)
async def account_action(probe: Probe) -> str | None:
    """reportAccountAction(addAccount) is answered with nothing in it."""
    login = "" if probe.mode is Mode.ANONYMOUS else login_token(await probe.pair(), probe.household)
    said = await probe.client.call("reportAccountAction", {"type": "addAccount"}, login)
    seen = unless_result(said)
    if seen is not None:
        return seen
    assert said.content is not None
    inside = [local_name(each) for each in said.content.iter() if (each.text or "").strip()]
    return f"it holds {', '.join(inside)}" if inside else None


@check(
    "use.last-update",
    sonos="Every app polls it while somebody browses or plays; versions that always differ make it load everything anew.",
    way_out="Send catalog, favorites and perhaps pollInterval (30 to 3600), with versions that change when something has changed.",
    source=sources.LAST_UPDATE,
    modes=LINKING | {Mode.ANONYMOUS},
)
async def last_update(probe: Probe) -> str | None:
    """getLastUpdate is as the schema has it, the same twice in a row, with an interval that Sonos takes."""
    said = [await _last_update(probe) for _ in range(2)]
    seen = counted([seen for a in said if (seen := unless_result(a))])
    if seen is not None:
        return seen
    first = said[0]
    assert first.content is not None
    problems = schema.problems_of(first.content, "getLastUpdate")
    interval = first.text("pollInterval") or "60"
    if not interval.isdecimal() or not 30 <= int(interval) <= 3600:
        problems.append(f"pollInterval {interval} is not within 30 to 3600")
    if _versions(said[0]) != _versions(said[1]):
        problems.append("versions differ from one call to the next")
    return counted(problems)


async def _last_update(probe: Probe) -> Answer:
    if probe.mode is Mode.ANONYMOUS:
        return await probe.client.call("getLastUpdate", {})
    return await probe.use(await probe.pair())


def _versions(said: Answer) -> tuple[str | None, str | None]:
    return said.text("catalog"), said.text("favorites")


CHECKS = (
    header,
    bearer,
    without_key,
    other_household,
    other_device,
    unknown_token,
    no_token,
    altered_token,
    root,
    account_action,
    last_update,
)
