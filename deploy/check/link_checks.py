"""Link codes and the page they lead to, before anybody has signed in."""

import math
import re
from urllib.parse import urlsplit

import aiohttp

from deploy.check import schema, sources
from deploy.check.checks import check, counted, unless_fault, unless_result
from deploy.check.client import Pair, login_token
from deploy.check.codes import RETRY, like_a_number
from deploy.check.document import find, local_name
from deploy.check.forms import read_page
from deploy.check.probe import Probe
from deploy.check.reading import link_in
from deploy.check.report import Mode, Severity

_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_FEWEST_BITS = 64
_SCRIPT = "<script>alert(1)</script>"


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
)
