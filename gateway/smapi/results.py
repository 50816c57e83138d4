"""What a call may be answered with: one frozen value per SMAPI result, in Latchkey's names.

Field order is the order of the Sonos WSDL 1.19.6. None means that the element is left out. A value that must
be there may not be empty, and what opens anything is kept out of repr.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from shared.domain.account import AccountTier

ItemType = Literal[
    "artist",
    "album",
    "genre",
    "playlist",
    "track",
    "search",
    "stream",
    "show",
    "program",
    "favorites",
    "favorite",
    "collection",
    "container",
    "albumList",
    "trackList",
    "streamList",
    "artistTrackList",
    "audiobook",
    "other",
]


class AccountStatus(StrEnum):
    """Whether a listener's account works, in SMAPI's words (userAccountStatus)."""

    ACTIVE = "active"
    RESTRICTED = "restricted"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLinkCodeResult:
    """Answers getDeviceLinkCode, and is the browser's way inside an `AppLinkInfo`.

    `link_code` has at most 32 characters: S2 fails to add a service whose code is longer (simojenki/bonob
    #283).
    """

    reg_url: str = field(repr=False)
    link_code: str = field(repr=False)
    show_link_code: bool = False
    link_device_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLinkInfo:
    """One choice of a getAppLink answer: the service's app, the browser, or both.

    The string ids name texts that the service registered with Sonos. A service without an app leaves
    `app_url` out: the WSDL's comment calls it required, its schema does not, and Spotify's answer has none.
    """

    app_url: str | None = field(default=None, repr=False)
    app_url_string_id: str
    device_link: DeviceLinkCodeResult | None = None
    failure_string_id: str | None = None
    failure_url: str | None = None
    failure_url_string_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallToAction:
    """Tells a listener what to do instead; alone it answers getAppLink where no link fits the device."""

    message_string_id: str
    url: str | None = None
    url_string_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLinkResult:
    """Answers getAppLink: sign in, perhaps sign up, perhaps how to get the app."""

    authorize_account: AppLinkInfo
    create_account: AppLinkInfo | None = None
    install_action: CallToAction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """Answers getUserInfo, and comes with a token pair.

    `user_id_hash_code` never changes for an account and has neither `@` nor `.` in it (Sonos Python self test
    1.2.0). A nickname is cut at 32 characters, as the schema wants.
    """

    user_id_hash_code: str
    account_tier: AccountTier | None = None
    account_status: AccountStatus | None = None
    nickname: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAuthTokenResult:
    """Answers getDeviceAuthToken and refreshAuthToken: a token pair, each at most 2048 characters.

    `private_key` is never empty: without it S2 gives up adding the service (simojenki/bonob #283) and SoCo
    0.32 fails.
    """

    auth_token: str = field(repr=False)
    private_key: str = field(repr=False)
    user_info: UserInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIdResult:
    """Answers getSessionId, with at most 128 characters: the credentials that bring it back hold no more."""

    session_id: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastUpdate:
    """Answers getLastUpdate: versions that change when the catalog or the listener's favorites do.

    `poll_interval` is in seconds; Sonos takes 30 to 3600 (Sonos documentation, "getLastUpdate").
    """

    catalog: str
    favorites: str
    poll_interval: int | None = None
    auto_refresh_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaCollection:
    """Something in a list that opens, such as a playlist or a menu."""

    id: str
    item_type: ItemType = "container"
    title: str
    summary: str | None = None
    can_play: bool | None = None
    can_enumerate: bool | None = None
    album_art_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaMetadata:
    """Something in a list that plays: a track. `duration` is in seconds."""

    id: str
    item_type: ItemType = "track"
    title: str
    mime_type: str
    artist: str | None = None
    album: str | None = None
    duration: int | None = None
    album_art_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaList:
    """Answers getMetadata and search: the items from `index` on, out of `total`."""

    index: int = 0
    total: int = 0
    items: tuple[MediaCollection | MediaMetadata, ...] = ()


@dataclass(frozen=True, slots=True)
class EmptyResult:
    """Answers the methods that only report something, such as reportAccountAction.

    The Sonos WSDL 1.19.6 has their responses empty; the documentation's sample of this one has an empty
    child. Both work, and this is the one that validates.
    """


Result = (
    AppLinkResult
    | CallToAction
    | DeviceLinkCodeResult
    | DeviceAuthTokenResult
    | UserInfo
    | SessionIdResult
    | LastUpdate
    | MediaList
    | EmptyResult
)
