"""What nobody honest sends: entity bombs, deep and large documents, rubbish. Bounded, and each sent once."""

from deploy.check import sources
from deploy.check.checks import check
from deploy.check.client import Answer, Message, Unanswered, headers_for
from deploy.check.document import ENVELOPE, SMAPI
from deploy.check.probe import Probe
from deploy.check.report import EVERY, Mode, Severity

_DEEP, _LARGE, _MANY = 5_000, 512 * 1024, 20_000
_METHODS = {
    Mode.APP_LINK: "getAppLink",
    Mode.DEVICE_LINK: "getDeviceLinkCode",
    Mode.SESSION_ID: "getSessionId",
    Mode.STATELESS: "getMetadata",
    Mode.ANONYMOUS: "getMetadata",
}
_BOMB = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdef", "bcdefg", strict=True)
)


async def _send(probe: Probe, inside: str, *, before: str = "") -> Answer:
    method = _METHODS[probe.mode]
    argument = "householdId" if "Link" in method else "username" if method == "getSessionId" else "id"
    text = (
        f'{before}<s:Envelope xmlns:s="{ENVELOPE}"><s:Body><{method} xmlns="{SMAPI}">'
        f"<{argument}>{inside}</{argument}></{method}></s:Body></s:Envelope>"
    )
    return await _raw(probe, method, text.encode())


async def _raw(probe: Probe, method: str, body: bytes) -> Answer:
    return await probe.client.send(
        Message(method=method, body=body, headers=headers_for(method)), remember=False
    )


def _unless_refused(answer: Answer, what: str) -> str | None:
    if answer.is_result:
        return f"{what} was taken: {answer.shown}"
    return None if answer.fault is not None else f"{what} was answered {answer.shown}"


_PARSER = "Refuse every request with a document type before it is parsed: SOAP forbids one."


@check(
    "xml.document-type",
    sonos="Sonos never sends one. Whoever else does may read files of your server or exhaust it.",
    way_out=_PARSER,
    source=sources.SOAP_11,
    modes=EVERY,
)
async def document_type(probe: Probe) -> str | None:
    """A request with a document type is refused."""
    declared = '<!DOCTYPE s:Envelope [<!ENTITY e "Sonos_entity">]>'
    return _unless_refused(await _send(probe, "&e;", before=declared), "an entity of the request's own")


@check(
    "xml.external-entity",
    sonos="Sonos never sends one. Whoever else does makes your server read a file, or ask an address, of his choice.",
    way_out=_PARSER,
    source=sources.SOAP_11,
    modes=EVERY,
)
async def external_entity(probe: Probe) -> str | None:
    """A request that names an outside entity is refused."""
    declared = '<!DOCTYPE s:Envelope [<!ENTITY e SYSTEM "file:///nowhere-latchkey-check">]>'
    return _unless_refused(await _send(probe, "&e;", before=declared), "an entity from outside")


@check(
    "xml.entity-bomb",
    sonos="A kilobyte that grows to gigabytes in a careless parser stops the service for every household.",
    way_out=_PARSER,
    source=sources.SOAP_11,
    modes=EVERY,
)
async def entity_bomb(probe: Probe) -> str | None:
    """Entities that multiply are refused, and soon."""
    declared = f'<!DOCTYPE s:Envelope [<!ENTITY a "x">{_BOMB}]>'
    try:
        answer = await _send(probe, "&g;", before=declared)
    except Unanswered as error:
        return f"a bomb of a million letters: {error}"
    if answer.seconds >= probe.options.slow:
        return f"a bomb of a million letters kept the service busy for {answer.seconds:.1f} s"
    return _unless_refused(answer, "a bomb of a million letters")


@check(
    "xml.deep",
    sonos="Whoever sends a deep document to a parser that recurses ends the process.",
    way_out="Bound the number of tags of a request, or take a parser with a bound on depth.",
    source=sources.KEY_REQUIREMENTS,
    modes=EVERY,
)
async def deep(probe: Probe) -> str | None:
    """A document that is thousands of elements deep is answered, not suffered."""
    inside = "<a>" * _DEEP + "</a>" * _DEEP
    return _unless_refused(await _send(probe, inside), f"a document {_DEEP} elements deep")


@check(
    "xml.attributes",
    sonos="Many attributes cost some parsers the square of their number.",
    way_out="Bound the size of a request; those of Sonos are below 4 KiB.",
    source=sources.KEY_REQUIREMENTS,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def attributes(probe: Probe) -> str | None:
    """Thousands of attributes are answered, and soon."""
    method = _METHODS[probe.mode]
    many = " ".join(f'a{n}=""' for n in range(_MANY))
    text = (
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body><{method} xmlns="{SMAPI}" {many}/></s:Body></s:Envelope>'
    )
    try:
        answer = await _raw(probe, method, text.encode())
    except Unanswered as error:
        # Hanging up on a request that is too large is as good as a refusal; keeping it waiting is not.
        return str(error) if "no answer within" in str(error) else None
    return f"they took {answer.seconds:.1f} s" if answer.seconds >= probe.options.slow else None


@check(
    "xml.large",
    sonos="Sonos's requests are below 4 KiB; a service that takes whatever anybody sends can be filled up by anybody.",
    way_out="Refuse bodies above 64 KiB, in front of the parser.",
    source=sources.KEY_REQUIREMENTS,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def large(probe: Probe) -> str | None:
    """A request of half a megabyte is refused."""
    try:
        answer = await _send(probe, "x" * _LARGE)
    except Unanswered as error:
        return str(error) if "no answer within" in str(error) else None
    return f"it was taken: {answer.shown}" if answer.is_result else None


@check(
    "xml.rubbish",
    sonos="A proxy that cuts a request makes rubbish of it; an answer that is no SOAP causes problems within the controller.",
    way_out="Answer what cannot be parsed with a fault, `Client.` first, and HTTP 500.",
    source=sources.ERRORS,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def rubbish(probe: Probe) -> str | None:
    """What is no XML is answered with a fault."""
    answer = await _raw(probe, "getAppLink", b"<s:Envelope><s:Body>this is where the proxy stopped")
    return _unless_refused(answer, "half a document")


CHECKS = (document_type, external_entity, entity_bomb, deep, attributes, large, rubbish)
