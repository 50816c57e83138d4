"""SOAP 1.1 envelopes: a request's bytes in, a `Call` out; a result or a `Fault` in, an answer's bytes out."""

from collections.abc import Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element

import msgspec

from gateway.smapi.credentials import LIMITS, Credentials, collected, read_credentials
from gateway.smapi.document import local_name, parse_document, value_of
from gateway.smapi.faults import FAULTS, Fault, MalformedCall, ServiceUnknownError, TokenRefreshRequired
from gateway.smapi.methods import NAMESPACE, agreed_method
from gateway.smapi.rendering import TEMPLATES, device_auth_token, required
from gateway.smapi.results import EmptyResult, Result
from gateway.smapi.text import escape

CONTENT_TYPE = "text/xml; charset=utf-8"
# Sonos documentation, "Error handling": every fault, whatever its cause. sonoscli takes nothing else for one.
FAULT_STATUS = 500

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ENVELOPE, _HEADER, _BODY = (f"{{{_SOAP}}}{name}" for name in ("Envelope", "Header", "Body"))

# What an argument may have at most: the limits of the Sonos WSDL 1.19.6; 1024 for what a service makes
# itself, which is the limit of its account matching; and enough for everything else.
_ARGUMENT_LIMITS: Mapping[str, int] = {
    "householdId": 255,
    "linkCode": 1024,
    "linkDeviceId": 1024,
    "callbackPath": 2048,
    "username": 128,
    "password": 128,
}
_ARGUMENT_LIMIT = 4096

_OPEN = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<soap:Envelope xmlns:soap="{_SOAP}" xmlns:ns="{NAMESPACE}"><soap:Body>'
)
_CLOSE = "</soap:Body></soap:Envelope>"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One SMAPI request.

    `method` is spelt as SMAPI spells it, or as it was sent where SMAPI has no such method. `arguments` has
    the text of each argument that was sent and not empty, without white space around it, by SMAPI's name; a
    password keeps its white space.
    """

    method: str
    arguments: Mapping[str, str]
    credentials: Credentials

    def __repr__(self) -> str:
        return f"Call(method={self.method!r}, credentials={self.credentials!r})"


class Slot(NamedTuple):
    """A text of an envelope that means something."""

    name: str
    """Of an argument, or of a value in the credentials."""
    number: int
    """Which of the texts it is, counting all that stand between tags."""
    limit: int
    strip: bool
    is_argument: bool


Slots = tuple[Slot, ...]


def parse_call(body: bytes, soap_action: str | None, authorization: str | None) -> Call:
    """Read a request: its body and the values of its SOAPAction and Authorization headers.

    Reads what SMAPI needs and no more, since few clients send what the schema asks for; but whatever could be
    read in two ways is refused, because a content server behind this gateway might read it the other way.

    Raises:
        MalformedCall: not a SOAP 1.1 envelope, or more than one way to read it.
        LoginUnauthorized: credentials that contradict each other.
    """
    header, content = _parts(parse_document(body))
    return Call(
        method=agreed_method(local_name(content), soap_action),
        arguments=_arguments(content),
        credentials=read_credentials(header, authorization),
    )


def slots_of(marked: bytes) -> tuple[str, str, Slots]:
    """Find out which texts of an envelope mean something; see `gateway.smapi.shapes`.

    Args:
        marked: an envelope whose texts are `m0`, `m1`, ... in their order.

    Returns:
        The name of the element in the Body, the method it stands for, and what the texts are.

    Raises:
        MalformedCall: as `parse_call`.
    """
    header, content = _parts(parse_document(marked))
    name = local_name(content)
    arguments = [
        Slot(name, int(mark[1:]), _ARGUMENT_LIMITS.get(name, _ARGUMENT_LIMIT), name != "password", True)
        for name, mark in _arguments(content).items()
    ]
    credentials = [
        Slot(name, int(mark[1:]), LIMITS[name], name != "password", False)
        for name, mark in collected(header).items()
        if mark is not None
    ]
    return name, agreed_method(name, None), (*arguments, *credentials)


def render_result(method: str, content: Result) -> bytes:
    """The envelope that answers `method` with `content`; goes with HTTP 200 and `CONTENT_TYPE`.

    Raises:
        TypeError: SMAPI does not answer this method with a value of this type.
        ValueError: a value is empty that must not be, or longer than SMAPI allows.
    """
    frame = _FRAMES.get((method, type(content)))
    if frame is None:
        raise TypeError(f"{method} is not answered with {type(content).__name__}")
    before, after, template = frame
    return f"{before}{template(content)}{after}".encode()


def render_fault(fault: Fault) -> bytes:
    """The envelope that answers a call with `fault`; goes with HTTP 500 and `CONTENT_TYPE`."""
    constant = _CONSTANT_FAULTS.get(type(fault))
    if constant is not None and fault.string is type(fault).string:
        return constant
    if isinstance(fault, TokenRefreshRequired):
        return _token_refresh_required(fault)
    return _fault(fault.code, fault.string, fault.sonos_error, fault.exception_info)


def _parts(root: Element) -> tuple[Element | None, Element]:
    """The Header, which may be missing, and the one element in the Body."""
    if root.tag != _ENVELOPE:
        raise MalformedCall("The request is not a SOAP 1.1 envelope")
    tags = [part.tag for part in root]
    if tags == [_HEADER, _BODY]:
        header, body = root
    elif tags == [_BODY]:
        header, body = None, root[0]
    else:
        raise MalformedCall("An envelope has at most one Header and then one Body")
    if len(body) != 1:
        raise MalformedCall("A Body has one element")
    return header, body[0]


def _arguments(content: Element) -> dict[str, str]:
    arguments: dict[str, str] = {}
    names = set()
    for element in content:
        name = local_name(element)
        # No request of SMAPI repeats an argument or nests one (Sonos WSDL 1.19.6).
        if name in names:
            raise MalformedCall("An argument stands in the call twice")
        names.add(name)
        limit = _ARGUMENT_LIMITS.get(name, _ARGUMENT_LIMIT)
        value = value_of(element, limit=limit, strip=name != "password")
        if value is not None:
            arguments[name] = value
    return arguments


def _fault(code: str, string: str, sonos_error: int | None, exception_info: str | None) -> bytes:
    # The code has no prefix, as in the samples of Sonos's documentation; it is a qualified name all the same.
    detail = ""
    if sonos_error is not None and exception_info is not None:
        # Directly below detail as in all samples, in the order of the WSDL's customFault.
        info = required("ExceptionInfo", exception_info)
        detail = f"<detail><ns:SonosError>{sonos_error:d}</ns:SonosError>{info}</detail>"
    return (
        f"{_OPEN}<soap:Fault><faultcode>{code}</faultcode><faultstring>{escape(string)}</faultstring>"
        f"{detail}</soap:Fault>{_CLOSE}"
    ).encode()


# One fault text satisfies every client that refreshes: @svrooij/sonos compares the string, in its 2.5.0 as
# plain text and since #216 as an element with an attribute; SoCo, sonoscli and noson look at the code; and
# noson takes the pair from the first child of detail.
_REFRESH_OPEN = (
    f"{_OPEN}<soap:Fault><faultcode>{TokenRefreshRequired.code}</faultcode>"
    f'<faultstring xml:lang="en">{TokenRefreshRequired.string}</faultstring>'
    "<detail><ns:refreshAuthTokenResult>"
)
_REFRESH_CLOSE = f"</ns:refreshAuthTokenResult></detail></soap:Fault>{_CLOSE}"


def _token_refresh_required(fault: TokenRefreshRequired) -> bytes:
    return f"{_REFRESH_OPEN}{device_auth_token(fault.renewed)}{_REFRESH_CLOSE}".encode()


def _frame(method: str, content_type: type) -> tuple[str, str]:
    """What stands before and after the children of a result."""
    before, after = f"{_OPEN}<ns:{method}Response>", f"</ns:{method}Response>{_CLOSE}"
    if content_type is EmptyResult:
        return before, after
    return f"{before}<ns:{method}Result>", f"</ns:{method}Result>{after}"


_FRAMES = {key: (*_frame(*key), template) for key, template in TEMPLATES.items()}

_CONSTANT_FAULTS = {
    kind: _fault(kind.code, kind.string, kind.sonos_error, kind.exception_info)
    for kind in FAULTS
    if kind not in {ServiceUnknownError, TokenRefreshRequired}
}
