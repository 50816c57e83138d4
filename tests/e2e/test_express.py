"""The short ways through the gateway and the plain one: the same request gets the same answer, to the last header."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.play.operator import System
from tests.play.person import Person
from tests.play.sonos import Sonos, pair_of

POLL = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<getDeviceAuthToken xmlns="http://www.sonos.com/Services/1.1"><householdId>h</householdId>'
    b"<linkCode>%s</linkCode><linkDeviceId>%s</linkDeviceId></getDeviceAuthToken></s:Body></s:Envelope>"
)
LENGTH = b"Content-Length: %d\r\n"

Answer = tuple[bytes, frozenset[bytes], bytes]
"""Status line, header lines without the date, body."""


async def _exchange(system: System, *pieces: bytes) -> Answer:
    """Send a request in pieces, each a packet of its own, and read the answer as it stands."""
    address = urlsplit(system.endpoint)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(pieces[0])
    for piece in pieces[1:]:
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(piece)
    answer = await reader.readuntil(b"\r\n\r\n")
    status, *lines = answer.removesuffix(b"\r\n\r\n").split(b"\r\n")
    headers = {line.partition(b":")[0].lower(): line for line in lines}
    body = await reader.readexactly(int(headers[b"content-length"].partition(b":")[2]))
    writer.close()
    return status, frozenset(line for name, line in headers.items() if name != b"date"), body


def _head(method: bytes, path: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((b"%s %s HTTP/1.1" % (method, path), b"Host: 127.0.0.1", *headers, b""))


async def _every_way(system: System, head: bytes, body: bytes) -> tuple[Answer, Answer, Answer]:
    """The answer to a request that comes at once, to one whose head comes in two pieces, and to one whose body does.

    The first goes past aiohttp, the second past its routes and middleware, the third the plain way.
    """
    head += LENGTH % len(body) + b"\r\n"
    return (
        await _exchange(system, head + body),
        await _exchange(system, head[:30], head[30:] + body),
        await _exchange(system, head + body[:10], body[10:]),
    )


@pytest.fixture
async def linked(embedded: System, sonos: Sonos, person: Person) -> tuple[bytes, bytes, bytes]:
    """A linked link's code, its hidden half, and the token."""
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    pair = pair_of(await sonos.poll(link))
    return link.code.encode(), link.device_id.encode(), pair.token.encode()


async def test_calls(embedded: System, sonos: Sonos, linked: tuple[bytes, bytes, bytes]) -> None:
    """A result, a fault of each kind that a poll has, and what is no call at all."""
    code, hidden, _ = linked
    waiting = await sonos.get_app_link()
    bodies = {
        "linked": POLL % (code, hidden),
        "pending": POLL % (waiting.code.encode(), waiting.device_id.encode()),
        "forged": POLL % (b"k" * 32, hidden),
        "not XML": b"nothing of the kind",
        "empty": b" " * 20,
    }
    seen = {}
    for name, body in bodies.items():
        nonstop, express, plain = await _every_way(embedded, _head(b"POST", b"/smapi"), body)
        assert plain == express == nonstop, name
        seen[name] = nonstop[0]

    assert {
        "linked": b"HTTP/1.1 200 OK",
        **dict.fromkeys(("pending", "forged", "not XML", "empty"), b"HTTP/1.1 500 Internal Server Error"),
    } == seen


@pytest.mark.parametrize(
    "headers",
    [
        (b'SOAPAction: "a#getAppLink"', b'SOAPAction: "a#getDeviceAuthToken"'),
        (b"Authorization: Bearer a", b"Authorization: Bearer b"),
        (b"Authorization: Bearer ?",),
        (b'SOAPAction: "a#getAppLink"',),
        (b"Accept-Language: de", b"Accept-Language: en"),
    ],
)
async def test_headers(running: System, headers: tuple[bytes, ...]) -> None:
    """Headers that come twice, or contradict the body."""
    head = _head(b"POST", b"/smapi", *headers)
    nonstop, express, plain = await _every_way(running, head, POLL % (b"k" * 32, b"x"))

    assert plain == express == nonstop


async def test_verify(embedded: System, linked: tuple[bytes, bytes, bytes]) -> None:
    """Forward-auth: a token that holds, one that does not, none, and two."""
    _, _, token = linked
    statuses = []
    for headers in (
        (b"Authorization: Bearer %s" % token,),
        (b"Authorization: Bearer x",),
        (),
        (b"Authorization: Bearer x",) * 2,
    ):
        head = _head(b"GET", b"/verify", *headers)
        nonstop = await _exchange(embedded, head + b"\r\n")
        express = await _exchange(embedded, head, b"\r\n")
        # What stands behind the path makes it go the plain way.
        plain = await _exchange(embedded, _head(b"GET", b"/verify?", *headers) + b"\r\n")
        assert plain == express == nonstop
        statuses.append(nonstop[0].split()[1])

    assert [b"200", b"401", b"401", b"401"] == statuses


async def test_connection_is_kept_and_closed_as_asked(running: System) -> None:
    """Many calls on one connection, and the last one ends it."""
    address = urlsplit(running.endpoint)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    body = POLL % (b"k" * 32, b"x")
    request = _head(b"POST", b"/smapi") + LENGTH % len(body) + b"\r\n" + body
    # Two at once: the second is read while the first is answered.
    writer.write(request * 2 + request.replace(b"Host:", b"Connection: close\r\nHost:"))
    answers = await reader.read()
    writer.close()

    assert 3 == answers.count(b"HTTP/1.1 500")
    assert 3 == answers.count(b"NOT_LINKED_FAILURE")
    assert 1 == answers.count(b"Connection: close")
