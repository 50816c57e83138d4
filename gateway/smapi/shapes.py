"""Reads envelopes without a parser whose tags were all seen before: the short way beside `envelope.parse_call`.

Sonos sends one kind of call always in the same shape: the same tags in the same order, byte for byte, around other texts. What a shape
means is found out once, by the parser, from an envelope of this shape with marks in place of its texts. A later envelope of the shape
is taken apart at its angle brackets, and the texts stand where the marks stood. That is the same reading, because

- a shape has no comment, no CDATA, no processing instruction and no document type;
- a text has nothing that XML spells or changes: ASCII without `& < > " '`, and no carriage return. Since `<` may not stand in an
  attribute's value, a `>` in one is followed by its closing quote before any `<`, and is so found out;
- whatever is unusual, from a value that is too long to a second declaration, goes to the parser.

tests/contract/test_shapes.py holds the two against each other.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass

from gateway.smapi import envelope
from gateway.smapi.credentials import judged
from gateway.smapi.document import MAX_EQUALS
from gateway.smapi.envelope import Call, Slots
from gateway.smapi.faults import Fault
from gateway.smapi.methods import NAMESPACE, agreed_method

LONGEST = 8 * 1024
"""Bytes of an envelope whose shape is worth remembering."""
MOST = 64
"""Shapes remembered; the one that was not used for longest makes room."""
EVERY = 64
"""Of so many envelopes of unknown shape one is learned, so that nobody makes us learn by sending ever new ones."""

_TEXT = re.compile(rb">([^<]*)<")
_SPACE = b" \t\n"
# Printable ASCII, tabulator and line feed, without & < > and the quotes.
_PLAIN = re.compile(rb"[\t\n !#$%(-;=?-~]*")


@dataclass(frozen=True, slots=True)
class _Shape:
    method: str
    element: str
    usual_action: str
    outside: int
    """Texts that stand in front of the root element, where only white space may."""
    slots: Slots


class Shapes:
    """The shapes that are known."""

    def __init__(self, *, every: int = EVERY) -> None:
        self._every = every
        self._known: OrderedDict[tuple[bytes, ...], _Shape] = OrderedDict()
        self._unknown = 0

    def parse_call(self, body: bytes, soap_action: str | None, authorization: str | None) -> Call:
        """Read a request; exactly as `envelope.parse_call`, which says what it raises."""
        if len(body) > LONGEST or body.count(b"=") > MAX_EQUALS:
            return envelope.parse_call(body, soap_action, authorization)
        parts = _TEXT.split(body)
        tags, texts = tuple(parts[::2]), parts[1::2]
        shape = self._known.get(tags)
        if shape is None:
            call = envelope.parse_call(body, soap_action, authorization)
            self._maybe_learn(tags)
            return call
        self._known.move_to_end(tags)
        found = _fill(shape, texts)
        if found is None:
            return envelope.parse_call(body, soap_action, authorization)
        arguments, credentials = found
        method = (
            shape.method if soap_action == shape.usual_action else agreed_method(shape.element, soap_action)
        )
        return Call(method=method, arguments=arguments, credentials=judged(credentials, authorization))

    def _maybe_learn(self, tags: tuple[bytes, ...]) -> None:
        self._unknown += 1
        if (self._unknown - 1) % self._every:
            return
        shape = _learned(tags)
        if shape is not None:
            self._known[tags] = shape
            if len(self._known) > MOST:
                self._known.popitem(last=False)


def _fill(shape: _Shape, texts: list[bytes]) -> tuple[dict[str, str], dict[str, str | None]] | None:
    """Return arguments and credentials, or None if the parser has to be asked."""
    if not _PLAIN.fullmatch(b"".join(texts)) or (shape.outside and texts[0].strip(_SPACE)):
        return None
    arguments: dict[str, str] = {}
    credentials: dict[str, str | None] = {}
    for name, slot, limit, strip, is_argument in shape.slots:
        text = texts[slot].decode("ascii")
        if strip:
            text = text.strip(" \t\n")
        if len(text) > limit:
            return None
        if not is_argument:
            credentials[name] = text or None
        elif text:
            arguments[name] = text
    return arguments, credentials


def _learned(tags: tuple[bytes, ...]) -> _Shape | None:
    """Return what a shape means, or None if it is none that can be read this way."""
    # The declaration ends with `?`, and begins with it: nothing else of that kind, and no `<!` at all.
    declared = tags[0].rstrip(b"?").count(b"?") == 1 and tags[0].endswith(b"?")
    if any(b"!" in tag or b"?" in tag for tag in tags[1:]) or b"!" in tags[0]:
        return None
    if not declared and b"?" in tags[0]:
        return None
    marks = [b"m%d" % number for number in range(len(tags) - 1)]
    if declared and marks:
        marks[0] = b""
    marked = b"".join(
        piece for tag, mark in zip(tags, marks, strict=False) for piece in (tag, b">", mark, b"<")
    )
    try:
        element, method, slots = envelope.slots_of(marked + tags[-1])
    except Fault:
        return None
    return _Shape(
        method=method,
        element=element,
        usual_action=f'"{NAMESPACE}#{method}"',
        outside=int(declared),
        slots=slots,
    )
