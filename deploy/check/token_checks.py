"""The pair that a household gets, and who it says that the person is."""

import binascii
import re

from deploy.check import schema, sources
from deploy.check.checks import check, counted, unless_fault, unless_result
from deploy.check.client import login_token
from deploy.check.codes import AUTH_FAULTS, FAILURE, like_a_number
from deploy.check.probe import Probe
from deploy.check.reading import Skipped, decoded, pair_in
from deploy.check.report import Severity
from deploy.check.signin import NotSignedIn

_LONGEST = 2048


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


CHECKS = (
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
