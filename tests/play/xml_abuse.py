"""SOAP requests that no honest client sends, by what a careless parser would do with them."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.play.sonos import HOUSEHOLD, SMAPI, SOAP

MARK = "canary-xml-zz"
"""Stands in every one of them; it may stand in no log and in no answer."""
REFUSED = "Client.MalformedRequest"


@dataclass(frozen=True, kw_only=True)
class XmlAbuse:
    """What is sent, and what a careful parser answers."""

    body: bytes
    fault: str | None = REFUSED
    """None: there is nothing wrong with it, it only looks odd, and it means what it says."""


def cases(*, file: str, port: int) -> dict[str, XmlAbuse]:
    """Return every kind of abuse by name.

    Args:
        file: an absolute path; whatever stands in it, nobody may read it.
        port: of this machine; nobody may connect to it.
    """
    outside = f"http://127.0.0.1:{port}/{MARK}"
    entity = _with("&e;")
    bomb = "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    return {
        "xxe": _typed(f'<!ENTITY e SYSTEM "file://{file}">', entity),
        "xxe by http": _typed(f'<!ENTITY e SYSTEM "{outside}">', entity),
        "parameter entity": _typed(f'<!ENTITY % p SYSTEM "{outside}"> %p;', entity),
        "external DTD": XmlAbuse(body=f'<!DOCTYPE a SYSTEM "{outside}">{entity}'.encode()),
        "public DTD": XmlAbuse(body=f'<!DOCTYPE a PUBLIC "-//{MARK}" "{outside}">{entity}'.encode()),
        "billion laughs": _typed(f'<!ENTITY a "x">{bomb}', _with("&i;")),
        "quadratic": _typed(f'<!ENTITY e "{"x" * 20_000}">', _with("&e;" * 8_000)),
        "document type alone": _typed("", _with("a")),
        "document type in small letters": XmlAbuse(body=f"<!doctype a>{_with('a')}".encode()),
        "schema location": XmlAbuse(
            body=_with(
                "a", f'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="a {outside}"'
            ).encode(),
            fault=None,
        ),
        "style sheet": XmlAbuse(body=f'<?xml-stylesheet href="{outside}"?>{_with("a")}'.encode()),
        "inclusion": XmlAbuse(
            body=_with(
                f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file://{file}"/>'
            ).encode()
        ),
        "deep": XmlAbuse(body=_with("<a>" * 20_000 + "</a>" * 20_000).encode()),
        "60,000 attributes": XmlAbuse(
            body=_with("a", " ".join(f'a{n}="{MARK}"' for n in range(60_000))).encode()
        ),
        "20 MB of text": XmlAbuse(body=_with("x" * (20 << 20)).encode()),
        "UTF-16": XmlAbuse(body=_with("a").encode("utf-16")),
        "UTF-16 that says UTF-8": XmlAbuse(
            body=f'<?xml version="1.0" encoding="utf-8"?>{_with("a")}'.encode("utf-16-be")
        ),
        "UTF-7": XmlAbuse(body=f'<?xml version="1.0" encoding="utf-7"?>{_with("a")}'.encode()),
        "byte order mark": XmlAbuse(body=b"\xef\xbb\xbf" + _with(MARK).encode(), fault=None),
        "CDATA": XmlAbuse(body=_with(f"<![CDATA[{MARK}]]>").encode(), fault=None),
        "comment in a value": XmlAbuse(body=_with(f"{MARK[:6]}<!-- -->{MARK[6:]}").encode()),
        "wrong envelope": XmlAbuse(body=_with("a").replace(SOAP, "urn:other").encode()),
        "two bodies": XmlAbuse(body=_with("a").replace("</s:Envelope>", "<s:Body/></s:Envelope>").encode()),
        "cut": XmlAbuse(body=_with("a").encode()[:-20]),
        "nothing": XmlAbuse(body=b""),
        "NUL": XmlAbuse(body=_with("a\0b").encode()),
    }


def _with(household: str, attributes: str = "") -> str:
    """Return a getAppLink whose household is given as markup."""
    return (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><getAppLink xmlns="{SMAPI}" {attributes}>'
        f"<householdId>{household}</householdId><hardware>{MARK}</hardware><osVersion>1</osVersion>"
        f"<sonosAppName>{escape(HOUSEHOLD)}</sonosAppName><callbackPath>sonos-2://x</callbackPath>"
        "</getAppLink></s:Body></s:Envelope>"
    )


def _typed(declarations: str, document: str) -> XmlAbuse:
    return XmlAbuse(body=f"<!DOCTYPE s:Envelope [{declarations}]>{document}".encode())
