"""Results: every type in the order of the schema, nothing empty, nothing lost."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smapi.envelope import render_result
from gateway.smapi.methods import METHODS
from gateway.smapi.rendering import TEMPLATES
from gateway.smapi.results import (
    AccountStatus,
    AccountTier,
    AppLinkInfo,
    AppLinkResult,
    CallToAction,
    DeviceAuthTokenResult,
    DeviceLinkCodeResult,
    EmptyResult,
    LastUpdate,
    MediaCollection,
    MediaList,
    MediaMetadata,
    SessionIdResult,
    UserInfo,
)
from tests.unit.smapi.soap import SMAPI, answer

# The elements of each type in the order of the Sonos WSDL 1.19.6; a `?` may be missing, a `*` may also come
# often.
APP_LINK_INFO = "appUrl? appUrlStringId deviceLink? failureStringId? failureUrl? failureUrlStringId?"
CALL_TO_ACTION = "messageStringId url? urlStringId?"
TOKENS = "authToken privateKey userInfo?"
ITEM = "id itemType semanticType? displayType? title summary?"
SEQUENCES = {
    "authorizeAccount": APP_LINK_INFO,
    "createAccount": APP_LINK_INFO,
    "installAction": CALL_TO_ACTION,
    "callToAction": CALL_TO_ACTION,
    "deviceLink": "regUrl linkCode showLinkCode linkDeviceId?",
    "getAppLinkResult": "authorizeAccount? createAccount? installAction? callToAction?",
    "getDeviceLinkCodeResult": "regUrl linkCode showLinkCode linkDeviceId?",
    "getDeviceAuthTokenResult": TOKENS,
    "refreshAuthTokenResult": TOKENS,
    "userInfo": "userIdHashCode accountTier? accountStatus? nickname?",
    "getUserInfoResult": "userIdHashCode accountTier? accountStatus? nickname?",
    "getLastUpdateResult": "catalog favorites pollInterval? autoRefreshEnabled?",
    "getMetadataResult": "index count total mediaCollection* mediaMetadata*",
    "searchResult": "index count total mediaCollection* mediaMetadata*",
    "mediaCollection": f"{ITEM} canScroll? canPlay? canEnumerate? canAddToFavorites? albumArtURI?",
    "mediaMetadata": f"{ITEM} mimeType trackMetadata",
    "trackMetadata": "artistId? artist? albumId? album? duration? rating? albumArtURI?",
}

LINK = DeviceLinkCodeResult(
    reg_url="https://a.example/?c=x&d", link_code="x1", show_link_code=True, link_device_id="s"
)
INFO = AppLinkInfo(
    app_url="acme://authorize?a=1&b=2",
    app_url_string_id="SIGN_IN",
    device_link=LINK,
    failure_string_id="FAILED",
    failure_url="https://a.example/help",
    failure_url_string_id="HELP",
)
CALL = CallToAction(message_string_id="GET_APP", url="https://a.example/app", url_string_id="STORE")
USER = UserInfo(
    user_id_hash_code="f00",
    account_tier=AccountTier.PAID_PREMIUM,
    account_status=AccountStatus.ACTIVE,
    nickname="Ann",
)
ITEMS = (
    MediaCollection(
        id="c",
        title="Lists",
        summary="All",
        can_play=False,
        can_enumerate=True,
        album_art_uri="https://a.example/c.png",
    ),
    MediaMetadata(
        id="t",
        title="Song",
        mime_type="audio/flac",
        artist="Ann",
        album="One",
        duration=180,
        album_art_uri="https://a.example/t.png",
    ),
)
FULL = {
    ("getAppLink", AppLinkResult): AppLinkResult(
        authorize_account=INFO, create_account=INFO, install_action=CALL
    ),
    ("getAppLink", CallToAction): CALL,
    ("getDeviceLinkCode", DeviceLinkCodeResult): LINK,
    ("getDeviceAuthToken", DeviceAuthTokenResult): DeviceAuthTokenResult(
        auth_token="t", private_key="k", user_info=USER
    ),
    ("refreshAuthToken", DeviceAuthTokenResult): DeviceAuthTokenResult(
        auth_token="t", private_key="k", user_info=USER
    ),
    ("getUserInfo", UserInfo): USER,
    ("getSessionId", SessionIdResult): SessionIdResult(session_id="s"),
    ("getLastUpdate", LastUpdate): LastUpdate(
        catalog="1", favorites="2", poll_interval=60, auto_refresh_enabled=False
    ),
    ("getMetadata", MediaList): MediaList(total=2, items=ITEMS),
    ("search", MediaList): MediaList(index=100, total=102, items=ITEMS),
    ("reportAccountAction", EmptyResult): EmptyResult(),
    ("reportPlayStatus", EmptyResult): EmptyResult(),
    ("reportStatus", EmptyResult): EmptyResult(),
    ("setPlayedSeconds", EmptyResult): EmptyResult(),
}


def sparse(value):
    """`value` with None for every field that may be None, all the way down."""
    if isinstance(value, tuple):
        return tuple(map(sparse, value))
    if not dataclasses.is_dataclass(value):
        return value
    kept = {
        field.name: None if field.default is None else sparse(getattr(value, field.name))
        for field in dataclasses.fields(value)
    }
    return type(value)(**kept)


def expression(sequence):
    """The regular expression for the names of the children, each with a blank behind it."""
    return re.sub(r"(\w+)([?*]?) ?", r"(?:\1 )\2", sequence)


def check_order(name, children):
    """Every element below has the children that SEQUENCES gives it, in that order, or text."""
    if name not in SEQUENCES:
        assert isinstance(children, str), f"{name} is empty, or not in SEQUENCES"
        return
    children = children or []
    assert re.fullmatch(expression(SEQUENCES[name]), "".join(f"{child} " for child, _ in children))
    for child, grandchildren in children:
        check_order(child, grandchildren)


def test_every_template_has_an_example():
    """And belongs to a method of SMAPI."""
    assert set(FULL) == set(TEMPLATES)
    assert {method for method, _ in TEMPLATES} <= set(METHODS)


@pytest.mark.parametrize("key", [key for key in FULL if key[1] is not EmptyResult], ids=lambda key: key[0])
@pytest.mark.parametrize("thin", [False, True], ids=["full", "sparse"])
def test_elements_stand_in_the_order_of_the_schema(key, thin):
    """With every optional value, and with none."""
    method = key[0]

    name, children = answer(render_result(method, sparse(FULL[key]) if thin else FULL[key]))

    assert f"{method}Response" == name
    ((result, content),) = children
    assert f"{method}Result" == result
    check_order(result, content)


def test_all_elements_are_in_the_smapi_namespace():
    """The schema has elementFormDefault qualified, and SOAP's own elements are SOAP's."""
    rendered = render_result("getAppLink", FULL["getAppLink", AppLinkResult]).decode()

    assert {"ns", "soap"} == set(re.findall(r"</?(\w+):", rendered))
    assert 1 == rendered.count(f'xmlns:ns="{SMAPI}"')
    assert [] == re.findall(r"</?\w+[ />]", rendered)


def test_a_full_app_link():
    """Value by value."""
    link = [
        ("regUrl", "https://a.example/?c=x&d"),
        ("linkCode", "x1"),
        ("showLinkCode", "true"),
        ("linkDeviceId", "s"),
    ]
    info = [
        ("appUrl", "acme://authorize?a=1&b=2"),
        ("appUrlStringId", "SIGN_IN"),
        ("deviceLink", link),
        ("failureStringId", "FAILED"),
        ("failureUrl", "https://a.example/help"),
        ("failureUrlStringId", "HELP"),
    ]
    call = [("messageStringId", "GET_APP"), ("url", "https://a.example/app"), ("urlStringId", "STORE")]

    _, [(_, content)] = answer(render_result("getAppLink", FULL["getAppLink", AppLinkResult]))

    assert [("authorizeAccount", info), ("createAccount", info), ("installAction", call)] == content


def test_an_app_link_for_a_browser_alone():
    """No appUrl, and nothing empty: noson crashes on an empty child of deviceLink."""
    info = AppLinkInfo(
        app_url="",
        app_url_string_id="SIGN_IN",
        device_link=DeviceLinkCodeResult(reg_url="https://a.example", link_code="x1", link_device_id=""),
    )

    _, [(_, content)] = answer(render_result("getAppLink", AppLinkResult(authorize_account=info)))

    link = [("regUrl", "https://a.example"), ("linkCode", "x1"), ("showLinkCode", "false")]
    assert [("authorizeAccount", [("appUrlStringId", "SIGN_IN"), ("deviceLink", link)])] == content


def test_a_token_pair_with_its_user():
    """Sonos takes userIdHashCode before nickname only."""
    _, [(_, content)] = answer(
        render_result("getDeviceAuthToken", FULL["getDeviceAuthToken", DeviceAuthTokenResult])
    )

    user = [
        ("userIdHashCode", "f00"),
        ("accountTier", "paidPremium"),
        ("accountStatus", "active"),
        ("nickname", "Ann"),
    ]
    assert [("authToken", "t"), ("privateKey", "k"), ("userInfo", user)] == content


def test_a_session_id_is_plain_text():
    """It has no children."""
    assert ("getSessionIdResponse", [("getSessionIdResult", "s<1")]) == answer(
        render_result("getSessionId", SessionIdResult(session_id="s<1"))
    )


def test_a_report_is_answered_with_nothing():
    """The WSDL has the response empty."""
    assert ("reportAccountActionResponse", None) == answer(
        render_result("reportAccountAction", EmptyResult())
    )


def test_a_list_counts_its_items():
    """And an empty one is a list too."""
    _, [(_, empty)] = answer(render_result("getMetadata", MediaList()))
    _, [(_, some)] = answer(render_result("search", MediaList(index=100, total=102, items=ITEMS)))

    assert [("index", "0"), ("count", "0"), ("total", "0")] == empty
    assert [("index", "100"), ("count", "2"), ("total", "102")] == some[:3]


@pytest.mark.parametrize(
    ("method", "content"),
    [
        ("getAppLink", LastUpdate(catalog="1", favorites="2")),
        ("getDeviceAuthToken", EmptyResult()),
        ("getWeather", EmptyResult()),
    ],
)
def test_a_method_is_answered_with_its_own_type(method, content):
    """Anything else is a mistake of ours."""
    with pytest.raises(TypeError, match=f"{method} is not answered with {type(content).__name__}"):
        render_result(method, content)


@pytest.mark.parametrize("empty", ["", "\0\x01"])
@pytest.mark.parametrize(
    ("method", "content"),
    [
        ("getDeviceAuthToken", lambda value: DeviceAuthTokenResult(auth_token=value, private_key="k")),
        ("getDeviceAuthToken", lambda value: DeviceAuthTokenResult(auth_token="t", private_key=value)),
        ("getDeviceLinkCode", lambda value: DeviceLinkCodeResult(reg_url=value, link_code="c")),
        ("getDeviceLinkCode", lambda value: DeviceLinkCodeResult(reg_url="u", link_code=value)),
        ("getUserInfo", lambda value: UserInfo(user_id_hash_code=value)),
        ("getSessionId", lambda value: SessionIdResult(session_id=value)),
        ("getLastUpdate", lambda value: LastUpdate(catalog=value, favorites="1")),
        ("getAppLink", lambda value: CallToAction(message_string_id=value)),
    ],
)
def test_what_must_be_there_is_never_empty(method, content, empty):
    """Clients store an empty token, and crash on an empty link code."""
    with pytest.raises(ValueError, match=r"^[a-zA-Z]+ must not be empty$"):
        render_result(method, content(empty))


@pytest.mark.parametrize(
    ("method", "content", "name", "limit"),
    [
        (
            "getDeviceAuthToken",
            lambda value: DeviceAuthTokenResult(auth_token=value, private_key="k"),
            "authToken",
            2048,
        ),
        (
            "getDeviceAuthToken",
            lambda value: DeviceAuthTokenResult(auth_token="t", private_key=value),
            "privateKey",
            2048,
        ),
        ("getSessionId", lambda value: SessionIdResult(session_id=value), "getSessionIdResult", 128),
        ("getAppLink", lambda value: CallToAction(message_string_id="M", url=value), "url", 2048),
        ("getAppLink", lambda value: app_link(app_url=value), "appUrl", 2048),
        ("getAppLink", lambda value: app_link(failure_url=value), "failureUrl", 2048),
        ("search", lambda value: MediaList(items=(MediaCollection(id=value, title="T"),)), "id", 255),
    ],
)
def test_what_has_a_limit_keeps_it(method, content, name, limit):
    """And the mistake names the element and does not show the value."""
    render_result(method, content("s" * limit))
    with pytest.raises(ValueError, match=f"^{name} must not have more than {limit} characters") as caught:
        render_result(method, content("s" * (limit + 1)))
    assert "sss" not in str(caught.value)


def app_link(**values):
    """An app link with these values beside the one that it has to have."""
    return AppLinkResult(authorize_account=AppLinkInfo(app_url_string_id="SIGN_IN", **values))


def test_a_long_nickname_is_cut():
    """It comes from an identity provider, and linking must not fail for it."""
    _, [(_, content)] = answer(
        render_result("getUserInfo", UserInfo(user_id_hash_code="f", nickname="\0" + "é" * 40))
    )

    assert ("nickname", "é" * 32) == content[1]


LEGAL = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=("Cs",), exclude_characters="\ufffe\uffff"),
    min_size=1,
)


@given(LEGAL, LEGAL, LEGAL)
def test_values_arrive_as_they_were_given(token, key, nickname):
    """Any text that XML can carry."""
    pair = DeviceAuthTokenResult(
        auth_token=token, private_key=key, user_info=UserInfo(user_id_hash_code="f", nickname=nickname)
    )

    _, [(_, content)] = answer(render_result("refreshAuthToken", pair))

    user = [("userIdHashCode", "f"), ("nickname", nickname[:32])]
    assert [("authToken", token), ("privateKey", key), ("userInfo", user)] == content


def test_repr_hides_what_opens_anything():
    """Results end up in tracebacks and logs."""
    assert "DeviceLinkCodeResult(show_link_code=True)" == repr(LINK)
    assert "app_url='" not in repr(INFO)
    assert "SessionIdResult()" == repr(SessionIdResult(session_id="s"))
    assert "DeviceAuthTokenResult(user_info=None)" == repr(
        DeviceAuthTokenResult(auth_token="t", private_key="k")
    )


def test_a_last_update_value_by_value():
    """With all it can have, and with the two that it has to."""
    full, sparse_one = (
        answer(render_result("getLastUpdate", update))
        for update in (FULL["getLastUpdate", LastUpdate], LastUpdate(catalog="1", favorites="2"))
    )

    tokens = [("catalog", "1"), ("favorites", "2")]
    times = [("pollInterval", "60"), ("autoRefreshEnabled", "false")]
    assert ("getLastUpdateResponse", [("getLastUpdateResult", [*tokens, *times])]) == full
    assert ("getLastUpdateResponse", [("getLastUpdateResult", tokens)]) == sparse_one


def test_a_list_item_by_item():
    """A collection and a track, each value in its place."""
    _, [(_, content)] = answer(render_result("getMetadata", FULL["getMetadata", MediaList]))

    collection = [
        *[("id", "c"), ("itemType", ITEMS[0].item_type), ("title", "Lists"), ("summary", "All")],
        *[("canPlay", "false"), ("canEnumerate", "true"), ("albumArtURI", "https://a.example/c.png")],
    ]
    song = [
        *[("artist", "Ann"), ("album", "One"), ("duration", "180")],
        ("albumArtURI", "https://a.example/t.png"),
    ]
    track = [
        *[("id", "t"), ("itemType", ITEMS[1].item_type), ("title", "Song"), ("mimeType", "audio/flac")],
        ("trackMetadata", song),
    ]
    assert [("mediaCollection", collection), ("mediaMetadata", track)] == content[3:]


def test_a_pair_alone():
    """Without its user nothing stands in the user's place."""
    _, [(_, content)] = answer(
        render_result("refreshAuthToken", DeviceAuthTokenResult(auth_token="t", private_key="k"))
    )

    assert [("authToken", "t"), ("privateKey", "k")] == content
