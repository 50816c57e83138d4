"""The XML reader, hardened: a request's bytes in, a small tree of elements out, or a fault.

It reads with the standard library's expat and not with lxml, whose every parser of a thread shares one
dictionary of names that is never emptied: measured on lxml 6.1.3, requests of 54 kB with names never seen
before took the process to 620 MB, after which documents with new names were refused until a restart. (lxml 7
gives each parser its own dictionary, github.com/lxml/lxml/pull/466; this module is all that would change.)
defusedxml adds nothing, since a DOCTYPE, without which no entity can be declared, is refused before a parser
sees the bytes.
"""

import re
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from gateway.smapi.faults import MalformedCall

# The longest request of SMAPI that we know of has below 4 kB, 40 tags and 30 attributes.
MAX_BYTES = 64 * 1024
MAX_TAGS = 256  # opening and closing, so that nothing is nested deeper than half of it
MAX_EQUALS = 512  # one for each attribute, the others belong to values

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = " \t\r\n"  # what XML calls white space, fewer than str.strip knows

# SOAP is XML 1.0, and here UTF-8: another encoding is another way to read the same bytes. Some say `utf8`.
_DECLARATION = re.compile(
    rb"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])1\.0\1
    (?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])(?i:utf-?8)\2)?
    (?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\3)?
    [ \t\r\n]*\?>""",
    re.VERBOSE,
)


def parse_document(body: bytes) -> Element:
    """The root element of a request, in whose tree are elements and text and nothing else.

    Raises:
        MalformedCall: not well-formed, not UTF-8, too large, or with something that SOAP 1.1 forbids in
            section 3: a document type, a processing instruction. Its text never quotes the request.
    """
    _refuse_by_size(body)
    content = _without_declaration(body.removeprefix(_BYTE_ORDER_MARK))
    # One byte is found at the speed of memory, two are not; hardly any request has an exclamation mark.
    marked = b"!" in content
    if marked and b"<!DOCTYPE" in content:
        raise MalformedCall("The request has a document type")
    commented = marked and b"<!--" in content
    builder = TreeBuilder(insert_comments=commented)
    parser = XMLParser(target=builder, encoding="utf-8")  # noqa: S314 - no DOCTYPE gets here
    try:
        parser.feed(content)
        root: Element = parser.close()
    except ParseError:
        raise MalformedCall("The request is not well-formed XML") from None
    if commented:
        _drop_comments(root)
    return root


def local_name(element: Element) -> str:
    """An element's name without its namespace: clients are careless there, and SMAPI does not need it."""
    return element.tag.rpartition("}")[2]


def value_of(element: Element, *, limit: int, strip: bool = True) -> str | None:
    """An element's text without the white space around it, or None where that leaves nothing.

    An empty value is no value: @svrooij/sonos 2.5.0 sends `<token></token>` with every call that has no token.

    Raises:
        MalformedCall: the value holds elements, or has more than `limit` characters.
    """
    if len(element):
        raise MalformedCall("A value holds elements")
    text = element.text
    if not text:
        return None
    if strip:
        text = text.strip(_SPACE)
    if len(text) > limit:
        raise MalformedCall("A value is too long")
    return text or None


def _refuse_by_size(body: bytes) -> None:
    if len(body) > MAX_BYTES or body.count(b"<") > MAX_TAGS or body.count(b"=") > MAX_EQUALS:
        raise MalformedCall("The request is too large")


def _without_declaration(body: bytes) -> bytes:
    """The document behind its XML declaration. It is UTF-8 for certain, so that bytes can be searched for."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedCall("The request is not UTF-8") from None
    # UTF-16 and UTF-32 in the disguise of UTF-8.
    if b"\0" in body:
        raise MalformedCall("The request is not UTF-8")
    if declaration := _DECLARATION.match(body):
        body = body[declaration.end() :]
    # What is left of `<?` is a declaration of something else, or a processing instruction.
    if b"?" in body and b"<?" in body:
        raise MalformedCall("The request is not XML 1.0 in UTF-8, or has processing instructions")
    return body


def _drop_comments(root: Element) -> None:
    # SoapUI, which Sonos's documentation names for tests by hand, writes comments between elements. Inside a
    # value a comment would let one reader see `ab` where another sees `abcd`: the bug that let attackers sign
    # in as others through several SAML libraries in 2018 (CERT VU#475445).
    for element in list(root.iter()):
        # Where an element has its name, a comment has the function that makes one.
        comments = [child for child in element if type(child.tag) is not str]
        for comment in comments:
            if (element.text or "").strip(_SPACE) or (comment.tail or "").strip(_SPACE):
                raise MalformedCall("A comment stands next to a value")
            element.remove(comment)
