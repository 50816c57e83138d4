"""Where credentials are found, and when they are refused."""

import pytest

from gateway.smapi.credentials import MAX_TOKEN, Credentials
from gateway.smapi.envelope import parse_call
from gateway.smapi.faults import LoginUnauthorized, MalformedCall
from tests.unit.smapi.soap import envelope


def credentials(inner="", authorization=None, outer="<credentials>{}</credentials>"):
    """What is read from `inner` inside the credentials of a getLastUpdate."""
    return parse_call(envelope("<getLastUpdate/>", outer.format(inner)), None, authorization).credentials


def login_token(**values):
    return "<loginToken>" + "".join(f"<{k}>{v}</{k}>" for k, v in values.items()) + "</loginToken>"


def test_nothing_sent_is_nothing_found():
    """No Header, no credentials, or empty ones."""
    assert Credentials() == parse_call(envelope("<getLastUpdate/>"), None, None).credentials
    assert Credentials() == credentials(outer="<other/>")
    assert Credentials() == credentials()
    assert Credentials() == credentials("<loginToken/><login/>")
    assert Credentials() == credentials(login_token(token="", key=" ", householdId="\n"), "Bearer ")


def test_everything_a_login_token_has():
    """Any order, any amount of white space around a value."""
    inner = (
        login_token(householdId=" Sonos_1_7d55e99\r\n", key="k", token="\tt ")
        + "<deviceId>00-0E:6</deviceId>"
    )

    assert Credentials(
        token="t", key="k", household_id="Sonos_1_7d55e99", device_id="00-0E:6"
    ) == credentials(inner)


def test_a_session_id():
    """Services that log in by getSessionId."""
    assert Credentials(session_id="s") == credentials("<sessionId>s</sessionId>")


def test_a_login_keeps_the_white_space_of_its_password():
    """It may be part of it."""
    login = "<login><username> ann </username><password> p w </password></login>"

    assert Credentials(username="ann", password=" p w ") == credentials(login)


@pytest.mark.parametrize(
    "outer",
    [
        "<credentials>{}</credentials>",
        '<credentials xmlns="http://www.sonos.com/Services/1.1">{}</credentials>',
        '<x:credentials xmlns:x="http://www.sonos.com/Services/1.1" xmlns="">{}</x:credentials>',
        '<credentials xmlns="urn:anything">{}</credentials>',
        "<context><timeZone>-04:00</timeZone></context><credentials>{}</credentials><more>x</more>",
        "<!-- sic --><credentials>{}</credentials>",
        "<credentials><context/>{}<deviceProvider>Sonos</deviceProvider></credentials>",
        "<credentials><context><token>no</token></context>{}</credentials>",
        "<credentials><token>no</token><key>no</key>{}</credentials>",
        "<credentials><deviceCert>TUlJ</deviceCert><zonePlayerId>RINCON_1</zonePlayerId>{}</credentials>",
    ],
)
def test_namespaces_and_strange_neighbours_do_not_matter(outer):
    """Only the place in the tree does."""
    assert Credentials(token="t") == credentials(login_token(token="t"), outer=outer)


@pytest.mark.parametrize(
    "authorization", ["Bearer t-._~+/0==", "bearer t-._~+/0==", "BEARER   t-._~+/0== ", " Bearer t-._~+/0=="]
)
def test_a_bearer_token(authorization):
    """The scheme in any case (RFC 9110, section 11.1), the token as RFC 6750 has it."""
    found = credentials(login_token(householdId="h"), authorization)

    assert Credentials(token="t-._~+/0==", household_id="h") == found


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic dTpw", "Digest a=b", "Bearertoken"]
)
def test_other_authorization_is_nobody(authorization):
    """An empty token, and schemes that belong to a proxy."""
    assert Credentials() == credentials("", authorization)


@pytest.mark.parametrize("token", ["a, Bearer b", "a b", "é", "a\tb", "=", "a=b", '"a"'])
def test_a_bearer_token_looks_like_one(token):
    """Two joined headers, for one, do not."""
    with pytest.raises(MalformedCall, match=r": The bearer token could not be one$"):
        credentials("", f"Bearer {token}")


def test_the_same_token_twice_is_one():
    """In the SOAP header and as bearer."""
    assert Credentials(token="t") == credentials(login_token(token="t"), "Bearer t")


@pytest.mark.parametrize(
    ("inner", "authorization"),
    [
        (login_token(token="t"), "Bearer u"),
        (login_token(token="t"), "Bearer T"),
        (login_token(token="t") + "<sessionId>s</sessionId>", None),
        (login_token(token="t") + "<login><username>u</username></login>", None),
        ("<sessionId>s</sessionId><login><username>u</username></login>", None),
        ("<sessionId>s</sessionId>", "Bearer t"),
    ],
)
def test_two_identities_are_none(inner, authorization):
    """A content server behind the gateway might take the other one."""
    words = (
        "Two tokens that differ"
        if "Bearer" in str(authorization) and "token" in inner
        else "Credentials of two kinds"
    )
    with pytest.raises(LoginUnauthorized, match=f": {words}$"):
        credentials(inner, authorization)


def test_an_empty_identity_does_not_count():
    """Clients send empty elements for what they do not have."""
    inner = login_token(token="", key="") + "<sessionId>s</sessionId><login><username/></login>"

    assert Credentials(session_id="s") == credentials(inner)


@pytest.mark.parametrize(
    "inner",
    [
        login_token(token="a") + login_token(token="b"),
        login_token(token="a") + login_token(key="b"),
        login_token(token="a") + "<loginToken/>",
        "<loginToken><token>a</token><token>a</token></loginToken>",
        '<loginToken><token>a</token><x:token xmlns:x="urn:x">b</x:token></loginToken>',
        "<deviceId>a</deviceId><deviceId/>",
        "<sessionId/><sessionId>a</sessionId>",
    ],
)
def test_nothing_stands_there_twice(inner):
    """Neither value nor empty, in whatever namespace."""
    with pytest.raises(MalformedCall, match=r": An element stands in the credentials twice$"):
        credentials(inner)


def test_there_is_one_credentials_element():
    """A second one, in another namespace, is a second one."""
    with pytest.raises(MalformedCall, match=r": An element stands in the credentials twice$"):
        credentials(outer='<credentials>{}</credentials><x:credentials xmlns:x="urn:x"/>')


@pytest.mark.parametrize("inner", ["a<b/>c", "<b>a</b>", "<!-- -->a", "a<!-- -->", "a<!-- -->b"])
def test_a_token_is_text_and_nothing_else(inner):
    """It cannot be split by an element or a comment."""
    with pytest.raises(MalformedCall):
        credentials(login_token(token=inner))


def test_everything_has_a_limit():
    """The limits of the schema, and 2048 for tokens, as the documentation of getDeviceAuthToken has it."""
    at_the_limit = {"token": MAX_TOKEN, "key": MAX_TOKEN, "householdId": 255}
    for name, limit in at_the_limit.items():
        credentials(login_token(**{name: "x" * limit}))
        with pytest.raises(MalformedCall, match=r": A value is too long$"):
            credentials(login_token(**{name: "x" * (limit + 1)}))
    for inner in (
        "<deviceId>{}</deviceId>",
        "<sessionId>{}</sessionId>",
        "<login><password>{}</password></login>",
    ):
        with pytest.raises(MalformedCall, match=r": A value is too long$"):
            credentials(inner.format("x" * 256))
    assert MAX_TOKEN == len(credentials("", "Bearer " + "x" * MAX_TOKEN).token)
    with pytest.raises(MalformedCall, match=r": The bearer token could not be one$"):
        credentials("", "Bearer " + "x" * (MAX_TOKEN + 1))


def test_repr_hides_what_opens_anything():
    """Credentials end up in tracebacks and logs."""
    secret = {name: f"hush-{name}" for name in ("token", "key", "session_id", "username", "password")}
    shown = repr(Credentials(household_id="Sonos_1", device_id="d", **secret))

    assert "Credentials(household_id='Sonos_1', device_id='d')" == shown
    assert {"token", "key", "household_id", "device_id", "session_id", "username", "password"} == set(
        Credentials.__struct_fields__
    )
