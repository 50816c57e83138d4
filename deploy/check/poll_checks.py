"""Polls, before anybody has signed in; and how long a code lives."""

from deploy.check import sources
from deploy.check.checks import check, counted, unless_fault
from deploy.check.client import Answer
from deploy.check.codes import FAILURE, RETRY
from deploy.check.probe import WINDOW_SECONDS, Probe
from deploy.check.reading import Skipped
from deploy.check.report import Severity
from deploy.check.signin import Link

POLLS_IN_A_ROW = 24


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
