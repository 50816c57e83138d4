"""Runs checks, one after the other, and gathers what they found."""

import ssl
from collections.abc import Callable, Sequence

import aiohttp

from deploy.check.checks import Check
from deploy.check.client import CALLBACK, Client, Clock, Unanswered
from deploy.check.probe import NOBODY, Options, Probe
from deploy.check.reading import Skipped
from deploy.check.report import Mode, Outcome, Report, State
from deploy.check.signin import SignIn
from deploy.check.tls_checks import holds, verifying

Browser = Callable[[], aiohttp.ClientSession]
Watch = Callable[[Check, Outcome | None], None]

_ROOT = {"id": "root", "index": "0", "count": "1"}
_SIGNING_IN = {"Client.LoginInvalid", "Client.LoginDisabled", "Client.LoginUnsupported"}


class CannotRun(Exception):
    """Nothing could be checked; the message says why."""


async def run(
    endpoint: str,
    checks: Sequence[Check],
    *,
    options: Options,
    mode: Mode | None,
    clock: Clock,
    random: Callable[[int], bytes],
    sign_in: Callable[[Browser], SignIn | None],
    watch: Watch = lambda check, outcome: None,
) -> Report:
    """Check a service; *mode* None finds out by itself; *watch* is told of each check as it begins and as it ends.

    Raises:
        CannotRun: nothing answers there.
    """
    trusted = await holds(endpoint, options.ca_file)
    context = ssl_for(endpoint, options.ca_file, trusted=trusted)

    def browser() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context), cookie_jar=aiohttp.CookieJar(unsafe=True)
        )

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context), cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        client = Client(http, endpoint, clock)
        await _reach(client)
        found = mode or await _mode(client, options)
        probe = Probe(
            client=client,
            mode=found,
            options=options,
            clock=clock,
            random=random,
            browser=browser,
            # Nobody's password goes over a connection that anybody could be at the other end of.
            sign_in=sign_in(browser) if trusted else None,
            nobody=NOBODY
            if trusted
            else "nobody signs in where the certificate does not hold: see tls.chain",
        )
        outcomes = []
        for check in _fitting(checks, found):
            watch(check, None)
            outcomes.append(await _outcome(check, probe))
            watch(check, outcomes[-1])
    return Report(endpoint=endpoint, mode=found, outcomes=tuple(outcomes), figures=_figures(probe))


def ssl_for(endpoint: str, ca_file: str | None, *, trusted: bool) -> ssl.SSLContext | bool:
    """Return how to go to a service: carefully, or, where its certificate does not hold, without looking at it."""
    if not endpoint.startswith("https:") and ca_file is None:
        return True
    context = verifying(ca_file)
    if not trusted:
        # The checks of TLS say so; what else is wrong is worth knowing all the same.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _fitting(checks: Sequence[Check], mode: Mode) -> list[Check]:
    fitting = [check for check in checks if mode in check.about.modes]
    if not fitting:
        raise CannotRun(f"none of these checks is for a service of the kind {mode.value}")
    return fitting


async def _reach(client: Client) -> None:
    try:
        await client.call("getLastUpdate", {})
    except Unanswered as error:
        raise CannotRun(f"nothing answers at {client.endpoint}: {error}") from None


async def _mode(client: Client, options: Options) -> Mode:
    """Find out what kind of service it is: by what it answers, in the order in which Sonos tries."""
    household = {"householdId": "Sonos_latchkeycheck_7d55e99a"}
    device = {"hardware": "Windows", "osVersion": "10", "sonosAppName": "Sonos", "callbackPath": CALLBACK}
    credentials = {"username": options.name or "nobody", "password": options.password or "nothing"}
    try:
        if (await client.call("getAppLink", household | device)).is_result:
            return Mode.APP_LINK
        if (await client.call("getDeviceLinkCode", household)).is_result:
            return Mode.DEVICE_LINK
        session = await client.call("getSessionId", credentials)
        if session.is_result or (session.fault is not None and session.fault.code in _SIGNING_IN):
            return Mode.SESSION_ID
        root = await client.call("getMetadata", _ROOT)
    except Unanswered as error:
        raise CannotRun(f"nothing answers at {client.endpoint}: {error}") from None
    if root.is_result:
        return Mode.ANONYMOUS
    if root.content is None and session.content is None:
        raise CannotRun(f"no SMAPI service answers at {client.endpoint}: {root.shown}")
    raise CannotRun(
        "it gives no link, no session and no catalogue, so that there is nothing to tell its kind by: "
        f"--auth {'|'.join(Mode)} (getAppLink apart, the last answer was {root.shown})"
    )


async def _outcome(check: Check, probe: Probe) -> Outcome:
    started = probe.clock.monotonic()
    state, said = await _state(check, probe)
    return Outcome(
        about=check.about, state=state, said=said, seconds=max(0.0, probe.clock.monotonic() - started)
    )


async def _state(check: Check, probe: Probe) -> tuple[State, str]:
    try:
        said = await check.look(probe)
    except Skipped as skipped:
        return State.SKIPPED, str(skipped)
    except Unanswered as error:
        return State.FOUND, str(error)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        # A value of the service's that cannot go into a header or an address is a finding, too.
        return State.FOUND, str(error) or type(error).__name__
    return (State.CLEAN, "") if said is None else (State.FOUND, said)


def _figures(probe: Probe) -> dict[str, float]:
    seconds = sorted(answer.seconds for answer in probe.client.history)
    figures: dict[str, float] = {"answers": len(seconds)}
    if seconds:
        figures |= {
            "answer: median": seconds[len(seconds) // 2] * 1000,
            "answer: slowest": seconds[-1] * 1000,
        }
    return figures | probe.figures
