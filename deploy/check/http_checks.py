"""Status, headers, pace, and the shape of faults: over everything that was answered."""

import re
from collections.abc import Iterable

import aiohttp

from deploy.check import sources
from deploy.check.checks import check, counted, unless_fault
from deploy.check.client import Answer
from deploy.check.document import SMAPI, local_name
from deploy.check.probe import Probe
from deploy.check.report import EVERY, Severity

_LEAKS = re.compile(
    r"Traceback \(most recent call last\)|\.(?:py|php|rb)(?:\"|'|:| on) ?,? ?line \d|\bat [\w$.]+\([\w$]+\.(?:java|kt|cs|js|ts)"
    r"|\.[jt]s:\d+:\d+|Exception in thread|\bSQLSTATE\b|goroutine \d"
)
_SOAP_11_PARTS = {"faultcode", "faultstring", "faultactor", "detail"}
_OUTRANKED = {"Client.AuthTokenExpired", "Server.ServiceUnavailable", "Server.ServiceUnknownError"}


def _listed(problem: str, bad: Iterable[Answer]) -> str | None:
    return counted([f"{answer.method}: {problem.format(answer=answer)}" for answer in bad])


async def _faults(probe: Probe) -> list[Answer]:
    return [answer for answer in await probe.sample() if answer.fault is not None]


@check(
    "http.soap",
    sonos="An answer that is no SOAP causes problems within the Sonos controller; nobody is told which.",
    way_out="Answer every POST with a result or a fault, also where a framework would answer for you.",
    source=sources.KEY_REQUIREMENTS,
    modes=EVERY,
)
async def soap(probe: Probe) -> str | None:
    """Every answer is a SOAP 1.1 envelope."""
    answers = await probe.sample()
    return _listed("{answer.shown}", (a for a in answers if a.content is None))


@check(
    "http.result-status",
    sonos="SoCo takes 200 and 500 only; Sonos's players follow no redirection of a POST.",
    way_out="Send results with HTTP 200, from the address that was asked.",
    source=sources.SOCO,
    modes=EVERY,
)
async def result_status(probe: Probe) -> str | None:
    """Results come with HTTP 200."""
    answers = await probe.sample()
    bad = [a for a in answers if a.status != 200 and (a.is_result or 300 <= a.status < 400)]
    return _listed("HTTP {answer.status}", bad)


@check(
    "http.fault-status",
    sonos="sonoscli takes a fault with any other status for an empty answer; Sonos's documentation says 500 always.",
    way_out="Send every SOAP fault with HTTP 500, whatever its cause.",
    source=sources.ERRORS,
    modes=EVERY,
)
async def fault_status(probe: Probe) -> str | None:
    """Faults come with HTTP 500."""
    faults = await _faults(probe)
    return _listed("{answer.shown}", (a for a in faults if a.status != 500))


@check(
    "http.content-type",
    sonos="A client that goes by the Content-Type does not read the answer as SOAP 1.1, or reads its letters wrong.",
    way_out="Send `Content-Type: text/xml; charset=utf-8`.",
    source=sources.SOAP_11,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def content_type(probe: Probe) -> str | None:
    """SOAP comes as text/xml in UTF-8."""
    answers = [a for a in await probe.sample() if a.content is not None]
    return counted(
        [f"{a.method}: {a.headers.get('content-type', 'none')}" for a in answers if not _is_xml(a)]
    )


def _is_xml(answer: Answer) -> bool:
    kind, _, parameters = answer.headers.get("content-type", "").lower().partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\";\s]+)", parameters)
    return kind.strip() == "text/xml" and (charset is None or charset[1].replace("-", "") == "utf8")


@check(
    "http.unknown-method",
    sonos="An empty or missing reply to a request that you do not support causes problems within the Sonos controller.",
    way_out="Answer methods that you do not have with a fault, such as Client.MethodNotSupported.",
    source=sources.KEY_REQUIREMENTS,
    modes=EVERY,
)
async def unknown_method(probe: Probe) -> str | None:
    """A method that nobody knows is answered with a fault."""
    return unless_fault(await probe.client.call("getNothingOfTheKind", {}))


@check(
    "http.get",
    sonos="Sonos does not ask; people and monitors do, and read an error in it.",
    way_out="Answer GET with a plain page or with 405.",
    source=sources.KEY_REQUIREMENTS,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def get(probe: Probe) -> str | None:
    """A browser that opens the endpoint sees no failure."""
    async with (
        probe.browser() as http,
        http.get(probe.client.endpoint, timeout=aiohttp.ClientTimeout(total=20)) as response,
    ):
        text = (await response.content.read(65536)).decode("utf-8", "replace")
        if _LEAKS.search(text):
            return f"HTTP {response.status} with what looks like a stack trace"
        return f"HTTP {response.status}" if response.status >= 500 and "Envelope" not in text else None


@check(
    "http.pace",
    sonos="Sonos waits 20 seconds for an answer, 10 for a connection; SoCo gives up after 9. The person sees an error.",
    way_out="Answer from your own database; never have a poll wait for anything.",
    source=sources.SELF_TEST,
    modes=EVERY,
)
async def pace(probe: Probe) -> str | None:
    """Every answer comes soon."""
    answers = await probe.sample()
    slow = [a for a in answers if a.seconds >= probe.options.slow]
    return _listed("{answer.seconds:.1f} s", slow)


@check(
    "fault.prefix",
    sonos="Sonos's self test complains of a fault that has neither `Client.` nor `Server.` in it.",
    way_out="Begin every faultcode with `Client.` or `Server.`; a prefix of a namespace before it does no harm.",
    source=sources.SELF_TEST,
    modes=EVERY,
)
async def prefix(probe: Probe) -> str | None:
    """Fault codes begin with Client or Server."""
    faults = await _faults(probe)
    bad = [a for a in faults if a.fault and not a.fault.code.startswith(("Client", "Server"))]
    return _listed("the code {answer.fault.code!r}", bad)


@check(
    "fault.shape",
    sonos="SOAP 1.1 clients look for faultcode and faultstring without a namespace; node-sonos-ts fails where there is no string.",
    way_out="Write the faults of SOAP 1.1: faultcode, faultstring, perhaps detail, all in no namespace.",
    source=sources.SOAP_11,
    modes=EVERY,
)
async def shape(probe: Probe) -> str | None:
    """Faults are those of SOAP 1.1."""
    return counted([f"{a.method}: {said}" for a in await _faults(probe) if (said := _misshapen(a))])


def _misshapen(answer: Answer) -> str:
    fault = answer.fault
    assert fault is not None
    names = {str(child.tag) for child in fault.element}
    if not fault.code or not fault.string:
        return f"a fault without {'faultstring' if fault.code else 'faultcode'}"
    strange = {name for name in names if name not in _SOAP_11_PARTS}
    return f"a fault that holds {', '.join(sorted(n.rpartition('}')[2] for n in strange))}" if strange else ""


@check(
    "fault.detail",
    sonos="Clients look for SonosError, ExceptionInfo and the new pair in SMAPI's namespace; node-sonos-ts finds them nowhere else.",
    way_out="Put what is in detail directly below it, in the namespace http://www.sonos.com/Services/1.1.",
    source=sources.AUTH_ERRORS,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def detail(probe: Probe) -> str | None:
    """What is in a fault's detail is in SMAPI's namespace."""
    faults = await _faults(probe)
    known = {"SonosError", "ExceptionInfo", "refreshAuthTokenResult"}
    strays = [
        f"{a.method}: {local_name(each)} in {str(each.tag).rpartition('}')[0].strip('{') or 'no namespace'}"
        for a in faults
        if a.fault is not None and a.fault.detail is not None
        for each in a.fault.detail.iter()
        if local_name(each) in known and each.tag != f"{{{SMAPI}}}{local_name(each)}"
    ]
    return counted(strays)


@check(
    "fault.number",
    sonos="Sonos's self test prefers a SonosError to these codes, and so misses that the account has to be authorized again.",
    way_out="Give a SonosError to NOT_LINKED_RETRY (5), NOT_LINKED_FAILURE (6) and your own errors, never to AuthTokenExpired or Server.*.",
    source=sources.SELF_TEST,
    modes=EVERY,
)
async def number(probe: Probe) -> str | None:
    """No SonosError outranks the code of the fault it is in."""
    bad = [a for a in await _faults(probe) if a.fault and a.fault.code in _OUTRANKED and a.fault.sonos_error]
    return _listed("{answer.fault.code} with SonosError {answer.fault.sonos_error}", bad)


@check(
    "fault.leak",
    sonos="The text of a fault goes into the diagnostics that listeners submit, and to whoever sends a request.",
    way_out="Catch what your framework would print; say in one sentence what the matter is.",
    source=sources.ERRORS,
    modes=EVERY,
)
async def leak(probe: Probe) -> str | None:
    """No answer shows the inside of the service."""
    answers = await probe.sample()
    bad = [a for a in answers if _LEAKS.search(a.raw.decode("utf-8", "replace"))]
    return _listed("what looks like a stack trace", bad)


@check(
    "fault.alone",
    sonos="A fault is to be the only content of its envelope; what else is there is misread by clients that take the first element.",
    way_out="Send an envelope with a Body that holds the Fault and nothing else.",
    source=sources.ERRORS,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def alone(probe: Probe) -> str | None:
    """Nothing but the Fault is in a fault's envelope."""
    faults = await _faults(probe)
    bad = [a for a in faults if re.search(rb"<(?:[\w.-]+:)?Header[\s/>]", a.raw)]
    return _listed("a Header beside the Fault", bad)


CHECKS = (
    soap,
    result_status,
    fault_status,
    content_type,
    unknown_method,
    get,
    pace,
    prefix,
    shape,
    detail,
    number,
    leak,
    alone,
)
