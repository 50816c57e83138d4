"""Reads the heads of requests that are as plain as requests come, and tells where such a request ends; of all others it says nothing.

Stands in front of aiohttp's parser, so what it reads, it reads as that one does (tests/contract/test_heads.py). It can be so short because of
all that it does not take: only HTTP/1.1, no body in chunks, no upgrade, no header twice, no folded line, nothing but printable ASCII.
Names of headers come in few orders; what an order means is found out once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 8 * 1024
"""Bytes of a head that is looked at; aiohttp takes as many for each line."""
MOST_HEADERS = 64
MOST_ORDERS = 512
"""Orders of names remembered; when there are more, all are found out again."""

_LINE = re.compile(rb"(?:GET|HEAD|POST) /[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]* HTTP/1\.1")
_VALUE = re.compile(rb":([\t -~]*)\r\n")
_NAME = re.compile(rb"[A-Za-z0-9_\-]+")
_LENGTH = re.compile(rb"[ \t]*([0-9]{1,9})[ \t]*")
# What makes aiohttp, or HTTP itself, look for the end of the request elsewhere.
_ELSEWHERE = frozenset({b"transfer-encoding", b"upgrade"})
# What asks for more than an answer on a connection that is kept.
_SPECIAL = frozenset({b"content-encoding", b"expect", b"sec-websocket-key1"})
_KEPT = frozenset({b"", b"keep-alive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the names of a request's headers mean: lower case -> which one."""

    places: dict[bytes, int]
    content_length: int | None
    connection: int | None
    is_special: bool


@dataclass(slots=True)
class Head:
    """The head of a plain request."""

    line: bytes
    """Without its end."""
    body_at: int
    """Where the body begins."""
    length: int
    """Bytes of the body."""
    order: Order
    values: Sequence[bytes]

    @property
    def end(self) -> int:
        """Return how many bytes the whole request has."""
        return self.body_at + self.length

    @property
    def asks_for_an_answer_alone(self) -> bool:
        """Tell whether the connection is to be kept, and the body is what it looks like."""
        order = self.order
        return not order.is_special and (
            order.connection is None or self.values[order.connection].strip().lower() in _KEPT
        )

    def value(self, name: bytes) -> str | None:
        """Return a header by its name in lower case."""
        place = self.order.places.get(name)
        return None if place is None else self.values[place].strip(b" \t").decode("ascii")


class Heads:
    """Reads heads, and remembers the orders of names."""

    def __init__(self) -> None:
        self._orders: dict[tuple[bytes, ...], Order] = {}

    def read(self, data: bytes) -> Head | None:
        """Return the head with which *data* begins, or None if it is not plain, or not there to its end."""
        end = data.find(b"\r\n\r\n", 0, LONGEST)
        line_end = data.find(b"\r\n", 0, end + 2)
        if end < 0 or not _LINE.fullmatch(data, 0, line_end):
            return None
        pieces = _VALUE.split(data[line_end + 2 : end + 2])
        names, values = tuple(pieces[::2]), pieces[1::2]
        order = self._orders.get(names) or self._learned(names)
        if order is None:
            return None
        length = 0
        if order.content_length is not None:
            match = _LENGTH.fullmatch(values[order.content_length])
            if match is None:
                return None
            length = int(match[1])
        return Head(data[:line_end], end + 4, length, order, values)

    def _learned(self, names: tuple[bytes, ...]) -> Order | None:
        order = _order_of(names)
        if order is not None:
            if len(self._orders) >= MOST_ORDERS:
                self._orders.clear()
            self._orders[names] = order
        return order


def _order_of(names: tuple[bytes, ...]) -> Order | None:
    # Behind the last value nothing is left; anything else would be a line that is no header.
    *names_alone, rest = names
    places = {name.lower(): place for place, name in enumerate(names_alone)}
    if rest or len(places) != len(names_alone) or len(places) > MOST_HEADERS:
        return None
    if b"host" not in places or not all(map(_NAME.fullmatch, names_alone)) or _ELSEWHERE & places.keys():
        return None
    return Order(
        places=places,
        content_length=places.get(b"content-length"),
        connection=places.get(b"connection"),
        is_special=bool(_SPECIAL & places.keys()),
    )
