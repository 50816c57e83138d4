"""The short way of reading envelopes and the parser: whatever comes, both read the same, or refuse it alike."""

from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.smapi.envelope import parse_call
from gateway.smapi.faults import Fault
from gateway.smapi.shapes import LONGEST, MOST, Shapes

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SMAPI = "http://www.sonos.com/Services/1.1"
ACTION = f'"{SMAPI}#getDeviceAuthToken"'


def outcome(parse, body, soap_action=None, authorization=None):
    """What a way of reading makes of a request: a call, or the fault in its own words."""
    try:
        return parse(body, soap_action, authorization)
    except Fault as fault:
        return (type(fault), str(fault))


def assert_same(body, soap_action=None, authorization=None, *, taught_by=()):
    """Both ways agree on a request: the first time, when its shape is learned, and when it is known."""
    shapes = Shapes(every=1)
    expected = outcome(parse_call, body, soap_action, authorization)
    for lesson in taught_by:
        outcome(shapes.parse_call, lesson)
    assert expected == outcome(shapes.parse_call, body, soap_action, authorization)
    assert expected == outcome(shapes.parse_call, body, soap_action, authorization)


def poll(texts=("dev", "hh", "code", "id"), *, gap="", declaration="", attribute=""):
    """A poll with these texts."""
    device, household, code, device_id = texts
    return (
        f'{declaration}{gap}<s:Envelope xmlns:s="{SOAP}"{attribute}>{gap}<s:Header>{gap}<credentials xmlns="{SMAPI}">'
        f"<deviceId>{device}</deviceId><deviceProvider>Sonos</deviceProvider></credentials></s:Header>{gap}"
        f'<s:Body><getDeviceAuthToken xmlns="{SMAPI}">{gap}<householdId>{household}</householdId><linkCode>{code}</linkCode>'
        f"<linkDeviceId>{device_id}</linkDeviceId></getDeviceAuthToken></s:Body></s:Envelope>"
    ).encode()


TEXTS = st.text(max_size=40)
RAW = st.text("<>&\"'!?-[]/= \r\n\tax;:#", max_size=30)
PIECES = st.sampled_from(
    [
        "<",
        ">",
        "/",
        "a",
        " ",
        "=",
        '"',
        "'",
        "!",
        "?",
        "--",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "&lt;",
        "&#65;",
        "</",
        "<?",
        "?>",
    ]
)


@given(texts=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), gap=st.sampled_from(["", " ", "\n  ", "\r\n", "x"]))
@example(texts=("", "", "", ""), gap="")
@example(texts=(" a ", "\r", "\n", "x" * 300), gap="\n")
def test_texts_of_a_known_shape(texts, gap):
    """Whatever stands in the texts, escaped as XML wants it."""
    body = poll(tuple(escape(text) for text in texts), gap=gap)
    assert_same(body, ACTION, taught_by=[poll(gap=gap)])


@given(texts=st.tuples(RAW, RAW, RAW, RAW))
def test_markup_in_the_texts_of_a_known_shape(texts):
    """Whatever stands in the texts, escaped or not."""
    assert_same(poll(texts), ACTION, taught_by=[poll()])


@given(
    at=st.integers(0, 600),
    length=st.integers(0, 12),
    replacement=st.lists(PIECES, max_size=4).map("".join),
    declaration=st.sampled_from(["", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-8"?>\n']),
)
def test_mutations(at, length, replacement, declaration):
    """Envelopes in which something was overwritten, read by one that knows the shape before and after."""
    body = poll(declaration=declaration)
    mutated = body[:at] + replacement.encode() + body[at + length :]
    assert_same(mutated, taught_by=[body])


@given(prefix=RAW, suffix=RAW)
def test_what_stands_around_an_envelope(prefix, suffix):
    """Before the declaration, between it and the root, and behind the root."""
    declaration = '<?xml version="1.0"?>'
    body = poll(declaration=declaration)
    changed = prefix.encode() + body + suffix.encode()
    between = body.replace(declaration.encode(), (declaration + prefix).encode())
    assert_same(changed, taught_by=[body, between])
    assert_same(between, taught_by=[body, changed])


@pytest.mark.parametrize(
    "attribute",
    [' a=">"', " a='>'", ' a=">x"', ' a="x>"', ' a=">x" b="y>"', " a='\">' b='>'", ' a="&gt;>"'],
)
def test_angle_brackets_in_attributes(attribute):
    """The one place where XML lets a bracket stand that closes nothing."""
    body = poll(attribute=attribute)
    other = body.replace(b"x", b"zz")
    assert_same(body, taught_by=[other, poll()])


@given(action=st.sampled_from([None, ACTION, "getAppLink", '"#getdeviceauthtoken"', ""]), token=RAW)
def test_headers(action, token):
    """SOAPAction and Authorization count the same."""
    assert_same(poll(), action, f"Bearer {token}", taught_by=[poll()])


@pytest.mark.parametrize(
    "credentials",
    [
        "<loginToken><token>t</token><key>k</key><householdId>h</householdId></loginToken>",
        "<loginToken><token></token><key/></loginToken>",
        "<loginToken><token> t </token></loginToken><sessionId>s</sessionId>",
        "<login><username>u</username><password> p </password></login>",
        "<sessionId>1</sessionId><sessionId>2</sessionId>",
        "<context><timeZone>+01:00</timeZone></context><sessionId> s</sessionId>",
        "text<sessionId>s</sessionId>text",
    ],
)
def test_credentials(credentials):
    """Each kind of credentials, and those that contradict each other."""
    body = (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}">{credentials}</credentials></s:Header>'
        f'<s:Body><getLastUpdate xmlns="{SMAPI}"/></s:Body></s:Envelope>'
    ).encode()
    assert_same(body)
    assert_same(body, None, "Bearer t")


def test_limits_of_the_parser_hold():
    """More equal signs than the parser takes, in the texts of a known shape, and a value that is too long."""
    assert_same(poll(("=" * 600, "h", "c", "d")), taught_by=[poll()])
    assert_same(poll(("d", "h" * 256, "c", "d")), taught_by=[poll()])
    assert_same(poll(("d", "h", "c" * LONGEST, "d")), taught_by=[poll()])


def test_known_shape_needs_no_parser(monkeypatch):
    """Otherwise all of the above would prove nothing."""
    shapes = Shapes(every=1)
    shapes.parse_call(poll(), ACTION, None)
    monkeypatch.setattr("gateway.smapi.envelope.parse_document", None)
    call = shapes.parse_call(poll(("d", "h", "k1", "x")), ACTION, None)

    assert {"householdId": "h", "linkCode": "k1", "linkDeviceId": "x"} == call.arguments


def test_memory_is_bounded_and_keeps_what_is_used():
    """Ever new shapes push out each other, and not the one that is used."""
    shapes = Shapes(every=1)
    shapes.parse_call(poll(), ACTION, None)
    for number in range(3 * MOST):
        shapes.parse_call(poll(attribute=f' a="{number}"'), ACTION, None)
        shapes.parse_call(poll(), ACTION, None)

    assert MOST == len(shapes._known)
    assert any(b"a=" not in b"".join(tags) for tags in shapes._known)


def test_long_envelope_teaches_nothing():
    """The longest that is remembered, and one that is a byte longer: it goes to the parser, each time."""
    shapes, room = Shapes(every=1), LONGEST - len(poll(attribute=' a=""'))
    seen = []
    for more in (0, 1):
        shapes.parse_call(poll(attribute=f' a="{"x" * (room + more)}"'), ACTION, None)
        seen.append(len(shapes._known))

    assert [1, 1] == seen
