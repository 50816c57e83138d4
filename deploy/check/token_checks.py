"""The pair that a household gets, and the calls it makes with it."""

import binascii
import re

from deploy.check import schema, sources
from deploy.check.checks import check, counted, unless_fault, unless_result
from deploy.check.client import Answer, Pair, login_token
from deploy.check.document import local_name
from deploy.check.link_checks import FAILURE, like_a_number
from deploy.check.probe import Probe, Skipped, claims_in, decoded, pair_in
from deploy.check.report import LINKING, Mode, Severity
from deploy.check.signin import NotSignedIn

AUTH_FAULTS = ("Client.LoginUnauthorized", "Client.AuthTokenExpired")
_LONGEST = 2048
_SENTINELS = {"alwaysReauthenticate", "alwaysAuthenticate", "nonsense"}
_ROOT = {"id": "root", "index": "0", "count": "100"}


@check(
    "link.completes",
    sonos='The app polls until it gives up and says "wasn\'t added. Something went wrong".',
    way_out="Follow one link code from getAppLink to the poll: who stores it, who completes it, and who is asked. "
    "A restart or a second replica that does not know it looks just like this.",
    source=sources.BONOB_283,
)
async def completes(probe: Probe) -> str | None:
    """After the sign-in, the next poll gives a token."""
    try:
        return unless_result((await probe.linked()).answer)
    except Skipped as skipped:
        if isinstance(skipped.__context__, NotSignedIn) or "not completed" in str(skipped):
            return str(skipped)
        raise


@check(
    "token.answer",
    sonos="Readers that go by the schema fail; S2 wants userIdHashCode before nickname, and aborts otherwise.",
    way_out="Send authToken, privateKey, userInfo (userIdHashCode, accountTier, accountStatus, nickname) in this order.",
    source=sources.DEVICE_AUTH_TOKEN,
)
async def answer(probe: Probe) -> str | None:
    """The poll that gives the token is as the schema has it."""
    content = (await probe.linked()).answer.content
    assert content is not None
    return counted(schema.problems_of(content, "getDeviceAuthToken"))


@check(
    "token.private-key",
    sonos='S2 takes the token and then says "wasn\'t added. Something went wrong"; SoCo and the self test fail at once.',
    way_out="Always send a privateKey that is not empty, `alwaysReauthenticate` if you have no use for one.",
    source=sources.BONOB_283,
)
async def private_key(probe: Probe) -> str | None:
    """A privateKey comes with the token, and is not empty."""
    return None if (await probe.pair()).key else "there is none, or an empty one"


@check(
    "token.length",
    sonos="Sonos stores at most 2048 characters of each; players cut long ones, and proxies refuse long headers.",
    way_out="Keep both short: an opaque token of 40 characters, or a JWT of a few hundred.",
    source=sources.DEVICE_AUTH_TOKEN,
)
async def length(probe: Probe) -> str | None:
    """Token and key have at most 2048 characters."""
    pair = await probe.pair()
    return counted(
        [
            f"{name} has {len(value)}"
            for name, value in (("authToken", pair.token), ("privateKey", pair.key or ""))
            if len(value) > _LONGEST
        ]
    )


@check(
    "token.shape",
    sonos="node-sonos-ts makes a number of it, and so destroys it; it and the Linux controller send it back unescaped.",
    way_out="Make tokens of letters and digits, the first a letter.",
    source=sources.SONOS_TS,
    severity=Severity.WARNING,
)
async def shape(probe: Probe) -> str | None:
    """Token and key survive careless readers: not like a number, and without `&`, `<` and spaces."""
    pair = await probe.pair()
    problems = []
    for name, value in (("authToken", pair.token), ("privateKey", pair.key or "a")):
        if like_a_number(value):
            problems.append(f"{name} looks like a number")
        elif re.search(r"[&<>\s]", value):
            problems.append(f"{name} holds one of & < > or white space")
    return counted(problems)


@check(
    "token.no-password",
    sonos="Sonos stores the token with the household, on every player and in its cloud. It must not hold names or passwords.",
    way_out="Give an opaque token, or a JWT that names the account by an id; Base64 hides nothing.",
    source=sources.TOKENS,
)
async def no_password(probe: Probe) -> str | None:
    """Neither the password nor the name of the person is in the token or its key."""
    pair = await probe.pair()
    secrets = {"the password": probe.options.password, "the name": probe.options.name}
    inside = _layers(pair.token) + _layers(pair.key or "")
    found = [
        what
        for what, secret in secrets.items()
        if len(secret) > 2 and any(_holds(layer, secret) for layer in inside)
    ]
    return f"{' and '.join(found)}, plainly or in Base64" if found else None


def _holds(layer: str, secret: str) -> bool:
    # A short name is part of many words; a password never is by accident.
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", layer, re.IGNORECASE) is not None


def _layers(value: str, depth: int = 3) -> list[str]:
    """Return a value and everything that its parts are Base64 of."""
    layers = [value]
    for part in re.findall(r"[A-Za-z0-9+/_-]{8,}={0,2}", value) if depth else ():
        try:
            text = decoded(part).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            continue
        if text.isprintable():
            layers += _layers(text, depth - 1)
    return layers


@check(
    "token.not-the-code",
    sonos="The link code was in the address of a page, in its history and in logs; the token lasts for years.",
    way_out="Make the token anew.",
    source=sources.TOKENS,
)
async def not_the_code(probe: Probe) -> str | None:
    """Neither token nor key is the link code or the linkDeviceId."""
    pair, link = await probe.pair(), (await probe.linked()).link
    same = {link.code, link.device_id} & {pair.token, pair.key}
    return "one of them is" if same - {None} else None


@check(
    "token.repeat",
    sonos="Answers get lost, and Sonos polls again. A second pair for one sign-in is a second way in that nobody knows of.",
    way_out="Give the same pair again until the code is over, or NOT_LINKED_FAILURE.",
    source=sources.DEVICE_AUTH_TOKEN,
    severity=Severity.WARNING,
)
async def repeat(probe: Probe) -> str | None:
    """The same code gives the same pair again, or none."""
    linked = await probe.linked()
    again = await probe.poll(linked.link)
    if again.is_result:
        return None if pair_in(again) == pair_in(linked.answer) else "one code gave two pairs"
    return unless_fault(again, FAILURE)


@check(
    "token.device",
    sonos="linkDeviceId is there so that a code which somebody was talked into using is of no use to who sent it.",
    way_out="Give the pair to nobody who does not send the linkDeviceId that came with the code; answer NOT_LINKED_FAILURE.",
    source=sources.DEVICE_LINK_CODE,
)
async def device(probe: Probe) -> str | None:
    """A wrong linkDeviceId gets no token."""
    link = (await probe.linked()).link
    if link.device_id is None:
        raise Skipped("the service gives no linkDeviceId")
    return unless_fault(await probe.poll(link, linkDeviceId=probe.letters(len(link.device_id))), FAILURE)


@check(
    "token.single-use",
    sonos="Whoever finds the address of the page signs the household in to an account of his own.",
    way_out="Once a code has led to a token, let nobody else sign in with it.",
    source=sources.DEVICE_LINK_CODE,
)
async def single_use(probe: Probe) -> str | None:
    """A code that has been used cannot be used by somebody else."""
    linked, sign_in = await probe.linked(), probe.sign_in
    if sign_in is None or not sign_in.repeatable:
        raise Skipped("needs somebody who signs in twice: --form or --approve-with")
    before = pair_in(linked.answer)
    try:
        await sign_in.complete(linked.link)
    except NotSignedIn:
        return None
    after = await probe.poll(linked.link)
    changed = after.is_result and pair_in(after) != before
    return "a second sign-in with the same code gave another pair" if changed else None


# --- who it is


@check(
    "user.info",
    sonos="Without userIdHashCode Sonos does not notice that an account is there already, and cannot match accounts.",
    way_out="Send userInfo with userIdHashCode along with the token.",
    source=sources.USER_INFO,
    severity=Severity.WARNING,
)
async def info(probe: Probe) -> str | None:
    """The token comes with a userIdHashCode."""
    return None if (await probe.linked()).answer.text("userIdHashCode") else "there is none"


@check(
    "user.hash",
    sonos="Sonos's self test refuses one with `@` or `.`: it must not tell who somebody is.",
    way_out="Send a hash of your own id of the account: 32 lower-case hex digits suit every player.",
    source=sources.SELF_TEST,
)
async def user_hash(probe: Probe) -> str | None:
    """The userIdHashCode identifies nobody: no `@`, no `.`, not the name."""
    value = (await probe.linked()).answer.text("userIdHashCode")
    if value is None:
        raise Skipped("there is none")
    if set(value) & {"@", "."}:
        return "it looks like an address or a domain"
    return "it is the name" if value.lower() == probe.options.name.lower() != "" else None


@check(
    "user.same",
    sonos="Sonos compares the two; where they differ the account is taken for somebody else's.",
    way_out="Compute both in the same way, from what never changes.",
    source=sources.USER_INFO,
)
async def same(probe: Probe) -> str | None:
    """getUserInfo has the userIdHashCode that came with the token."""
    said = await probe.client.call("getUserInfo", {}, login_token(await probe.pair(), probe.household))
    if said.fault is not None and said.fault.code not in AUTH_FAULTS:
        raise Skipped(f"getUserInfo is not supported: {said.shown}")
    if not said.is_result:
        return unless_result(said)
    first, second = (await probe.linked()).answer.text("userIdHashCode"), said.text("userIdHashCode")
    assert said.content is not None
    problems = schema.problems_of(said.content, "getUserInfo")
    return counted(problems + (["the two differ"] if first and first != second else []))


# --- what it opens


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
    sonos="S2 may send the token as `Authorization: Bearer` alone; the service was added and shows nothing.",
    way_out="Take the token from the Authorization header where the SOAP header has none.",
    source=sources.BONOB,
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


def is_sentinel(key: str | None) -> bool:
    """Tell whether a privateKey says that there is none."""
    return key is None or key in _SENTINELS


PAIR_CHECKS = (
    completes,
    answer,
    private_key,
    length,
    shape,
    no_password,
    not_the_code,
    repeat,
    device,
    single_use,
    info,
    user_hash,
    same,
)
USE_CHECKS = (
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
