"""Requests as clients write them, and answers as a reader that is not ours sees them."""

from lxml import etree

SMAPI = "http://www.sonos.com/Services/1.1"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def action(method):
    """The SOAPAction header as every client sends it."""
    return f'"{SMAPI}#{method}"'


def envelope(body, header=""):
    """A plain request with `body` in its Body, in no namespace unless it says so."""
    header = f"<s:Header>{header}</s:Header>" if header else ""
    return f'<s:Envelope xmlns:s="{SOAP}">{header}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def tree(element):
    """An lxml element as (name, text) or (name, [children]), names without namespace; no text stands between elements."""
    name = etree.QName(element).localname
    assert (None, None) == (element.tail, element.text if len(element) else None)
    children = [tree(child) for child in element]
    return (name, children) if children else (name, element.text)


def answer(rendered):
    """The one element in the Body of an answer, as `tree` shows it; its envelope is checked on the way."""
    root = etree.fromstring(rendered)
    assert f"{{{SOAP}}}Envelope" == root.tag
    (body,) = root
    assert f"{{{SOAP}}}Body" == body.tag
    (content,) = body
    return tree(content)


def fault(rendered):
    """The children of the Fault in an answer, by name."""
    name, children = answer(rendered)
    assert "Fault" == name
    return dict(children)
