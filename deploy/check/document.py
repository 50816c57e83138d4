"""Reads answers: whatever a server sends, without trusting it. The only module here that knows XML."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element as Element  # noqa: PLC0414 - the others take it from here
from xml.etree.ElementTree import ParseError, XMLParser

SMAPI = "http://www.sonos.com/Services/1.1"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"

_BODY = f"{{{ENVELOPE}}}Body"
_FAULT = f"{{{ENVELOPE}}}Fault"


class Unreadable(Exception):
    """The bytes are not a SOAP 1.1 envelope; the message says what they are instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapFault:
    """A fault, as the clients read it."""

    code: str
    """Without the prefix of its qualified name."""
    string: str
    language: str | None
    """The `xml:lang` of the string."""
    detail: Element | None
    element: Element

    @property
    def sonos_error(self) -> str | None:
        """Return the number of the text that Sonos would show."""
        return text_of(self.detail, "SonosError") if self.detail is not None else None


def body_of(raw: bytes) -> Element:
    """Return the one element in the Body of an answer.

    Raises:
        Unreadable: not well-formed, with a document type, or no SOAP 1.1 envelope with one element in its Body.
    """
    root = parsed(raw)
    if root.tag == f"{{{SOAP_12}}}Envelope":
        raise Unreadable("an envelope of SOAP 1.2, where SMAPI is SOAP 1.1")
    if root.tag != f"{{{ENVELOPE}}}Envelope":
        raise Unreadable(f"a document whose root is <{local_name(root)}>, not a SOAP envelope")
    bodies = [part for part in root if part.tag == _BODY]
    if len(bodies) != 1 or len(bodies[0]) != 1:
        raise Unreadable("an envelope without exactly one element in its Body")
    return bodies[0][0]


def parsed(raw: bytes) -> Element:
    """Return the root of a document.

    Raises:
        Unreadable: not well-formed, not in UTF-8, or with a document type.
    """
    if not raw.strip():
        raise Unreadable("nothing at all")
    if b"\0" in raw:
        # Where a document type could hide from whoever looks for its bytes.
        raise Unreadable("a document that is not in UTF-8")
    if b"<!DOCTYPE" in raw:
        raise Unreadable("a document with a document type, which SOAP forbids")
    parser = XMLParser()  # noqa: S314 - no document type gets here
    try:
        parser.feed(raw)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        # The latter two are about encodings that nobody knows.
        raise Unreadable(f"no well-formed XML ({error})") from None
    return root


def fault_in(content: Element) -> SoapFault | None:
    """Return the fault that the Body's element is, or None."""
    if content.tag != _FAULT:
        return None
    string = content.find("faultstring")
    return SoapFault(
        code=_text(content.find("faultcode")).rpartition(":")[2],
        string=_text(string),
        language=None if string is None else string.get("{http://www.w3.org/XML/1998/namespace}lang"),
        detail=content.find("detail"),
        element=content,
    )


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def find(element: Element, *names: str) -> Element | None:
    """Return the first element below, by local names along the way, at any depth for the first of them."""
    found = next((each for each in element.iter() if local_name(each) == names[0]), None)
    for name in names[1:]:
        if found is None:
            return None
        found = next((each for each in found if local_name(each) == name), None)
    return found


def text_of(element: Element, *names: str) -> str | None:
    """Return the text of what `find` finds; None where there is no such element or nothing in it."""
    found = find(element, *names)
    return (found.text or "").strip() or None if found is not None else None


def _text(element: Element | None) -> str:
    return "" if element is None else (element.text or "").strip()
