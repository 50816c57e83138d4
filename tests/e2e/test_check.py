"""`latchkey check` finds every fault of a service that is wrong on purpose, invents none, and finds none in ours."""

import asyncio
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from deploy.check.client import Pair
from deploy.check.probe import Options
from deploy.check.report import Mode, Report, State
from deploy.check.run import run
from deploy.check.signin import ByBrowser, ByForm
from deploy.check.table import CHECKS, selected
from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import COMMAND, EMBEDDED, PATIENCE, System, add_account, deployment, free_port
from tests.play.past import stale_token
from tests.play.person import NAME, PASSWORD, Person
from tests.play.sonos import Sonos
from tests.play.wrongs import WRONGS

ROOT = Path(__file__).parents[2]
WAIT = 1000.0
"""Seconds that go by on the wrong server's clock; nobody waits for them."""
SERVICES = """
[services.default]
title = "Linked"

[services.typed]
title = "Typed"
typed_codes = true

[services.classic]
title = "Classic"
auth = "session_id"

[services.header]
title = "Header"
auth = "stateless"

[services.open]
title = "Open"
auth = "anonymous"
"""


class Clock:
    """The machine's clock, and as much more as has been slept: the server is told, so that it goes by for both."""

    def __init__(self, http: aiohttp.ClientSession, server: str | None) -> None:
        self.http, self.server = http, server
        self.passed = 0.0

    def now(self) -> int:
        return int(time.time() + self.passed)

    def monotonic(self) -> float:
        return time.monotonic() + self.passed

    async def sleep(self, seconds: float) -> None:
        if self.server is None:
            # Ours has no clock to move: what is waited for here is that it has done its work.
            await asyncio.sleep(min(seconds, 0.1))
            return
        self.passed += seconds
        async with self.http.put(f"{self.server}/clock", json=seconds) as response:
            assert 200 == response.status


async def checked(
    endpoint: str,
    clock: Clock,
    *,
    mode: Mode | None,
    only: tuple[str, ...] = (),
    signs_in: bool = True,
    **options: object,
) -> Report:
    """Run the checks, signed in by form."""
    told = Options(name=NAME, password=PASSWORD, **options)  # type: ignore[arg-type]
    return await run(
        endpoint,
        selected(only, ()) if only else CHECKS,
        options=told,
        mode=mode,
        clock=clock,
        random=os.urandom,
        sign_in=lambda new: ByForm(http=new, clock=clock, name=NAME, password=PASSWORD) if signs_in else None,
    )


def found(report: Report) -> dict[str, str]:
    return {outcome.about.check_id: outcome.said for outcome in report.findings}


def skipped(report: Report) -> dict[str, str]:
    return {
        outcome.about.check_id: outcome.said for outcome in report.outcomes if outcome.state is State.SKIPPED
    }


# --- a service that is wrong on purpose


@pytest.fixture(scope="module")
def wrong_server() -> Iterator[str]:
    """A service written with spyne; the tests of this module make it wrong, and right again."""
    if importlib.util.find_spec("spyne") is None:
        pytest.skip("needs spyne, which runs on Python 3.11")
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.play.wrong_server", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        asyncio.run(_until_it_answers(address, process))
        yield address
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


async def _until_it_answers(address: str, process: "subprocess.Popen[bytes]") -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE):
        while True:
            assert process.poll() is None
            try:
                async with http.get(address):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


@pytest.fixture
async def clock(wrong_server: str) -> AsyncIterator[Clock]:
    async with aiohttp.ClientSession() as http:
        yield Clock(http, wrong_server)


async def make_wrong(clock: Clock, *names: str) -> None:
    async with clock.http.put(f"{clock.server}/wrong", json=list(names)) as response:
        assert 200 == response.status


def revoking(server: str) -> str:
    script = (
        "import http.client, sys; wire = http.client.HTTPConnection(sys.argv[1]); "
        "wire.request('PUT', '/revoke', sys.stdin.read()); sys.exit(wire.getresponse().status != 200)"
    )
    return shlex.join([sys.executable, "-ISc", script, server.removeprefix("http://")])


KINDS = {
    "link": ("/smapi", Mode.APP_LINK),
    "session": ("/session", Mode.SESSION_ID),
    "header": ("/header", Mode.STATELESS),
    "open": ("/open", Mode.ANONYMOUS),
}
ABOUT_LINKS = {"session-id-for-anybody", "header-token-ignored"}


@pytest.mark.parametrize("name", WRONGS)
async def test_fault_is_found_and_none_invented(wrong_server: str, clock: Clock, name: str) -> None:
    """With one thing wrong, the checks that are about it say so, and no other."""
    await make_wrong(clock, name)
    kind = "link" if name in ABOUT_LINKS else name.partition("-")[0]
    path, mode = KINDS.get(kind, KINDS["link"])
    revoke = revoking(wrong_server) if name.startswith("revoked") else ""
    slow = 1.0 if "slow" in name else 20.0
    report = await checked(f"{wrong_server}{path}", clock, mode=mode, wait=WAIT, revoke=revoke, slow=slow)

    assert set(WRONGS[name][1].split()) == set(found(report)), found(report)


@pytest.mark.parametrize(
    ("path", "mode"),
    KINDS.values(),
    ids=KINDS,
)
async def test_right_service_of_another_make_is_clean(
    wrong_server: str, clock: Clock, path: str, mode: Mode
) -> None:
    """With nothing wrong nothing is found; its kind is found out, and next to nothing is left unlooked at."""
    await make_wrong(clock)
    told = mode if mode is Mode.STATELESS else None
    report = await checked(
        f"{wrong_server}{path}", clock, mode=told, wait=WAIT, slow=20.0, revoke=revoking(wrong_server)
    )
    left = {name for name in skipped(report) if not name.startswith("tls.")}

    assert ({}, mode) == (found(report), report.mode)
    assert {"load.polls"} & left == left


async def test_right_service_bears_its_load(wrong_server: str, clock: Clock) -> None:
    """Households poll at Sonos's pace; what is measured is in the report."""
    await make_wrong(clock)
    report = await checked(
        f"{wrong_server}/smapi", clock, mode=None, only=("load",), load=4, load_seconds=15.0, slow=20.0
    )

    assert ({}, {}) == (found(report), skipped(report))
    assert (4, 12) == (report.figures["load: households"], report.figures["load: polls"])


async def test_service_that_does_not_bear_it(wrong_server: str, clock: Clock) -> None:
    """A service that rations polls is found out by households that poll for long."""
    await make_wrong(clock, "polls-rationed")
    report = await checked(
        f"{wrong_server}/smapi", clock, mode=None, only=("load",), load=1, load_seconds=105.0, slow=20.0
    )

    assert {"load.polls": "getDeviceAuthToken: HTTP 500 with the fault Server.ServiceUnavailable"} == found(
        report
    )


async def test_nobody_signs_in(wrong_server: str, clock: Clock) -> None:
    """Without a person there is no token to look at, and that is said, not found."""
    await make_wrong(clock)
    report = await checked(f"{wrong_server}/smapi", clock, mode=None, slow=20.0, signs_in=False)

    assert {} == found(report)
    assert all("nobody signs in" in skipped(report)[name] for name in ("link.completes", "use.header"))


async def test_wrong_password_is_told(wrong_server: str, clock: Clock) -> None:
    """A sign-in that is not accepted is a link that is not completed, with what the page says."""
    await make_wrong(clock)
    report = await run(
        f"{wrong_server}/smapi",
        selected(("link.completes",), ()),
        options=Options(),
        mode=None,
        clock=clock,
        random=os.urandom,
        sign_in=lambda new: ByForm(http=new, clock=clock, name=NAME, password="wrong"),
    )

    assert "the sign-in was not accepted; the page says: Sign in" in found(report)["link.completes"]


async def test_there_are_enough_ways_to_be_wrong() -> None:
    """Every check of links, polls, pairs, calls, refresh, sessions, XML and HTTP is what at least one of them is about."""
    unproven = {check.about.check_id for check in CHECKS} - {
        check for _, checks in WRONGS.values() for check in checks.split()
    }

    assert len(WRONGS) >= 25
    assert UNPROVEN == unproven


UNPROVEN = {
    "load.polls",  # by a test of its own
    # With certificates of its own: tests/unit/deploy/test_check_tls.py.
    *(f"tls.{name}" for name in ("https", "chain", "days", "s2", "s1", "curve", "old-versions")),
}


# --- ours


@pytest.fixture(scope="module")
def ours(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Pair]]:
    """Our deployment, with a service of each kind; and a token of it that is past its time."""
    folder = tmp_path_factory.mktemp("ours")
    shutil.copyfile(sqlite_template, folder / "latchkey.db")
    (folder / "latchkey.toml").write_text(SERVICES)
    with deployment(
        folder,
        database_url=f"sqlite+aiosqlite:///{folder / 'latchkey.db'}",
        broker_url="memory://",
        extra={"LATCHKEY_CONFIG": str(folder / "latchkey.toml")},
    ) as prepared:
        yield prepared, asyncio.run(_started(prepared))


async def _started(system: System) -> Pair:
    await add_account(system)
    for service in ("typed", "classic", "header"):
        await execute(
            system.database_url,
            "INSERT INTO local_users (service, name, subject, nickname, password_hash) "
            "SELECT :service, name, subject, nickname, password_hash FROM local_users WHERE service = 'default'",
            service=service,
        )
    system.start_gateway("embedded", ("-c", EMBEDDED))
    await system.ready()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http, Person() as person:
        pair = await link_household(Sonos(http, system.endpoint), person)
    return Pair(token=await stale_token(system), key=pair.key)


@pytest.fixture
async def our_clock() -> AsyncIterator[Clock]:
    async with aiohttp.ClientSession() as http:
        yield Clock(http, None)


async def test_person_signs_in_by_browser(ours: tuple[System, Pair], our_clock: Clock) -> None:
    """The page is shown; while somebody signs in there, the run polls as Sonos does."""
    system, _ = ours
    pages: asyncio.Queue[str] = asyncio.Queue()

    async def somebody() -> None:
        async with Person() as person:
            await person.complete((await pages.get()).rpartition(" ")[2])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(somebody())
        report = await run(
            system.endpoint,
            selected(("link.completes", "use", "relink"), ()),
            options=Options(slow=20.0),
            mode=None,
            clock=our_clock,
            random=os.urandom,
            sign_in=lambda _: ByBrowser(say=pages.put_nowait, opens=False),
        )

    assert ({}, {"relink.works", "relink.same-user"}) == (found(report), set(skipped(report)))


async def test_ours_is_clean(ours: tuple[System, Pair], our_clock: Clock) -> None:
    """Linked by form, with a stale token, revoked by our own command: Client.TokenRefreshRequired and all; nothing is found."""
    system, stale = ours
    told = [f"{name}={value}" for name, value in system.environment.items()]
    command = [sys.executable, "-c", COMMAND, "grants", "revoke", "--all", "--yes"]
    revoke = shlex.join(["env", *told, *command])
    report = await checked(system.endpoint, our_clock, mode=None, stale=stale, revoke=revoke, slow=20.0)
    left = {name for name in skipped(report) if not name.startswith("tls.")}

    assert ({}, Mode.APP_LINK) == (found(report), report.mode)
    assert {"link.life", "link.expiry", "load.polls"} == left


@pytest.mark.parametrize(
    ("service", "mode", "told"),
    [
        ("typed", None, Mode.APP_LINK),
        ("typed", Mode.DEVICE_LINK, Mode.DEVICE_LINK),
        ("default", Mode.DEVICE_LINK, Mode.DEVICE_LINK),
        ("classic", None, Mode.SESSION_ID),
        ("header", Mode.STATELESS, Mode.STATELESS),
        ("open", None, Mode.ANONYMOUS),
    ],
)
async def test_ours_is_clean_in_every_mode(
    ours: tuple[System, Pair], our_clock: Clock, service: str, mode: Mode | None, told: Mode
) -> None:
    """Typed codes, DeviceLink, session ids, passwords in headers, and nobody at all."""
    system, _ = ours
    report = await checked(f"{system.endpoint}/{service}", our_clock, mode=mode, slow=20.0)

    assert ({}, told) == (found(report), report.mode)


async def test_command_says_and_writes_what_it_found(ours: tuple[System, Pair], tmp_path: Path) -> None:
    """The table, JSON and JUnit agree; the exit status is that of a clean service."""
    system, _ = ours
    files = tmp_path / "report.json", tmp_path / "report.xml"
    said = await system.run(
        *("check", system.endpoint, "--user", NAME, "--password", PASSWORD, "--slow", "20"),
        *("--only", "link", "--only", "fault", "--json", str(files[0]), "--junit", str(files[1])),
    )
    document, suite = json.loads(files[0].read_text()), etree.parse(files[1]).getroot()

    assert "nothing found" in said
    assert document["clean"]
    assert [check["id"] for check in document["checks"]] == [
        case.get("name").partition(":")[0] for case in suite
    ]
    assert (str(len(suite)), "0") == (suite.get("tests"), suite.get("failures"))
    assert PASSWORD not in said + files[0].read_text() + files[1].read_text()
