"""One template per result type: values in, the children of a SMAPI element out, in the order of the schema.

That is the schema of the Sonos WSDL 1.19.6. Templates and not trees, because a tree costs six times as much to
write. Every element carries the prefix `ns`, which the envelope declares: that is how the samples in Sonos's
documentation look, and every client that was run or read takes it. No value is ever an empty element: noson
reads a null pointer in an empty child of deviceLink.
"""

from collections.abc import Callable
from typing import Any

from gateway.smapi.results import (
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
from gateway.smapi.text import escape, legal

# Sonos WSDL 1.19.6: sonosUri, id, sessionId, nickname; the 2048 of a token is in the documentation,
# "getDeviceAuthToken".
_URI, _ID, _SESSION_ID, _NICKNAME, _TOKEN = 2048, 255, 128, 32, 2048


def required(name: str, value: str, *, limit: int | None = None) -> str:
    """An element that the schema demands.

    Raises:
        ValueError: it would be empty, or longer than `limit` characters. The value is not in the message.
    """
    return f"<ns:{name}>{_demanded(name, value, limit)}</ns:{name}>"


def optional(name: str, value: str | None, *, limit: int | None = None) -> str:
    """An element that may be left out, and is where its value is None or empty.

    Raises:
        ValueError: it would be longer than `limit` characters. The value is not in the message.
    """
    text = _limited(name, value, limit) if value else ""
    return f"<ns:{name}>{text}</ns:{name}>" if text else ""


def device_auth_token(result: DeviceAuthTokenResult) -> str:
    """The children of getDeviceAuthTokenResult and of refreshAuthTokenResult."""
    token = required("authToken", result.auth_token, limit=_TOKEN)
    key = required("privateKey", result.private_key, limit=_TOKEN)
    # S2 wants userIdHashCode before nickname (simojenki/bonob #283), which is the order of the schema anyway.
    user = "" if result.user_info is None else f"<ns:userInfo>{_user_info(result.user_info)}</ns:userInfo>"
    return token + key + user


def _demanded(name: str, value: str, limit: int | None) -> str:
    text = _limited(name, value, limit)
    if not text:
        raise ValueError(f"{name} must not be empty")
    return text


def _limited(name: str, value: str, limit: int | None) -> str:
    if limit is not None and len(value) > limit:
        raise ValueError(f"{name} must not have more than {limit} characters")
    return escape(value)


def _flag(name: str, value: bool | None) -> str:
    return "" if value is None else f"<ns:{name}>{'true' if value else 'false'}</ns:{name}>"


def _number(name: str, value: int | None) -> str:
    return "" if value is None else f"<ns:{name}>{value:d}</ns:{name}>"


def _app_link(result: AppLinkResult) -> str:
    parts = [f"<ns:authorizeAccount>{_app_link_info(result.authorize_account)}</ns:authorizeAccount>"]
    if result.create_account is not None:
        parts.append(f"<ns:createAccount>{_app_link_info(result.create_account)}</ns:createAccount>")
    if result.install_action is not None:
        parts.append(f"<ns:installAction>{_call_to_action(result.install_action)}</ns:installAction>")
    return "".join(parts)


def _app_link_info(info: AppLinkInfo) -> str:
    link = (
        ""
        if info.device_link is None
        else f"<ns:deviceLink>{_device_link_code(info.device_link)}</ns:deviceLink>"
    )
    return "".join(
        (
            optional("appUrl", info.app_url, limit=_URI),
            required("appUrlStringId", info.app_url_string_id),
            link,
            optional("failureStringId", info.failure_string_id),
            optional("failureUrl", info.failure_url, limit=_URI),
            optional("failureUrlStringId", info.failure_url_string_id),
        )
    )


def _instead_of_app_link(action: CallToAction) -> str:
    return f"<ns:callToAction>{_call_to_action(action)}</ns:callToAction>"


def _call_to_action(action: CallToAction) -> str:
    message = required("messageStringId", action.message_string_id)
    return message + optional("url", action.url, limit=_URI) + optional("urlStringId", action.url_string_id)


def _device_link_code(result: DeviceLinkCodeResult) -> str:
    return "".join(
        (
            required("regUrl", result.reg_url),
            required("linkCode", result.link_code),
            _flag("showLinkCode", result.show_link_code),
            optional("linkDeviceId", result.link_device_id),
        )
    )


def _user_info(user: UserInfo) -> str:
    return "".join(
        (
            required("userIdHashCode", user.user_id_hash_code),
            optional("accountTier", user.account_tier),
            optional("accountStatus", user.account_status),
            optional("nickname", user.nickname and legal(user.nickname)[:_NICKNAME]),
        )
    )


def _session_id(result: SessionIdResult) -> str:
    return _demanded("getSessionIdResult", result.session_id, _SESSION_ID)


def _last_update(update: LastUpdate) -> str:
    return "".join(
        (
            required("catalog", update.catalog),
            required("favorites", update.favorites),
            _number("pollInterval", update.poll_interval),
            _flag("autoRefreshEnabled", update.auto_refresh_enabled),
        )
    )


def _media_list(media: MediaList) -> str:
    parts = [_number("index", media.index), _number("count", len(media.items)), _number("total", media.total)]
    parts.extend(_collection(i) if isinstance(i, MediaCollection) else _track(i) for i in media.items)
    return "".join(parts)


def _described(item: MediaCollection | MediaMetadata) -> str:
    return (
        required("id", item.id, limit=_ID)
        + required("itemType", item.item_type)
        + required("title", item.title)
    )


def _collection(item: MediaCollection) -> str:
    return "".join(
        (
            "<ns:mediaCollection>",
            _described(item),
            optional("summary", item.summary),
            _flag("canPlay", item.can_play),
            _flag("canEnumerate", item.can_enumerate),
            optional("albumArtURI", item.album_art_uri),
            "</ns:mediaCollection>",
        )
    )


def _track(item: MediaMetadata) -> str:
    return "".join(
        (
            "<ns:mediaMetadata>",
            _described(item),
            required("mimeType", item.mime_type),
            "<ns:trackMetadata>",
            optional("artist", item.artist),
            optional("album", item.album),
            _number("duration", item.duration),
            optional("albumArtURI", item.album_art_uri),
            "</ns:trackMetadata></ns:mediaMetadata>",
        )
    )


def _nothing(_: EmptyResult) -> str:
    return ""


# Which types may answer which method, and how each is written. The first part of a key is a method of SMAPI.
TEMPLATES: dict[tuple[str, type], Callable[[Any], str]] = {
    ("getAppLink", AppLinkResult): _app_link,
    ("getAppLink", CallToAction): _instead_of_app_link,
    ("getDeviceLinkCode", DeviceLinkCodeResult): _device_link_code,
    ("getDeviceAuthToken", DeviceAuthTokenResult): device_auth_token,
    ("refreshAuthToken", DeviceAuthTokenResult): device_auth_token,
    ("getUserInfo", UserInfo): _user_info,
    ("getSessionId", SessionIdResult): _session_id,
    ("getLastUpdate", LastUpdate): _last_update,
    ("getMetadata", MediaList): _media_list,
    ("search", MediaList): _media_list,
    ("reportAccountAction", EmptyResult): _nothing,
    ("reportPlayStatus", EmptyResult): _nothing,
    ("reportStatus", EmptyResult): _nothing,
    ("setPlayedSeconds", EmptyResult): _nothing,
}
