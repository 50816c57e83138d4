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
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from deploy.check.client import Clock as AnyClock
from deploy.check.client import Pair, SystemClock
from deploy.check.probe import Options
from deploy.check.report import Mode, Report, State
from deploy.check.run import run
from deploy.check.signin import ByBrowser, ByForm
from deploy.check.table import CHECKS, selected
from shared.context import SystemClock as MachineClock
from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import COMMAND, EMBEDDED, PATIENCE, System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import NAME, PASSWORD, Person
from tests.play.ports import free_port
from tests.play.sonos import Sonos
from tests.play.wrongs import WRONGS

ROOT = Path(__file__).parents[2]
AT_A_TIME = 3
"""Wrong servers beside each other."""
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

[services.moved]
title = "Moved"
upgrade_from = ["session_id"]
"""


class Clock:
    """The clock of a wrong server, which stands still but when it is told to go on: nothing measured on it is chance."""

    def __init__(self, http: aiohttp.ClientSession, server: "WrongServer") -> None:
        self.http, self.server = http, server

    def now(self) -> int:
        return int(time.time() + self.monotonic())

    def monotonic(self) -> float:
        return float(self.server.clock.read_text())

    async def sleep(self, seconds: float) -> None:
        await self.tell("clock", seconds)

    async def tell(self, what: str, content: object) -> None:
        async with self.http.put(f"{self.server.address}/{what}", json=content) as response:
            assert 200 == response.status


class RealClock(SystemClock):
    """The machine's; ours is not asked to move it, and does its work while somebody waits."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.1))


async def checked(
    endpoint: str,
    clock: AnyClock,
    *,
    mode: Mode | None,
    only: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
    signs_in: bool = True,
    **options: object,
) -> Report:
    """Run the checks, signed in by form."""
    told = Options(name=NAME, password=PASSWORD, **options)  # type: ignore[arg-type]
    return await run(
        endpoint,
        selected(only, skip),
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


@dataclass(frozen=True)
class WrongServer:
    address: str
    clock: Path


@pytest.fixture(scope="module")
def wrong_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[WrongServer]]:
    """Services written with spyne; the tests of this module make them wrong, and right again."""
    if importlib.util.find_spec("spyne") is None:
        pytest.skip("needs spyne, which runs on Python 3.11")
    folder = tmp_path_factory.mktemp("wrong")
    ports = [free_port() for _ in range(AT_A_TIME)]
    servers = [WrongServer(f"http://127.0.0.1:{port}", folder / str(port)) for port in ports]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    processes = []
    try:
        for port, server in zip(ports, servers, strict=True):
            server.clock.write_text("0")
            command = [sys.executable, "-m", "tests.play.wrong_server", str(port), str(server.clock)]
            processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        for process, server in zip(processes, servers, strict=True):
            asyncio.run(_until_it_answers(server.address, process))
        yield servers
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
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
def wrong_server(wrong_servers: list[WrongServer]) -> str:
    return wrong_servers[0].address


@pytest.fixture
async def clock(wrong_servers: list[WrongServer]) -> AsyncIterator[Clock]:
    async with aiohttp.ClientSession() as http:
        yield Clock(http, wrong_servers[0])


async def make_wrong(clock: Clock, *names: str) -> None:
    await clock.tell("wrong", list(names))


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest, wrong_servers: list[WrongServer]) -> dict[str, Report]:
    """What is found with each thing wrong that the tests of this run ask about: one thing at a time, on several servers."""
    functions = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = [
        item.callspec.params["name"]
        for item in functions
        if item.originalname == "test_fault_is_found_and_none_invented" and item.module is request.module
    ]
    return asyncio.run(_all_reports(names, wrong_servers))


async def _all_reports(names: list[str], servers: list[WrongServer]) -> dict[str, Report]:
    left, done = list(reversed(names)), {}

    async def work(server: WrongServer) -> None:
        async with aiohttp.ClientSession() as http:
            clock = Clock(http, server)
            while left:
                name = left.pop()
                done[name] = await _report_of(name, server.address, clock)

    async with asyncio.TaskGroup() as tasks:
        for server in servers:
            tasks.create_task(work(server))
    return done


async def _report_of(name: str, address: str, clock: Clock) -> Report:
    await make_wrong(clock, name)
    kind = "link" if name in ABOUT_LINKS else name.partition("-")[0]
    path, mode = KINDS.get(kind, KINDS["link"])
    revoke = revoking(address) if name.startswith("revoked") else ""
    groups = {check.partition(".")[0] for check in WRONGS[name][1].split()}
    return await checked(
        f"{address}{path}",
        clock,
        mode=mode,
        # What many requests are for, and nothing else has to do with, is left out where it is not the matter.
        skip=tuple({"dialect", "xml"} - groups),
        wait=WAIT if {"refresh", "link"} & groups else 0.0,
        revoke=revoke,
    )


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
def test_fault_is_found_and_none_invented(reports: dict[str, Report], name: str) -> None:
    """With one thing wrong, the checks that are about it say so, and no other."""
    said = found(reports[name])

    assert set(WRONGS[name][1].split()) == set(said), said


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
        f"{wrong_server}{path}", clock, mode=told, wait=WAIT, revoke=revoking(wrong_server)
    )
    left = {name for name in skipped(report) if not name.startswith("tls.")}

    assert ({}, mode) == (found(report), report.mode)
    assert {"load.polls"} & left == left


async def test_right_service_bears_its_load(wrong_server: str, clock: Clock) -> None:
    """Households poll at Sonos's pace; what is measured is in the report."""
    await make_wrong(clock)
    report = await checked(
        f"{wrong_server}/smapi", clock, mode=None, only=("load",), load=4, load_seconds=15.0, slow=1000.0
    )

    assert ({}, {}) == (found(report), skipped(report))
    assert (4, 12) == (report.figures["load: households"], report.figures["load: polls"])


async def test_service_that_does_not_bear_it(wrong_server: str, clock: Clock) -> None:
    """A service that rations polls is found out by households that poll for long."""
    await make_wrong(clock, "polls-rationed")
    report = await checked(
        f"{wrong_server}/smapi", clock, mode=None, only=("load",), load=1, load_seconds=105.0
    )

    assert {"load.polls": "getDeviceAuthToken: HTTP 500 with the fault Server.ServiceUnavailable"} == found(
        report
    )


async def test_nobody_signs_in(wrong_server: str, clock: Clock) -> None:
    """Without a person there is no token to look at, and that is said, not found."""
    await make_wrong(clock)
    report = await checked(f"{wrong_server}/smapi", clock, mode=None, signs_in=False)

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
    for service in ("typed", "classic", "header", "moved"):
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
def our_clock() -> RealClock:
    return RealClock(MachineClock())


async def test_person_signs_in_by_browser(ours: tuple[System, Pair], our_clock: RealClock) -> None:
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


async def test_ours_is_clean(ours: tuple[System, Pair], our_clock: RealClock) -> None:
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
        ("moved", None, Mode.APP_LINK),
    ],
)
async def test_ours_is_clean_in_every_mode(
    ours: tuple[System, Pair], our_clock: RealClock, service: str, mode: Mode | None, told: Mode
) -> None:
    """Typed codes, DeviceLink, session ids, passwords in headers, nobody at all, and a service that was upgraded."""
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
