"""What servers send is read without trusting it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.check.document import ENVELOPE, SMAPI, Unreadable, body_of, fault_in
from deploy.check.forms import read_page
from deploy.check.schema import problems_of


def envelope(inside: str) -> bytes:
    return (
        f'<e:Envelope xmlns:e="{ENVELOPE}" xmlns:n="{SMAPI}"><e:Body>{inside}</e:Body></e:Envelope>'.encode()
    )


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"  ", "nothing at all"),
        (b"<html>", "no well-formed XML"),
        (b"<html/>", "whose root is <html>"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"), "not in UTF-8"),
        (b'<?xml version="1.0" encoding="gb2312"?><a/>', "no well-formed XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "no well-formed XML"),
        (b'<a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope"/>', "SOAP 1.2"),
        (envelope(""), "without exactly one element"),
        (envelope("<a/><b/>"), "without exactly one element"),
    ],
)
def test_what_is_no_soap(raw: bytes, why: str) -> None:
    """The message says what it is instead."""
    with pytest.raises(Unreadable, match=why):
        body_of(raw)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nothing_else_comes_out(raw: bytes) -> None:
    """Whatever the bytes: an element, or the reason why not."""
    try:
        body_of(raw)
    except Unreadable as error:
        assert str(error)  # noqa: PT017 - any of them is right


@given(st.text(alphabet="<>!-[]/\"' =aform?&;", max_size=200))
def test_every_page_can_be_read(text: str) -> None:
    """Pages of HTML are never wrong."""
    read_page(text, "https://example.com/")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Client.X", "Client.X"),
        ("soap:Client.X", "Client.X"),
        ("ns8eeLx:Client.X", "Client.X"),
    ],
)
def test_code_of_a_fault(code: str, expected: str) -> None:
    """With any prefix, as the clients read it."""
    fault = fault_in(
        body_of(envelope(f"<e:Fault><faultcode>{code}</faultcode><faultstring>s</faultstring></e:Fault>"))
    )

    assert fault is not None
    assert (expected, "s", None, None) == (fault.code, fault.string, fault.detail, fault.language)


INFO = "<n:appUrlStringId>S</n:appUrlStringId>"
LINK = "<n:regUrl>u</n:regUrl><n:linkCode>c</n:linkCode><n:showLinkCode>false</n:showLinkCode>"


def app_link(inside: str) -> str:
    return f"<n:getAppLinkResponse><n:getAppLinkResult>{inside}</n:getAppLinkResult></n:getAppLinkResponse>"


def authorize(inside: str) -> str:
    return app_link(f"<n:authorizeAccount>{inside}</n:authorizeAccount>")


@pytest.mark.parametrize(
    ("inside", "problems"),
    [
        (authorize(f"{INFO}<n:deviceLink>{LINK}</n:deviceLink>"), []),
        (app_link("<n:callToAction><n:messageStringId>M</n:messageStringId></n:callToAction>"), []),
        (authorize(f"<n:deviceLink>{LINK}</n:deviceLink>{INFO}"), ["instead of the order"]),
        (authorize(f"<n:deviceLink>{LINK}</n:deviceLink>"), ["appUrlStringId is missing"]),
        (authorize(INFO.replace("n:", "")), ["appUrlStringId is not in SMAPI's namespace"]),
        (authorize(INFO + INFO), ["an element stands there twice"]),
        (authorize(INFO + "<n:appUrlEncrypt>true</n:appUrlEncrypt>"), ["not known to the schema"]),
        ("<getAppLinkResponse/>", ["getAppLinkResponse in SMAPI's namespace"]),
        ("<n:getAppLinkResponse/>", ["does not hold one getAppLinkResult"]),
    ],
)
def test_order_of_elements(inside: str, problems: list[str]) -> None:
    """Every way in which an answer differs from the schema is named."""
    found = problems_of(body_of(envelope(inside)), "getAppLink")

    assert len(problems) == len(found)
    assert all(problem in said for problem, said in zip(problems, found, strict=True)), found
