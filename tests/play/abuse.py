"""Requests that no honest client sends, as bytes, and a socket that sends them."""

import asyncio
import contextlib
import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

MARK = "canary-abuse-zz"
"""Stands in every one of them; it may not stand in any log."""
PATIENCE = 30.0
PIPELINED = 5_000
HONEST = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
FORM_TYPE = "application/x-www-form-urlencoded"
FORM = f"Content-Type: {FORM_TYPE}\r\n"
_HIDDEN = f"GET /{MARK} HTTP/1.1\r\nHost: a\r\n\r\n"


_PART = "--b\r\nContent-Disposition: form-data{name}\r\n{headers}\r\n{body}\r\n--b--\r\n"
MULTIPART = "multipart/form-data; boundary=b"
NONSENSE: dict[str, tuple[dict[str, str], bytes]] = {
    "another charset": ({"Content-Type": f"{FORM_TYPE}; charset={MARK}"}, b"a=b"),
    "a charset of surrogates": ({"Content-Type": f"{FORM_TYPE}; charset=utf-7"}, b"form_token=+2AA-"),
    "bytes of no charset": ({"Content-Type": FORM_TYPE}, b"a=\xff" + MARK.encode()),
    "escapes of no charset": ({"Content-Type": FORM_TYPE}, b"form_token=%ed%a0%80&name=%ff"),
    "NUL": ({"Content-Type": FORM_TYPE}, f"name=a%00{MARK}&form_token=%00".encode()),
    "everything twice": ({"Content-Type": FORM_TYPE}, f"form_token={MARK}&form_token={MARK}".encode()),
    "two thousand fields": ({"Content-Type": FORM_TYPE}, b"&".join(b"a%d=" % n for n in range(2000))),
    "a file": (
        {"Content-Type": MULTIPART},
        _PART.format(name='; name="form_token"; filename="a"', headers="", body=MARK).encode(),
    ),
    "a part without a name": (
        {"Content-Type": MULTIPART},
        _PART.format(name="", headers="", body=MARK).encode(),
    ),
    "parts of parts": (
        {"Content-Type": MULTIPART},
        _PART.format(
            name='; name="a"', headers=f"Content-Type: multipart/mixed; boundary={MARK}\r\n", body=""
        ).encode(),
    ),
    "a part that is packed": (
        {"Content-Type": MULTIPART},
        _PART.format(name='; name="a"', headers="Content-Transfer-Encoding: base64\r\n", body=MARK).encode(),
    ),
    "no parts": ({"Content-Type": "multipart/form-data"}, MARK.encode()),
    "JSON of another kind": ({"Content-Type": "application/json"}, b"[" * 2000),
    "JSON of surrogates": ({"Content-Type": "application/json"}, b'{"subject":"\\ud800"}'),
    "JSON with NUL": (
        {"Content-Type": "application/json"},
        b'{"subject":"a\\u0000b","householdId":"\\u0000"}',
    ),
    "cookies": (
        {"Cookie": f'latchkey={MARK}; latchkey={"x" * 32}; =; latchkey-household-default="{MARK}'},
        b"",
    ),
    "languages": ({"Accept-Language": f"{MARK};q=9e999, *;q=-1, {'a-' * 400}"}, b""),
    "addresses": ({"X-Forwarded-For": f"{MARK}, ::ffff:1.2.3.4%1, 999.1.1.1, [::1]:80"}, b""),
    "credentials": ({"Authorization": f"Basic {MARK}===", "SOAPAction": MARK}, b""),
    "credentials of bytes": ({"Authorization": "Basic /////w=="}, b""),
    "a bearer of nothing": ({"Authorization": f"Bearer {MARK}..{MARK}"}, b"{}"),
}
"""What may come to any address: headers and body. None of it is a form of ours, or a request of anybody's."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer."""

    status: int
    head: bytes
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Abuse:
    """What is sent, and with what it has to be answered."""

    raw: bytes
    statuses: frozenset[int]
    """Of the only answer."""


def _request(line: str, *headers: str, body: bytes = b"") -> bytes:
    fields = "".join(f"{header}\r\n" for header in ("Host: a", f"X-Mark: {MARK}", *headers))
    return f"{line} HTTP/1.1\r\n{fields}\r\n".encode() + body


def _bomb() -> bytes:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return squeezed.compress(b"<a>" + bytes(64 << 20)) + squeezed.flush()


def cases() -> dict[str, Abuse]:
    """Return every kind of abuse by name."""
    bomb = _bomb()

    def refused(raw: bytes, *statuses: int) -> Abuse:
        return Abuse(raw=raw, statuses=frozenset(statuses))

    def as_soap(*headers: str, body: bytes) -> Abuse:
        """Sonos understands refusals as SOAP alone, which go with 500."""
        length = f"Content-Length: {len(body)}"
        return refused(_request("POST /smapi", length, *headers, body=body), 500)

    post = "POST /oauth/introspect"
    return {
        "length and chunks": refused(
            _request(
                post,
                FORM.strip(),
                "Content-Length: 4",
                "Transfer-Encoding: chunked",
                body=b"0\r\n\r\n" + _HIDDEN.encode(),
            ),
            400,
        ),
        "chunks twice": refused(
            _request(post, "Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + _HIDDEN.encode()), 400
        ),
        "chunks by another name": refused(
            _request(post, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + _HIDDEN.encode()), 400
        ),
        "chunk of no size": refused(
            _request(post, "Transfer-Encoding: chunked", body=b"zz\r\n" + _HIDDEN.encode()), 400
        ),
        "two lengths": refused(
            _request(post, "Content-Length: 4", "Content-Length: 40", body=_HIDDEN.encode()), 400
        ),
        "length below nothing": refused(_request(post, "Content-Length: -4", body=_HIDDEN.encode()), 400),
        "length with a plus": refused(_request(post, "Content-Length: +4", body=_HIDDEN.encode()), 400),
        "two hosts": refused(_request("GET /livez", "Host: b"), 400),
        "no host": refused(f"GET /livez HTTP/1.1\r\nX-Mark: {MARK}\r\n\r\n".encode(), 400),
        "bare line feeds": refused(f"GET /livez HTTP/1.1\nHost: a\nX-Mark: {MARK}\n\n".encode(), 400),
        "bare carriage return": refused(
            f"GET /livez HTTP/1.1\r\nHost: a\rX-Mark: {MARK}\r\n\r\n".encode(), 400
        ),
        "space before colon": refused(_request("GET /livez", "Content-Length : 4"), 400),
        "folded header": refused(_request("GET /livez", f"X-Folded: a\r\n {MARK}"), 400),
        "NUL in a header": refused(_request("GET /livez", "X-Nul: a\0b"), 400),
        "header of ten kilobytes": refused(_request("GET /livez", f"X-Long: {MARK}{'x' * 10_240}"), 400),
        "target of ten kilobytes": refused(_request(f"GET /{MARK}{'x' * 10_240}"), 400),
        "two hundred headers": refused(_request("GET /livez", *(f"X-{n}: {MARK}" for n in range(200))), 400),
        "no request at all": refused(f"{MARK} {MARK}\r\n\r\n".encode(), 400),
        "TLS": refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK.encode() + bytes(100), 400),
        "HTTP/2": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + MARK.encode(), 400),
        "HTTP/3.7": refused(f"GET /livez HTTP/3.7\r\nX-Mark: {MARK}\r\n\r\n".encode(), 400),
        "unknown method": refused(_request("BREW /livez"), 400, 405),
        "TRACE": refused(_request("TRACE /livez"), 405),
        "OPTIONS": refused(_request("OPTIONS /livez"), 405),
        "OPTIONS of all": refused(_request("OPTIONS *"), 400, 404),
        "CONNECT": refused(_request("CONNECT a:443"), 400, 404, 405),
        "target of another host": refused(_request(f"GET http://{MARK}.example/nowhere"), 404),
        "target with dots": refused(_request("GET /static/../../etc/passwd"), 404),
        "websocket": refused(
            _request(
                "GET /smapi/nobody",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ),
            404,
        ),
        "expectation": refused(_request(post, "Expect: miracles", "Content-Length: 4", body=b"a=bc"), 417),
        "oversized body": as_soap(body=MARK.encode() + b"x" * (1 << 20)),
        "oversized form": refused(
            _request(
                post, FORM.strip(), f"Content-Length: {1 << 20}", body=MARK.encode().ljust(1 << 20, b"x")
            ),
            413,
        ),
        "bomb": as_soap("Content-Encoding: gzip", body=bomb),
        "bomb in a form": refused(
            _request(post, FORM.strip(), "Content-Encoding: gzip", f"Content-Length: {len(bomb)}", body=bomb),
            400,
            413,
        ),
        "unknown packing": as_soap("Content-Encoding: zz", body=MARK.encode()),
        "packed in nothing": as_soap("Content-Encoding: gzip", body=MARK.encode()),
    }


class RawClient:
    """One connection, for whatever bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Send bytes; that the other side has had enough of them is seen by what it answers."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def reply(self) -> Reply | None:
        """Return the next answer, or None if the connection is closed before one."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = await self.reader.readexactly(int(length.group(1))) if length else b""
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return Reply(status=int(head.split(b" ", 2)[1]), head=head, body=body)

    async def replies(self) -> list[Reply]:
        """Return all answers until the other side closes."""
        found = []
        while (reply := await self.reply()) is not None:
            found.append(reply)
        return found


@contextlib.asynccontextmanager
async def connected(gateway: str, *, patience: float = PATIENCE) -> AsyncIterator[RawClient]:
    """Open a connection to a gateway, `http://HOST:PORT`."""
    parts = urlsplit(gateway)
    assert parts.hostname
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield RawClient(reader, writer)
        finally:
            writer.transport.abort()


async def commit(gateway: str, abuse: Abuse) -> tuple[Reply | None, list[Reply]]:
    """Send it, and an honest request behind its answer; return the answer, and what came after it until the end.

    Whoever takes part of the bytes for a request of its own gives itself away by one answer too many.
    """
    async with connected(gateway) as client:
        await client.send(abuse.raw)
        first = await client.reply()
        await client.send(HONEST)
        return first, await client.replies()
