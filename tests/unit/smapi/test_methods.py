"""Which method a request names."""

import pytest

from gateway.smapi.faults import MalformedCall
from gateway.smapi.methods import METHODS, NAMESPACE, agreed_method


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_its_spelling(method):
    """As clients send it, and with the case of both sides wrong."""
    assert method == agreed_method(method, f'"{NAMESPACE}#{method}"')
    assert method == agreed_method(method.upper(), f'"{NAMESPACE}#{method.lower()}"')


@pytest.mark.parametrize(
    "soap_action",
    [
        f'"{NAMESPACE}#getAppLink"',
        f"{NAMESPACE}#getAppLink",
        f"'{NAMESPACE}#getAppLink'",
        f' "{NAMESPACE}#getApplink" ',
        f'"{NAMESPACE}/getAppLink"',
        '"#getAppLink"',
        f'"{NAMESPACE}#other/getAppLink"',
        '"urn:a#b#getAppLink"',
        '"urn:a/b/getAppLink"',
        "urn:sonos/getAppLink",
        "getAppLink",
        # These name no method.
        None,
        "",
        '""',
        " ",
        f'"{NAMESPACE}"',
        f'"{NAMESPACE}#"',
        '"urn:sonos"',
        '"#get App Link"',
        '"#' + "x" * 65 + '"',
    ],
)
def test_ways_to_name_a_method_or_none(soap_action):
    """Quoted or not, after `#` or `/`, in any case; and a header that names none leaves it to the Body."""
    assert "getAppLink" == agreed_method("getAppLink", soap_action)


@pytest.mark.parametrize(
    ("element", "soap_action"),
    [
        ("getAppLink", "getMetadata"),
        ("search", "getAppLink"),
        ("getAppLink", "search"),
        ("getAppLink", "getAppLinkX"),
        ("unknown", "getAppLink"),
        ("unknown", "unheard"),
    ],
)
def test_two_methods_are_none(element, soap_action):
    """A server that reads SOAPAction and one that reads the Body must not see two requests."""
    with pytest.raises(MalformedCall, match=r": SOAPAction and Body name different methods$"):
        agreed_method(element, f'"{NAMESPACE}#{soap_action}"')


def test_an_unknown_method_keeps_the_spelling_of_the_body():
    """SMAPI has no spelling for it."""
    assert "getWeather" == agreed_method("getWeather", '"#GETWEATHER"')


@pytest.mark.parametrize("name", ["x" * 65, "get-App-Link", "get.App", "gétAppLink", "ɢetAppLink"])
def test_a_method_has_a_plain_name(name):
    """What goes into logs and metrics is 1 to 64 of [A-Za-z0-9_]."""
    with pytest.raises(
        MalformedCall,
        match=r": The element in the Body does not have the name of a method$",
    ):
        agreed_method(name, None)
