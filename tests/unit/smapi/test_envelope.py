"""Requests: one way to read each, or none."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.smapi.envelope import Call, parse_call
from gateway.smapi.faults import Fault, MalformedCall
from gateway.smapi.text import escape
from tests.unit.smapi.soap import SMAPI, SOAP, action, envelope

GOOD = f"""<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}"><loginToken><token>t</token><key>k</key>
<householdId>h</householdId></loginToken><deviceId>d</deviceId></credentials></s:Header>
<s:Body><getDeviceAuthToken xmlns="{SMAPI}"><householdId>h</householdId><linkCode>c</linkCode>
<!-- none --><linkDeviceId></linkDeviceId></getDeviceAuthToken></s:Body></s:Envelope>""".encode()

# What a mutation may put into a request, where it hurts most.
SPLINTERS = st.sampled_from(
    [
        *(
            b"<!-- -->",
            b"<!--",
            b"-->",
            b"<![CDATA[",
            b"]]>",
            b"<?pi ?>",
            b"<!DOCTYPE a>",
            b"&x;",
            b"&#65;",
            b"&#0;",
            b"\0",
        ),
        *(
            b"<token>u</token>",
            b"<credentials/>",
            b"</token><token>",
            b"<s:Body/>",
            b"<x:token/>",
            b'xmlns=""',
            b"<a",
            b">",
        ),
        *(
            b"<",
            b"/",
            b"=",
            b'"',
            b" ",
            b"\r",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\xed\xa0\x80",
            b"</s:Envelope>",
            b"<s:Header/>",
        ),
    ]
)


def refusal(body, soap_action=None):
    with pytest.raises(MalformedCall) as caught:
        parse_call(body, soap_action, None)
    return caught.value.string


def outcome(body, soap_action=None, authorization=None):
    """The call, or the fault that answers it."""
    try:
        return parse_call(body, soap_action, authorization)
    except Fault as fault:
        return fault


@pytest.mark.parametrize(
    "body",
    [
        b"<getAppLink/>",
        b"<Envelope><Body><getAppLink/></Body></Envelope>",
        b'<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Body><getAppLink/></Body></Envelope>',
        f'<s:envelope xmlns:s="{SOAP}"><s:Body><getAppLink/></s:Body></s:envelope>'.encode(),
        f'<s:Body xmlns:s="{SOAP}"><getAppLink/></s:Body>'.encode(),
    ],
)
def test_only_soap_1_1(body):
    """Its name in its namespace: everything else is for somebody else."""
    assert "The request is not a SOAP 1.1 envelope" == refusal(body)


@pytest.mark.parametrize(
    "parts",
    [
        "",
        "<s:Header/>",
        "<s:Body><getAppLink/></s:Body><s:Header/>",
        "<s:Body><getAppLink/></s:Body><s:Body><getMetadata/></s:Body>",
        "<s:Header/><s:Header/><s:Body><getAppLink/></s:Body>",
        "<s:Body><getAppLink/></s:Body><more/>",
        "<Body><getAppLink/></Body>",
        "<s:Header/><Body><getAppLink/></Body>",
    ],
)
def test_at_most_one_header_and_then_one_body(parts):
    """Two of either are two requests in one."""
    body = f'<s:Envelope xmlns:s="{SOAP}">{parts}</s:Envelope>'.encode()

    assert "An envelope has at most one Header and then one Body" == refusal(body)


@pytest.mark.parametrize(
    "inner", ["", "getAppLink", "<getAppLink/><getMetadata/>", "<getAppLink/><getAppLink/>"]
)
def test_one_element_in_the_body(inner):
    """None names no method, two name two."""
    assert "A Body has one element" == refusal(envelope(inner))


def test_soap_action_and_body_agree():
    """The header alone does not choose."""
    body = envelope("<getMetadata/>")

    assert "getMetadata" == parse_call(body, action("getmetadata"), None).method
    assert "SOAPAction and Body name different methods" == refusal(body, action("getAppLink"))


@pytest.mark.parametrize(
    "inner",
    [
        "<linkCode>a</linkCode><linkCode>b</linkCode>",
        "<linkCode>a</linkCode><linkCode/>",
        "<linkCode/><linkCode>a</linkCode>",
        '<linkCode>a</linkCode><x:linkCode xmlns:x="urn:x">b</x:linkCode>',
    ],
)
def test_an_argument_is_sent_once(inner):
    """First wins for one reader, last wins for another."""
    assert "An argument stands in the call twice" == refusal(
        envelope(f"<getDeviceAuthToken>{inner}</getDeviceAuthToken>")
    )


def test_an_argument_is_text():
    """No request of SMAPI nests one."""
    assert "A value holds elements" == refusal(envelope("<search><term>a<b/></term></search>"))


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("householdId", 255),
        ("linkCode", 1024),
        ("linkDeviceId", 1024),
        ("callbackPath", 2048),
        ("password", 128),
        ("x", 4096),
    ],
)
def test_an_argument_has_a_limit(name, limit):
    """The schema's where it has one."""

    def request(length):
        return envelope(f"<getSessionId><{name}>{'x' * length}</{name}></getSessionId>")

    assert {name: "x" * limit} == parse_call(request(limit), None, None).arguments
    assert "A value is too long" == refusal(request(limit + 1))


def test_repr_hides_what_opens_anything():
    """Calls end up in tracebacks and logs; link codes and passwords must not."""
    call = parse_call(GOOD, None, None)

    assert (
        "Call(method='getDeviceAuthToken', credentials=Credentials(household_id='h', device_id='d'))"
        == repr(call)
    )


LEGAL = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=("Cs",), exclude_characters="\ufffe\uffff"),
    max_size=99,
)


@given(term=LEGAL, token=LEGAL)
def test_values_arrive_as_they_were_sent(term, token):
    """Any text that XML can carry, without XML's white space around it."""
    header = f"<credentials><loginToken><token>{escape(token)}</token></loginToken></credentials>"

    call = parse_call(envelope(f"<search><term>{escape(term)}</term></search>", header), None, None)

    assert term.strip(" ") == call.arguments.get("term", "")
    assert token.strip(" ") == (call.credentials.token or "")


def read_naively(body):
    """The arguments and tokens that a reader with other habits finds: lxml, by path, every text that matches."""
    root = etree.fromstring(body)
    arguments = {
        etree.QName(element).localname: "".join(element.itertext())
        for element in root.xpath("/*/*[local-name()='Body']/*/*")
    }
    tokens = root.xpath("//*[local-name()='loginToken']/*[local-name()='token']/text()")
    return {k: v.strip() for k, v in arguments.items() if v.strip()}, [t.strip() for t in tokens if t.strip()]


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), SPLINTERS), max_size=3))
def test_what_is_read_is_what_others_read(cuts):
    """A damaged request is refused, or another reader of the same bytes finds the same values in it."""
    body = GOOD
    for position, length, splinter in cuts:
        body = body[:position] + splinter + body[position + length :]
    call = outcome(body)
    if isinstance(call, Fault):
        return

    try:
        arguments, tokens = read_naively(body)
    except etree.XMLSyntaxError:
        # libxml2 minds what a namespace looks like, and expat does not; who refuses reads nothing else.
        return

    assert arguments == call.arguments
    assert tokens == ([call.credentials.token] if call.credentials.token else [])


@given(st.binary(max_size=300), st.none() | st.text(max_size=50), st.none() | st.text(max_size=50))
def test_arbitrary_bytes_are_a_call_or_a_fault(body, soap_action, authorization):
    """Nothing but a fault ever leaves the reader."""
    for request in (body, b"<?xml" + body, GOOD[: len(GOOD) // 2] + body, GOOD[:-20] + body):
        assert isinstance(outcome(request, soap_action, authorization), Call | Fault)


@given(st.text(max_size=60), st.text(max_size=60))
def test_arbitrary_headers_are_a_call_or_a_fault(soap_action, authorization):
    """Neither do headers raise anything else."""
    for prefix in ("", "Bearer ", '"http://www.sonos.com/Services/1.1#'):
        assert isinstance(outcome(GOOD, prefix + soap_action, prefix + authorization), Call | Fault)
