"""The short way of reading heads and aiohttp's parser: what the short one takes, both read the same, to the last byte of the body."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.heads import LONGEST, MOST_HEADERS, MOST_ORDERS, Heads

CALL = b"POST /smapi HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"

READ = ("soapaction", "authorization", "accept-language", "x-forwarded-for")


def by_aiohttp(data: bytes) -> tuple[str, str, dict[str, list[str]], bytes, bool]:
    """Read one whole request: method, target, headers, body, and whether its connection is kept."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False)
        ((message, payload),), upgraded, tail = parser.feed_data(data)
        assert (False, b"", True) == (upgraded, tail, payload.is_eof())
        headers = {name: message.headers.getall(name, []) for name in READ}
        body = b"".join(getattr(payload, "_buffer", ()))
        return message.method, message.path, headers, body, not message.should_close
    finally:
        loop.close()


def assert_same(data: bytes) -> bool:
    """Both ways agree on a request, or the short one says nothing; tell whether it said something."""
    heads = Heads()
    head = heads.read(data)
    again = heads.read(data)
    assert (head is None) == (again is None)
    if head is None:
        return False
    whole = data[: head.end].ljust(head.end, b"x")
    method, target, headers, body, is_kept = by_aiohttp(whole)
    assert f"{method} {target} HTTP/1.1".encode() == head.line
    assert body == whole[head.body_at :]
    assert headers == {name: [] if (value := head.value(name.encode())) is None else [value] for name in READ}
    assert is_kept or not head.asks_for_an_answer_alone
    return True


NAMES = st.sampled_from(
    [
        b"Host",
        b"host",
        b"Content-Length",
        b"Connection",
        b"SOAPAction",
        b"Authorization",
        b"Accept-Language",
        b"X-Forwarded-For",
        b"Transfer-Encoding",
        b"Upgrade",
        b"Expect",
        b"Content-Encoding",
        b"Content_Length",
        b"Content-Length ",
        b" Content-Length",
        b"X\x00",
        b"",
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            b"0",
            b"4",
            b" 4 ",
            b"+4",
            b"4, 4",
            b"0x4",
            b"close",
            b"keep-alive",
            b"Keep-Alive",
            b"chunked",
            b"h2c",
        ]
    ),
    st.binary(max_size=12),
)
LINES = st.sampled_from(
    [
        b"POST /smapi HTTP/1.1",
        b"GET /verify HTTP/1.1",
        b"GET /verify?a=b HTTP/1.1",
        b"HEAD / HTTP/1.1",
        b"post /smapi HTTP/1.1",
        b"PUT /smapi HTTP/1.1",
        b"POST  /smapi HTTP/1.1",
        b"POST /smapi HTTP/1.0",
        b"POST /sm api HTTP/1.1",
        b"POST /smapi\x7f HTTP/1.1",
        b"\r\nPOST /smapi HTTP/1.1",
        b"PRI * HTTP/2.0",
    ]
)


@given(
    line=LINES,
    headers=st.lists(st.tuples(NAMES, st.sampled_from([b":", b": ", b":\t"]), VALUES), max_size=5),
    end=st.sampled_from([b"\r\n", b"\n", b"\r"]),
    body=st.binary(max_size=8),
)
@example(
    line=b"POST /smapi HTTP/1.1",
    headers=[(b"Host", b":", b"a"), (b"SOAPAction", b": ", b"\tx ")],
    end=b"\r\n",
    body=b"",
)
def test_whatever_comes(
    line: bytes, headers: list[tuple[bytes, bytes, bytes]], end: bytes, body: bytes
) -> None:
    """Headers that say a length, a way, or nothing of the kind, in any order and spelling."""
    lines = (line, b"Host: a", *(b"".join(each) for each in headers))
    assert_same(end.join((*lines, b"", body)))
    assert_same(b"\r\n".join((*lines, b"", body)))


@given(at=st.integers(0, len(CALL) - 1), byte=st.integers(0, 255))
def test_a_damaged_byte(at: int, byte: int) -> None:
    """One byte of an honest request is another."""
    assert_same(CALL[:at] + bytes((byte,)) + CALL[at + 1 :])


@pytest.mark.parametrize(
    ("headers", "is_read"),
    [
        (b"", True),
        (b"Connection: keep-alive\r\n", True),
        (b"Connection: close\r\n", True),
        (b"Expect: 100-continue\r\n", True),
        (b"Content-Length: 0\r\n", False),
        (b"Transfer-Encoding: chunked\r\n", False),
        (b"Upgrade: h2c\r\n", False),
        (b"HOST: b\r\n", False),
        (b"X: caf\xe9\r\n", False),
        (b"X: a\r\n b\r\n", False),
        (b"X : a\r\n", False),
        (b"X: a\nContent-Length: 0\r\n", False),
        (b"X: " + b"x" * LONGEST + b"\r\n", False),
        (b"".join(b"X%d: x\r\n" % number for number in range(MOST_HEADERS)), False),
    ],
)
def test_what_is_read(headers: bytes, *, is_read: bool) -> None:
    """A plain request, with or without what asks for a little more; nothing that has two ends, or is unusual."""
    request = CALL.replace(b"Host", headers + b"Host")

    assert is_read == assert_same(request)


@pytest.mark.parametrize(
    ("header", "alone"),
    [
        (b"X: a", True),
        (b"Connection: Keep-Alive", True),
        (b"Connection: close", False),
        (b"Connection: keep-alive, te", False),
        (b"Expect: 100-continue", False),
        (b"Content-Encoding: gzip", False),
    ],
)
def test_what_asks_for_more_than_an_answer(header: bytes, *, alone: bool) -> None:
    """To be told to go on, to be closed, to be unpacked."""
    head = Heads().read(CALL.replace(b"Host", header + b"\r\nHost"))

    assert head is not None
    assert alone == head.asks_for_an_answer_alone


@pytest.mark.parametrize("cut", range(len(CALL)))
def test_a_request_that_has_not_come_to_its_end(cut: int) -> None:
    """Nothing is said before the head is there, and then how much is missing."""
    head = Heads().read(CALL[:cut])

    assert (None if cut < len(CALL) - 4 else len(CALL)) == (head and head.end)


def test_memory_is_bounded() -> None:
    """Names that are never the same push each other out."""
    heads = Heads()
    for number in range(2 * MOST_ORDERS + 1):
        assert heads.read(CALL.replace(b"Host", b"X%d: x\r\nHost" % number)) is not None

    assert MOST_ORDERS >= len(heads._orders)
