"""Requests, generated from what SMAPI asks for and then damaged: in their bytes, their structure, their values.

Everything comes from one seeded source of randomness, so that a seed and a number name a request for ever.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from gateway.smapi.methods import METHODS, NAMESPACE

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MARK = "canaryzz"
"""Part of every value; it may not stand in any log."""

ARGUMENTS = {
    "getAppLink": ("householdId", "hardware", "osVersion", "sonosAppName", "callbackPath"),
    "getDeviceLinkCode": ("householdId",),
    "getDeviceAuthToken": ("householdId", "linkCode", "linkDeviceId"),
    "refreshAuthToken": (),
    "getSessionId": ("username", "password"),
    "getUserInfo": (),
    "reportAccountAction": ("type",),
    "getMetadata": ("id", "index", "count", "recursive"),
    "getLastUpdate": (),
}
_CREDENTIALS: tuple[Callable[["_Source"], str], ...] = (
    lambda _: "",
    lambda source: f"<loginToken><token>{source.value()}</token><key>{source.value()}</key></loginToken>",
    lambda source: f"<loginToken><householdId>{source.value()}</householdId></loginToken>",
    lambda source: f"<sessionId>{source.value()}</sessionId>",
    lambda source: (
        f"<login><username>{source.value()}</username><password>{source.value()}</password></login>"
    ),
)
_NASTY = (
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"&#0;",
    b"&#x110000;",
    b"&b;",
    b"<?xml version='1.1'?>",
    b"<?php ?>",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"<a>" * 300,
    b" a='1'" * 600,
    b"x" * 5000,
    b"xmlns:s='urn:other'",
    b"<s:Body/>",
    b"</s:Body>",
    b"%s%n",
    b"' OR 1=1 --",
    b"\r\nX: y\r\n",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request."""

    body: bytes
    soap_action: str | None
    authorization: str | None


class _Source:
    """Random values in the shape of what is asked for, or not."""

    def __init__(self, rng: random.Random, genuine: Sequence[str]) -> None:
        self.rng = rng
        self._genuine = genuine

    def value(self) -> str:
        rng = self.rng
        kind = rng.randrange(8)
        if kind == 0:
            return ""
        if kind == 1 and self._genuine:
            return escape(rng.choice(self._genuine))
        if kind == 2:
            return MARK + "".join(
                chr(rng.choice((0x61, 0xE9, 0x4E2D, 0x1F600, 0x200B))) for _ in range(rng.randrange(40))
            )
        if kind == 3:
            return MARK + "9" * rng.choice((1, 20, 127, 128, 255, 256, 1025, 5000))
        if kind == 4:
            return "Sonos_" + MARK + "".join(rng.choices("abcXYZ019", k=20))
        return MARK + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789.-_", k=rng.randrange(60)))


def shots(seed: int, *, genuine: Sequence[str] = ()) -> Iterator[Shot]:
    """Make requests without end.

    Args:
        genuine: link codes, tokens and the like that this gateway has issued, to be put where they belong and elsewhere.
    """
    rng = random.Random(seed)
    source = _Source(rng, genuine)
    corpus: list[bytes] = []
    while True:
        method = rng.choice(tuple(ARGUMENTS)) if rng.random() < 0.85 else rng.choice(METHODS)
        body = _request(source, method)
        if len(corpus) < 200:
            corpus.append(body)
        for _ in range(rng.choice((0, 0, 0, 1, 1, 3))):
            body = _damaged(rng, body, corpus)
        yield Shot(body=body, soap_action=_action(rng, method), authorization=_authorization(source))


def _request(source: _Source, method: str) -> bytes:
    rng = source.rng
    names = ARGUMENTS.get(method, ("id",))
    arguments = "".join(f"<{name}>{source.value()}</{name}>" for name in names if rng.random() < 0.9)
    credentials = rng.choice(_CREDENTIALS)(source)
    header = f'<s:Header><credentials xmlns="{NAMESPACE}"><deviceId>{source.value()}</deviceId>{credentials}</credentials></s:Header>'
    declaration = '<?xml version="1.0" encoding="utf-8"?>' if rng.random() < 0.5 else ""
    return (
        f'{declaration}<s:Envelope xmlns:s="{SOAP}">{header if rng.random() < 0.8 else ""}'
        f'<s:Body><{method} xmlns="{NAMESPACE}">{arguments}</{method}></s:Body></s:Envelope>'
    ).encode()


def _damaged(rng: random.Random, body: bytes, corpus: Sequence[bytes]) -> bytes:
    if not body:
        return rng.choice(_NASTY)
    return rng.choice(_DAMAGE)(rng, body, rng.randrange(len(body)), corpus)


def _repeated(rng: random.Random, body: bytes, place: int) -> bytes:
    end = min(len(body), place + rng.randrange(1, 200))
    return body[:end] + body[place:end] * rng.randrange(1, 30) + body[end:]


def _grafted(rng: random.Random, body: bytes, place: int, corpus: Sequence[bytes]) -> bytes:
    other = rng.choice(corpus)
    return body[:place] + other[rng.randrange(len(other)) :]


def _at_a_tag(rng: random.Random, body: bytes, change: Callable[[bytes], bytes]) -> bytes:
    starts = [index for index, byte in enumerate(body) if byte == 0x3C]
    if not starts:
        return body
    start = rng.choice(starts)
    end = body.find(b">", start) + 1 or len(body)
    return body[:start] + change(body[start:end]) + body[end:]


_DAMAGE: tuple[Callable[[random.Random, bytes, int, Sequence[bytes]], bytes], ...] = (
    lambda rng, body, place, _: body[:place] + bytes([rng.randrange(256)]) + body[place + 1 :],
    lambda _rng, body, place, _: body[:place],
    lambda rng, body, place, _: body[:place] + rng.choice(_NASTY) + body[place:],
    lambda rng, body, place, _: body[:place] + body[place + rng.randrange(1, 30) :],
    _grafted,
    lambda rng, body, place, _: _repeated(rng, body, place),
    lambda rng, body, _place, _: _at_a_tag(rng, body, lambda tag: tag + tag),
    lambda rng, body, _place, _: _at_a_tag(rng, body, bytes.upper),
    lambda rng, body, _place, _: _at_a_tag(rng, body, lambda _tag: rng.choice(_NASTY)),
)
"""The ways to damage a request: randomness, bytes, a place in them, other requests -> bytes."""


def _action(rng: random.Random, method: str) -> str | None:
    kind = rng.randrange(12)
    if kind == 0:
        return None
    if kind == 1:
        return f'"{NAMESPACE}#{rng.choice(METHODS)}"'
    if kind == 2:
        return MARK * rng.randrange(1, 50)
    return f'"{NAMESPACE}#{method}"'


def _authorization(source: _Source) -> str | None:
    return f"Bearer {source.value()}" if source.rng.random() < 0.15 else None
