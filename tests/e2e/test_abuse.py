"""Requests that no honest client sends: refused, not taken for others, told to no log; honest ones are answered meanwhile."""

import asyncio
import re
import select
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.__main__ import BACKLOG
from tests.e2e.conftest import started
from tests.play.abuse import FORM, HONEST, MARK, PIPELINED, Abuse, Reply, cases, commit, connected
from tests.play.operator import System
from tests.play.sonos import Sonos

CASES = cases()
IDLE = 500
MOST_LOGGED = 600
"""Bytes that one request may add to the log: two lines."""
MOST_MEMORY = 16 << 20
"""Bytes that the process may grow by, whatever a body unpacks to; the bomb has 64 MiB."""


@pytest.fixture
def said(running: System) -> Iterator[list[str]]:
    """What the test makes the process log; whatever the test does, nothing of it may stand there, and no traceback."""
    (process,) = running.processes
    before, new = len(process.log.read_bytes()), [""]
    yield new
    new[0] = process.log.read_bytes()[before:].decode()
    assert MARK not in new[0]
    assert "Traceback" not in new[0]
    # Who asks for debug lines gets one for each probe; nobody else does.
    assert sum(len(line) for line in new[0].splitlines() if "[debug " not in line) <= MOST_LOGGED


def peak_memory(system: System) -> int:
    """Return the most bytes that the process ever had in memory."""
    status = Path(f"/proc/{system.processes[0].popen.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) << 10


def alive(replies: list[Reply]) -> list[tuple[int, bytes]]:
    """Return what `/livez` would have said, for as many answers."""
    return [(200, b'{"status": "alive"}')] * len(replies)


@pytest.mark.parametrize("abuse", CASES.values(), ids=CASES)
async def test_abuse_is_refused(running: System, said: list[str], abuse: Abuse) -> None:
    """One answer that refuses it; then the connection is closed, or the next request is answered, and no other."""
    before = peak_memory(running)
    first, rest = await commit(running.gateways[0], abuse)

    assert first is not None
    assert first.status in abuse.statuses
    assert first.status < 500 or b"<faultcode>Client." in first.body
    assert len(rest) <= 1
    assert alive(rest) == [(reply.status, reply.body) for reply in rest]
    assert peak_memory(running) - before < MOST_MEMORY


@pytest.mark.parametrize("name", [name for name in CASES if "length" in name or "chunk" in name])
async def test_nobody_speaks_behind_a_request_of_unclear_length(
    running: System, said: list[str], name: str
) -> None:
    """Where it ends is not known, so that nothing after it is read."""
    _, rest = await commit(running.gateways[0], CASES[name])

    assert [] == rest


async def test_thousands_of_requests_at_once(running: System, said: list[str], sonos: Sonos) -> None:
    """Each is answered in its turn, and those who wait on other connections are not forgotten."""
    request = f"GET /livez HTTP/1.1\r\nHost: a\r\nX-Mark: {MARK}\r\n\r\n".encode()
    async with connected(running.gateways[0]) as client:
        sending = asyncio.create_task(client.send(request * (PIPELINED - 1) + HONEST))
        replies, told = await asyncio.gather(client.replies(), sonos.call("getMetadata", {"id": "root"}))
        await sending

    # Counted, since pytest would explain for minutes how two lists of thousands differ.
    assert {alive(replies)[0]: PIPELINED} == Counter((reply.status, reply.body) for reply in replies)
    assert "Client.LoginUnauthorized" == told.fault


@pytest.mark.parametrize("line", ["GET /livez HTTP/1.0", "GET http://other.example/livez HTTP/1.1"])
async def test_old_ways_to_ask_are_answered(running: System, said: list[str], line: str) -> None:
    """What RFC 9112 has a server take: 1.0, which closes afterwards, and a target with a host in it."""
    async with connected(running.gateways[0]) as client:
        await client.send(f"{line}\r\nHost: a\r\nConnection: close\r\nX-Mark: {MARK}\r\n\r\n".encode())
        replies = await client.replies()

    assert 1 == len(replies)
    assert alive(replies) == [(reply.status, reply.body) for reply in replies]


async def test_slow_ones_are_let_go(running: System, said: list[str]) -> None:
    """A head and bodies that never end: the one is closed without a word, the others with one."""

    async def begun(text: str) -> list[Reply]:
        async with connected(running.gateways[0]) as client:
            await client.send(text.encode())
            return await client.replies()

    post = f"POST /smapi HTTP/1.1\r\nHost: a\r\nX-Mark: {MARK}\r\n"
    head, body, *forms = await asyncio.gather(
        begun(post),
        begun(f"{post}Content-Length: 900\r\n\r\n<a>"),
        *(
            begun(f"{post}{FORM}Content-Length: 900\r\n\r\na=".replace("/smapi", path))
            for path in ("/household/default/sign-in", "/oauth/revoke")
        ),
    )

    assert [] == head
    assert [500] == [reply.status for reply in body]
    assert b"<faultcode>Client." in body[0].body
    assert [[408]] * 2 == [[reply.status for reply in replies] for replies in forms]


async def test_idle_connections_keep_nobody_out(running: System, said: list[str], sonos: Sonos) -> None:
    """Hundreds that say nothing, and hundreds that have only begun to."""
    async with AsyncExitStack() as stack:
        for number in range(IDLE):
            client = await stack.enter_async_context(connected(running.gateways[0]))
            if number % 2:
                await client.send(f"GET /{MARK}".encode())
        faults = {(await sonos.call("getMetadata", {"id": "root"})).fault for _ in range(2)}

    assert {"Client.LoginUnauthorized"} == faults


async def test_too_many_connections_are_refused(sqlite_url: str, tmp_path: Path) -> None:
    """As the setting says; who is in stays in."""
    request = HONEST.replace(b"Connection: close\r\n", b"")
    async with (
        started(tmp_path, sqlite_url, LATCHKEY_MOST_CONNECTIONS="3") as system,
        AsyncExitStack() as stack,
    ):
        statuses: list[int] = []
        while len(statuses) < 3:  # the connections by which the fixture looked whether it is ready go first
            there = await stack.enter_async_context(connected(system.gateways[0]))
            await there.send(request)
            reply = await there.reply()
            statuses += [reply.status] if reply else []
        async with connected(system.gateways[0]) as one_too_many:
            await one_too_many.send(HONEST)
            refused = await one_too_many.replies()
        await there.send(request)
        last = await there.reply()

    assert ([200] * 3, [], 200) == (statuses, refused, last.status if last else None)


async def test_connections_wait_until_the_process_comes_to_them(running: System) -> None:
    """As many as we ask the system to keep, and one; then honest people are answered."""
    (process,) = running.processes
    gateway = urlsplit(running.gateways[0])
    with ExitStack() as stack:
        process.popen.send_signal(signal.SIGSTOP)
        try:
            taken = 0
            for _ in range(BACKLOG + 10):
                knocking = stack.enter_context(socket.socket())
                knocking.setblocking(False)
                knocking.connect_ex((str(gateway.hostname), int(str(gateway.port))))
                polled = select.poll()
                polled.register(knocking, select.POLLOUT)
                taken += bool(polled.poll(0))
        finally:
            process.popen.send_signal(signal.SIGCONT)
    async with connected(running.gateways[0]) as client:
        await client.send(HONEST)
        answered = await client.replies()

    assert BACKLOG + 1 == taken
    assert alive(answered) == [(reply.status, reply.body) for reply in answered] != []
