"""Link codes and the page they lead to, before anybody has signed in."""

import math
import re
from urllib.parse import urlsplit

import aiohttp

from deploy.check import schema, sources
from deploy.check.checks import check, counted, unless_fault, unless_result
from deploy.check.client import Answer, Pair, login_token
from deploy.check.document import find, local_name
from deploy.check.forms import read_page
from deploy.check.probe import WINDOW_SECONDS, Probe, Skipped, link_in
from deploy.check.report import Mode, Severity
from deploy.check.signin import Link

RETRY, FAILURE = "Client.NOT_LINKED_RETRY", "Client.NOT_LINKED_FAILURE"
_LOOKS_LIKE_A_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|0x[0-9a-f]+|true|false|null", re.IGNORECASE
)
_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_FEWEST_BITS = 64
POLLS_IN_A_ROW = 24
_SCRIPT = "<script>alert(1)</script>"


def like_a_number(text: str) -> bool:
    """Tell whether a careless reader of XML makes a number or a truth value of a text."""
    return _LOOKS_LIKE_A_NUMBER.fullmatch(text) is not None


@check(
    "link.answer",
    sonos='The app says "wasn\'t added. Something went wrong": it has no page to open.',
    way_out="Answer with authorizeAccount, in it deviceLink with regUrl, linkCode and showLinkCode, in the order of the schema.",
    source=sources.APP_LINK,
)
async def answer(probe: Probe) -> str | None:
    """The call that begins a link gives a page and a code, as the schema has it."""
    said = await probe.ask_for_link()
    seen = unless_result(said)
    if seen is not None:
        return seen
    assert said.content is not None
    problems = schema.problems_of(said.content, said.method)
    if not problems and find(said.content, "callToAction") is None and find(said.content, "linkCode") is None:
        problems = ["neither deviceLink nor callToAction: a device without the app cannot link"]
    return counted(problems)


@check(
    "link.both-calls",
    sonos="A service of type DeviceLink is asked getAppLink first, then getDeviceLinkCode; neither may fail without a fault.",
    way_out="Answer both with the same link; what you do not support, with a fault.",
    source=sources.RESEARCH,
)
async def both_calls(probe: Probe) -> str | None:
    """The other call that begins a link is answered, too, if only with a fault."""
    method = "getDeviceLinkCode" if probe.mode is Mode.APP_LINK else "getAppLink"
    said = await probe.client.call(method, {"householdId": probe.household})
    if not said.is_result:
        return unless_fault(said)
    assert said.content is not None
    return counted(schema.problems_of(said.content, method))


@check(
    "link.code-length",
    sonos="S2 does not add a service whose link code has more than 32 characters: a UUID with its dashes has 36.",
    way_out="Make codes of at most 32 characters.",
    source=sources.BONOB_283,
)
async def code_length(probe: Probe) -> str | None:
    """The link code has at most 32 characters."""
    code = (await probe.link()).code
    return f"it has {len(code)}" if len(code) > 32 else None


@check(
    "link.code-shape",
    sonos="node-sonos-ts makes a number of it and so loses digits; it and the Linux controller send it back unescaped.",
    way_out="Make codes of letters and digits, the first a letter.",
    source=sources.SONOS_TS,
    severity=Severity.WARNING,
)
async def code_shape(probe: Probe) -> str | None:
    """The link code survives careless readers: letters, digits, `-` and `_`, and not like a number."""
    code = (await probe.link()).code
    if like_a_number(code):
        return "it looks like a number"
    strange = sorted(set(_SAFE.sub("", code)))
    return f"it holds {' '.join(strange)}" if strange else None


@check(
    "link.code-secret",
    sonos="Whoever guesses a code gets the token of the person who signs in with it.",
    way_out=f"Make codes of at least {_FEWEST_BITS} random bits; a code that is typed is short, and needs a hidden linkDeviceId beside it.",
    source=sources.DEVICE_LINK_CODE,
)
async def code_secret(probe: Probe) -> str | None:
    """The link code cannot be guessed, nor told from an earlier one."""
    first, second = await probe.new_link(), await probe.new_link()
    if first.is_shown:
        return None if first.device_id else "it is typed by people, and no linkDeviceId stands beside it"
    if first.code == second.code:
        return "two calls gave the same code"
    alphabet = sum(
        size
        for pattern, size in (("[a-z]", 26), ("[A-Z]", 26), ("[0-9]", 10), ("[^a-zA-Z0-9]", 2))
        if re.search(pattern, first.code + second.code)
    )
    most = min(len(first.code), len(second.code)) * math.log2(alphabet)
    if most < _FEWEST_BITS and first.device_id is None:
        return f"it has {most:.0f} bits at most, and no linkDeviceId stands beside it"
    differ = sum(a != b for a, b in zip(first.code, second.code, strict=False))
    bits = max(differ, abs(len(first.code) - len(second.code))) * math.log2(alphabet)
    return f"two codes in a row differ by no more than {bits:.0f} bits" if bits < _FEWEST_BITS / 2 else None


@check(
    "link.empty-elements",
    sonos="noson reads a null pointer in an empty child of deviceLink, and crashes.",
    way_out="Leave out what has no value.",
    source=sources.NOSON,
    severity=Severity.WARNING,
)
async def empty_elements(probe: Probe) -> str | None:
    """No element of the link is empty."""
    said = await probe.ask_for_link()
    link = find(said.content, "deviceLink") if said.content is not None else None
    link = link if link is not None or said.content is None else find(said.content, "getDeviceLinkCodeResult")
    empty = [] if link is None else [local_name(each) for each in link if not (each.text or "").strip()]
    return f"empty: {', '.join(empty)}" if empty else None


@check(
    "link.stale-credentials",
    sonos="A household that links again sends its dead token along; TIDAL refused that, and SoCo had to work around it.",
    way_out="Ignore the credentials on the calls that make a link.",
    source=sources.SOCO_900,
)
async def stale_credentials(probe: Probe) -> str | None:
    """A dead token in the header does not keep anybody from linking."""
    dead = login_token(Pair(token=probe.letters(40), key=probe.letters(20)), probe.household)
    said = await probe.ask_for_link(dead)
    return unless_result(said) or unless_fault(await probe.poll(link_in(said), dead), RETRY)


@check(
    "link.household",
    sonos="Households have suffixes, `_7d55e99` or `.7d55e99`, and up to 255 characters; none of it means anything to a service.",
    way_out="Store the household id as it comes; never take it apart.",
    source=sources.CREATE_ACCOUNT,
)
async def household(probe: Probe) -> str | None:
    """Every form of household id is taken."""
    forms = (f"{probe.household}.1a2b3c4d", "Sonos_" + probe.letters(40) * 6 + "_0000000a", "Sonos_a&b<c>'\"")
    said = [await probe.ask_for_link(householdId=form[:255]) for form in forms]
    return counted(
        [f"{form[:40]}: {a.shown}" for form, a in zip(forms, said, strict=True) if unless_result(a)]
    )


@check(
    "link.page",
    sonos='The app opens this page; what it shows in its place is a white screen, or "cannot open".',
    way_out="Serve the page at regUrl over https, with the name in your certificate, and answer it with HTTP 200.",
    source=sources.BROWSER_AUTH,
)
async def page(probe: Probe) -> str | None:
    """The page behind regUrl opens."""
    link = await probe.link()
    if urlsplit(link.reg_url).scheme != "https" and not probe.is_local:
        return f"regUrl is not https: {urlsplit(link.reg_url).scheme}://{urlsplit(link.reg_url).netloc}"
    status, text = await _open(probe, link.reg_url)
    if status != 200:
        return f"HTTP {status}"
    return None if read_page(text, link.reg_url).text else "an empty page"


@check(
    "link.page-injection",
    sonos="Sonos asks that the page handles script injection: what a stranger writes into getAppLink is shown there.",
    way_out="Escape everything that came with the call.",
    source=sources.DEVICE_LINK_CODE,
)
async def page_injection(probe: Probe) -> str | None:
    """The page shows nothing unescaped that came with the call or in its address."""
    changes = {"hardware": _SCRIPT, "osVersion": _SCRIPT, "sonosAppName": _SCRIPT}
    link = link_in(await probe.ask_for_link(**changes))
    added = f"{link.reg_url}{'&' if '?' in link.reg_url else '?'}x=%3Cscript%3Ealert(1)%3C/script%3E"
    texts = [(await _open(probe, url))[1] for url in (link.reg_url, added)]
    return "the page holds the script of whoever asked" if any(_SCRIPT in text for text in texts) else None


async def _open(probe: Probe, url: str) -> tuple[int, str]:
    async with probe.browser() as http, http.get(url, timeout=aiohttp.ClientTimeout(total=20)) as response:
        return response.status, (await response.content.read(1024 * 1024)).decode("utf-8", "replace")


@check(
    "poll.pending",
    sonos="Sonos goes on polling on Client.NOT_LINKED_RETRY alone; anything else ends the attempt.",
    way_out="Answer polls with Client.NOT_LINKED_RETRY until the person is done.",
    source=sources.AUTH_ERRORS,
)
async def pending(probe: Probe) -> str | None:
    """A poll before the sign-in says: not yet."""
    return unless_fault(await probe.poll(await probe.link()), RETRY)


@check(
    "poll.pending-number",
    sonos="Sonos's self test and three clients know the pending poll by SonosError 5.",
    way_out="Put `<SonosError>5</SonosError>` into the detail of NOT_LINKED_RETRY.",
    source=sources.SELF_TEST,
)
async def pending_number(probe: Probe) -> str | None:
    """The fault that says "not yet" has SonosError 5."""
    return _number(await probe.poll(await probe.link()), RETRY, "5")


@check(
    "poll.forged",
    sonos="Answered with RETRY, the app spins for seven minutes and says nothing; so it does after a restart that loses the codes.",
    way_out="Answer codes that you never gave, and those that are over, with Client.NOT_LINKED_FAILURE.",
    source=sources.AUTH_ERRORS,
)
async def forged(probe: Probe) -> str | None:
    """A code that was never given gets NOT_LINKED_FAILURE."""
    link = await probe.link()
    made_up = Link(reg_url="", code=probe.letters(len(link.code)), device_id=link.device_id, is_shown=False)
    return unless_fault(await probe.poll(made_up), FAILURE)


@check(
    "poll.altered",
    sonos="As with a code that was never given.",
    way_out="Compare the whole code; look it up exactly.",
    source=sources.AUTH_ERRORS,
)
async def altered(probe: Probe) -> str | None:
    """A code with one letter changed, or cut, gets NOT_LINKED_FAILURE."""
    link = await probe.link()
    letter = "b" if link.code[-1] != "b" else "c"
    codes = (link.code[:-1] + letter, link.code[:-1])
    said = [await probe.poll(link, linkCode=code) for code in codes]
    return counted([seen for a in said if (seen := unless_fault(a, FAILURE))])


@check(
    "poll.failure-number",
    sonos='SonosError 6 is "mandatory in order for the Sonos app to respond correctly".',
    way_out="Put `<SonosError>6</SonosError>` into the detail of NOT_LINKED_FAILURE, and register a text for it.",
    source=sources.DEVICE_AUTH_TOKEN,
)
async def failure_number(probe: Probe) -> str | None:
    """The fault that says "never" has SonosError 6."""
    link = await probe.link()
    said = await probe.poll(link, linkCode=probe.letters(len(link.code)))
    if said.fault is None or said.fault.code != FAILURE:
        raise Skipped("a code that was never given does not get NOT_LINKED_FAILURE: see poll.forged")
    return _number(said, FAILURE, "6")


def _number(said: Answer, code: str, number: str) -> str | None:
    fault = said.fault
    if fault is None or fault.code != code:
        raise Skipped(f"the poll is not answered with {code}: {said.shown}")
    return None if fault.sonos_error == number else f"SonosError {fault.sonos_error or 'is missing'}"


@check(
    "poll.no-code",
    sonos="Without a code it is the upgrade of a household that has credentials; without those it is nobody.",
    way_out="Answer with a fault.",
    source=sources.UPGRADE,
)
async def no_code(probe: Probe) -> str | None:
    """A poll without a code and without credentials gets no token."""
    return unless_fault(await probe.poll(await probe.link(), linkCode=None, linkDeviceId=None))


@check(
    "poll.made-up-login",
    sonos="This is how a player upgrades an account; whoever makes up a name must not get one.",
    way_out="Check the name and the password of an upgrade, or refuse upgrades.",
    source=sources.UPGRADE,
)
async def made_up_login(probe: Probe) -> str | None:
    """An upgrade with a made-up name and password gets no token."""
    login = f"<login><username>{probe.letters(12)}</username><password>{probe.letters(12)}</password></login>"
    return unless_fault(await probe.poll(await probe.link(), login, linkCode=None, linkDeviceId=None))


@check(
    "poll.limit",
    sonos="Sonos polls every 5 seconds for 8 minutes, many households from a few addresses; it asks to remove any rate limiting.",
    way_out="Limit the page where people sign in, never the polls.",
    source=sources.KEY_REQUIREMENTS,
)
async def limit(probe: Probe) -> str | None:
    """Polls are not rationed."""
    link = await probe.link()
    for number in range(1, POLLS_IN_A_ROW + 1):
        seen = unless_fault(await probe.poll(link), RETRY)
        if seen:
            return f"poll {number} of {POLLS_IN_A_ROW} in a row: {seen}"
    return None


@check(
    "link.life",
    sonos="Sonos goes on polling for 7 to 8 minutes; a person who needs them is told that it failed.",
    way_out="Let a code live for ten minutes.",
    source=sources.AUTH_ERRORS,
    severity=Severity.WARNING,
)
async def life(probe: Probe) -> str | None:
    """A code lives as long as Sonos polls."""
    if probe.options.wait < WINDOW_SECONDS:
        raise Skipped(f"takes {WINDOW_SECONDS / 60:.0f} minutes: --wait {WINDOW_SECONDS + 180:.0f}")
    link = await probe.new_link()
    died = await _dies(probe, link, until=WINDOW_SECONDS - 60)
    return None if died is None else f"it was dead after {died:.0f} s"


@check(
    "link.expiry",
    sonos="Sonos stops after 8 minutes; a code that lives on is one that can be found, guessed, or sent to somebody.",
    way_out="Let a code end after ten minutes or so, and answer it with Client.NOT_LINKED_FAILURE then.",
    source=sources.AUTH_ERRORS,
    severity=Severity.WARNING,
)
async def expiry(probe: Probe) -> str | None:
    """A code that nobody used is over after a while, and is answered so."""
    if probe.options.wait < WINDOW_SECONDS:
        raise Skipped(f"takes {WINDOW_SECONDS / 60:.0f} minutes or more: --wait {WINDOW_SECONDS + 180:.0f}")
    died = await _dies(probe, await probe.new_link(), until=probe.options.wait)
    return None if died is not None else f"it was still pending after {probe.options.wait:.0f} s"


async def _dies(probe: Probe, link: Link, *, until: float) -> float | None:
    """Return after how many seconds a code is not pending any more; it is asked after once a minute."""
    started = probe.clock.monotonic()
    while (passed := probe.clock.monotonic() - started) < until:
        await probe.clock.sleep(min(60.0, until - passed))
        said = await probe.poll(link)
        if said.fault is None or said.fault.code != RETRY:
            return probe.clock.monotonic() - started
    return None


CHECKS = (
    answer,
    both_calls,
    code_length,
    code_shape,
    code_secret,
    empty_elements,
    stale_credentials,
    household,
    page,
    page_injection,
    pending,
    pending_number,
    forged,
    altered,
    failure_number,
    no_code,
    made_up_login,
    limit,
)
SLOW_CHECKS = (life, expiry)
