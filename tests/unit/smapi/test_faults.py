"""Faults: every class is rendered as SOAP 1.1 and SMAPI want it, and as clients read it."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.smapi import faults
from gateway.smapi.envelope import CONTENT_TYPE, FAULT_STATUS, render_fault
from gateway.smapi.faults import (
    FAULTS,
    AuthTokenExpired,
    Fault,
    LoginUnauthorized,
    NotLinkedFailure,
    NotLinkedRetry,
    ServiceUnavailable,
    ServiceUnknownError,
    TokenRefreshRequired,
)
from gateway.smapi.results import AccountTier, DeviceAuthTokenResult, UserInfo
from tests.unit.smapi.soap import SMAPI, SOAP, fault

PAIR = DeviceAuthTokenResult(auth_token="a.b.c", private_key="k1")
EXAMPLES = [
    TokenRefreshRequired(PAIR)
    if kind is TokenRefreshRequired
    else kind("r-17")
    if kind is ServiceUnknownError
    else kind()
    for kind in FAULTS
]


def test_every_class_is_in_the_table():
    """A fault that is not in FAULTS would not be rendered ahead of time, nor tested here."""
    classes = {
        c for _, c in inspect.getmembers(faults, inspect.isclass) if issubclass(c, Fault) and c is not Fault
    }

    assert classes == set(FAULTS)
    assert len(FAULTS) == len({kind.code for kind in FAULTS})


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.code)
def test_a_fault_has_code_string_and_sometimes_detail(example):
    """In that order, without namespace or prefix; detail where there is a number or a token pair."""
    (rendered,) = etree.fromstring(render_fault(example))[0]
    names = [child.tag for child in rendered]

    assert f"{{{SOAP}}}Fault" == rendered.tag
    assert ["faultcode", "faultstring", "detail"][: len(names)] == names
    assert example.code == rendered.findtext("faultcode")
    assert example.string == rendered.findtext("faultstring")
    assert (example.sonos_error is not None or isinstance(example, TokenRefreshRequired)) == (
        "detail" in names
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.code)
def test_no_fault_is_taken_for_another(example):
    """The Sonos self test and several clients look for a code anywhere in code and string together."""
    said = (example.code + " " + example.string).lower()
    others = {kind.code.partition(".")[2].lower() for kind in FAULTS if kind is not type(example)}
    others |= {"invalidtoken", "token expired", "invalid linkcode"}

    assert [] == [other for other in others if other in said]
    assert example.code.partition(".")[0] in {"Client", "Server"}


@pytest.mark.parametrize(("example", "number"), [(NotLinkedRetry(), "5"), (NotLinkedFailure(), "6")])
def test_link_faults_carry_the_number_sonos_wants(example, number):
    """In the order of the WSDL's customFault, directly below detail, in the SMAPI namespace."""
    (rendered,) = etree.fromstring(render_fault(example))[0]

    assert [(f"{{{SMAPI}}}SonosError", number), (f"{{{SMAPI}}}ExceptionInfo", example.exception_info)] == [
        (child.tag, child.text) for child in rendered.find("detail")
    ]


@pytest.mark.parametrize("kind", [AuthTokenExpired, ServiceUnavailable])
def test_these_have_no_number(kind):
    """The self test would prefer it to the code."""
    assert kind.sonos_error is None


def test_a_refresh_carries_the_new_pair():
    """First child of detail, and the string to the letter, attribute and all."""
    pair = DeviceAuthTokenResult(
        auth_token="a.b.c",
        private_key="k&1",
        user_info=UserInfo(user_id_hash_code="f0", account_tier=AccountTier.FREE),
    )

    rendered = render_fault(TokenRefreshRequired(pair))

    assert b'<faultstring xml:lang="en">tokenRefreshRequired</faultstring>' in rendered
    assert [
        (
            "refreshAuthTokenResult",
            [
                ("authToken", "a.b.c"),
                ("privateKey", "k&1"),
                ("userInfo", [("userIdHashCode", "f0"), ("accountTier", "free")]),
            ],
        )
    ] == fault(rendered)["detail"]
    first = etree.fromstring(rendered).find(".//detail")[0]
    assert {f"{{{SMAPI}}}refreshAuthTokenResult"} == {first.tag}
    assert [f"{{{SMAPI}}}authToken", f"{{{SMAPI}}}privateKey"] == [child.tag for child in first[:2]]


def test_a_refresh_without_a_pair_is_never_sent():
    """Clients such as noson store empty tokens as they come, and the household is lost."""
    for pair in (
        DeviceAuthTokenResult(auth_token="", private_key="k"),
        DeviceAuthTokenResult(auth_token="t", private_key=""),
    ):
        with pytest.raises(ValueError, match="must not be empty"):
            render_fault(TokenRefreshRequired(pair))


def test_an_unknown_error_gives_its_reference_and_nothing_else():
    """The cause stays in the log."""
    assert (
        "The service failed, reference r-17"
        == fault(render_fault(ServiceUnknownError("r-17")))["faultstring"]
    )
    assert "r-17" == ServiceUnknownError("r-17").reference


def test_a_fault_can_say_more():
    """And is then not the constant one."""
    assert "Two tokens" == fault(render_fault(LoginUnauthorized("Two tokens")))["faultstring"]
    assert LoginUnauthorized.string == fault(render_fault(LoginUnauthorized()))["faultstring"]


@pytest.mark.parametrize("kind", [NotLinkedRetry, NotLinkedFailure])
def test_what_a_fault_says_more_takes_nothing_away(kind):
    """Number and explanation stay, where Sonos looks for them."""
    said = fault(render_fault(kind("In other words")))

    detail = [("SonosError", str(kind.sonos_error)), ("ExceptionInfo", kind.exception_info)]
    assert {"faultcode": kind.code, "faultstring": "In other words", "detail": detail} == said


@pytest.mark.parametrize(("number", "words"), [(7, None), (None, "words")])
def test_half_a_detail_is_none(number, words):
    """The two go together (Sonos WSDL 1.19.6, customFault)."""

    class Half(Fault):
        code = "Client.Half"
        string = "half"
        sonos_error = number
        exception_info = words

    assert {"faultcode": "Client.Half", "faultstring": "half"} == fault(render_fault(Half()))


def test_constant_faults_are_rendered_once():
    """A poll is answered with the same bytes object every time."""
    assert render_fault(NotLinkedRetry()) is render_fault(NotLinkedRetry())


def test_a_fault_of_somebody_else_is_rendered_all_the_same():
    """A subclass that the table does not know is not an error."""

    class Odd(Fault):
        code = "Client.Odd"
        string = "odd"

    assert {"faultcode": "Client.Odd", "faultstring": "odd"} == fault(render_fault(Odd()))


@given(st.text())
def test_any_string_is_well_formed(string):
    """Whatever a fault says."""
    assert "Client.LoginUnauthorized" == fault(render_fault(LoginUnauthorized(string)))["faultcode"]


def test_str_and_repr_hide_the_pair():
    """Exceptions end up in tracebacks and logs."""
    raised = TokenRefreshRequired(PAIR)

    assert "Client.TokenRefreshRequired: tokenRefreshRequired" == str(raised)
    assert "TokenRefreshRequired('Client.TokenRefreshRequired: tokenRefreshRequired')" == repr(raised)
    assert "DeviceAuthTokenResult(user_info=None)" == repr(raised.renewed)


def test_every_docstring_says_when_and_what_next():
    """Sent when …; Sonos …; and where that is written."""
    for kind in FAULTS:
        assert kind.__doc__.startswith("Sent ")
        assert "Sonos " in kind.__doc__


def test_how_a_fault_travels():
    """HTTP 500 and text/xml, always."""
    assert (500, "text/xml; charset=utf-8") == (FAULT_STATUS, CONTENT_TYPE)
