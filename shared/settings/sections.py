"""The sections of the settings: what belongs together, with its defaults and bounds."""

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.domain.account import AccountTier
from shared.domain.grant import ReusePolicy, TokenKind
from shared.domain.link_code import LONGEST_LIFETIME
from shared.settings.apps import AppSettings
from shared.settings.base import Section as Section  # noqa: PLC0414 - sections of other modules have it from here
from shared.settings.brand import BrandSettings

PREFIX = "LATCHKEY_"
LONGEST_ISSUER = 47
"""Characters of issuer and service name together that still fit into a token of 350 characters."""
ENDPOINT = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[!\"$-~]*)?")
"""An address to call: no user or password before the host, no fragment behind the path."""
NAME = r"^[a-z][a-z0-9-]{0,31}$"
ApiRole = Literal["introspect", "revoke"]
Seconds = Annotated[int, Field(gt=0)]
Auth = Literal["link", "session_id", "stateless", "anonymous"]
"""How households of a service prove who they are."""


class CreateAccountSettings(Section):
    """The sign-up choice that Sonos shows beside sign-in."""

    app_url: str | None = Field(None, max_length=2048)
    """Deep link into the service's app; without it, Sonos opens the sign-up page registered in its portal."""
    string_id: str = "CREATE_NEW"
    """Id of the button's label in the strings registered with Sonos."""


class ContentSettings(Section):
    """The service's own SMAPI endpoint: every method that is not Latchkey's is checked, then passed on to it."""

    url: str = Field(max_length=2048)
    """The service's own SMAPI endpoint, such as `http://content.internal/smapi`; without it, the small built-in answers stay."""
    pass_on: frozenset[Literal["getLastUpdate", "getUserInfo", "reportAccountAction"]] = frozenset()
    """Which of `getLastUpdate`, `getUserInfo` and `reportAccountAction` are passed on, too."""
    connect_timeout: float = Field(2.0, gt=0, le=10)
    """Seconds until a connection to the endpoint is there, or free."""
    timeout: float = Field(15.0, gt=0, le=300)
    """Seconds until the last byte of an answer has gone to Sonos, whose own patience ends after 20, for a search after 40."""
    max_answer: int = Field(16 * 1024 * 1024, ge=1024)
    """Bytes of an answer; a longer one is refused, or cut where it exceeds them."""


class ServiceSettings(Section):
    """One music service as Sonos knows it: one SMAPI endpoint, one name."""

    title: str = Field("Latchkey", min_length=1, max_length=64)
    """What people call the service; shown on every page."""
    brand: BrandSettings = BrandSettings()
    app_url: str | None = Field(None, max_length=2048)
    """Deep link into the service's app, with `{linkCode}`, `{householdId}`, `{callbackPath}`, `{state}` and `{redirectUri}`; none: browser only."""
    app: AppSettings | None = None
    """More about that app; see `docs/app-authentication.md`."""
    sign_in_string_id: str = "SIGN_IN"
    """Id of the sign-in button's label in the strings registered with Sonos."""
    typed_codes: bool = False
    """Let `getDeviceLinkCode` answer with a short code that a person types on the page `/enter` of any device."""
    providers: tuple[str, ...] = ()
    """Where people of this service sign in, by the names under `providers`, in the order shown; none named: all there are."""
    create_account: CreateAccountSettings | None = None
    """Offer sign-up beside sign-in."""
    poll_interval: int = Field(60, ge=30, le=3600)
    """Seconds between `getLastUpdate` calls of an app."""
    content: ContentSettings | None = None
    """Where the service's content is."""
    auth: Auth = "link"
    """How households prove who they are: `link` (AppLink and DeviceLink), or what Sonos no longer recommends."""
    tiers: tuple[AccountTier, ...] = ()
    """Account tiers that may have a session or be upgraded; none named: all may."""
    upgrade_from: tuple[Literal["session_id", "stateless", "anonymous", "device_link"], ...] = ()
    """With `auth = "link"`: the earlier kinds of credentials for which households get a token pair."""
    upgrade_of: str | None = Field(None, pattern=NAME)
    """The service, by name, whose households come over; default: this one, under its earlier `auth`."""
    upgrade: Literal["automatic", "sign_in_again"] = "automatic"
    """What earlier credentials get: a pair, or the request to sign in again."""


class ApiKeySettings(Section):
    """A key with which the service's own back end may call the API under `/api/`."""

    secret_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the key, in hex. Make the key of 32 random bytes: `openssl rand -hex 32`; hash it with `printf %s KEY` piped into `sha256sum`."""
    services: tuple[str, ...] = ("default",)
    """The services it may ask for."""


class LinkSettings(Section):
    """How a household gets linked."""

    lifetime: Annotated[int, Field(ge=60, le=LONGEST_LIFETIME)] = 600
    """Seconds a link code lives. Sonos polls for seven to eight minutes."""
    device_id: Literal["required", "checked_if_sent", "ignored"] = "required"
    """Whether the `linkDeviceId` we minted has to come back; some third-party controllers send their own."""
    max_password_failures: int = Field(5, ge=1, le=100)
    """Wrong passwords that burn a link."""


class TokenSettings(Section):
    """How long tokens and grants live; seconds."""

    issuer: str | None = Field(None, min_length=1, max_length=64)
    """The `iss` of every token; default: host of the public URL."""
    kind: TokenKind = TokenKind.REFRESHING
    """What becomes of a stale token: a successor, or (`reauthenticate`, `permanent`) the household links again; `permanent` tokens live for `absolute`."""
    lifetime: Seconds = 3600
    """How long a token lives, unless it is permanent."""
    jitter: float = Field(0.05, ge=0, le=0.5)
    """Largest share by which a lifetime is shortened at random."""
    idle: Seconds = 180 * 86400
    """Unused for so long: the household has to link again."""
    absolute: Seconds = 730 * 86400
    """Linked for so long: the household has to link again."""
    private_key: Literal["derived", "sentinel"] = "derived"
    """What Sonos gets as `privateKey`: a derived key, or Sonos's own word for "there is none"."""


class ApiClientSettings(Section):
    """A program of the service's own that may ask about tokens, or end them."""

    secret_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256, in lower-case hex, of a long random secret; see `docs/token-api.md` for how to make both."""
    roles: frozenset[ApiRole] = Field(min_length=1)
    """What it may do: `introspect`, `revoke`."""
    may_act_for: frozenset[str] = Field(frozenset({"default"}), min_length=1)
    """The services whose tokens it may ask about; all others are unknown to it."""


class RefreshSettings(Section):
    """How a stale token gets its successor."""

    without_key: bool = True
    """Whether a genuine stale token alone is enough; Sonos does not send the key with every call."""
    reuse: ReusePolicy = ReusePolicy.REVOKE
    """An old token comes back after its successor was in use and after the overlap: end the family, or only refuse."""
    overlap: Seconds = 24 * 3600
    """Seconds for which an earlier generation is still answered with the current pair."""
    timeout: float = Field(4.0, gt=0, le=8)
    """Seconds a call waits for its successor before Sonos is asked to come again."""


class SessionSettings(Section):
    """Sessions of services that have no tokens: `auth = "session_id"` and `"stateless"`."""

    idle: Seconds = 30 * 86400
    """Seconds after which an unused session is over; Sonos then signs in again by itself."""
    absolute: Seconds = 365 * 86400
    """Seconds after which every session is over."""
    most: int = Field(16, ge=1, le=1000)
    """Sessions of an account in one household; one more ends the oldest."""
    remembered: Seconds = 3600
    """With `stateless`: seconds for which a gateway does not have the same password verified again."""
    timeout: float = Field(4.0, gt=0, le=8)
    """Seconds a call waits for its credentials to be judged before Sonos is asked to come again."""


class LimitSettings(Section):
    """How many wrong passwords are free before a wait, which then doubles with each further one; see `docs/limits.md`."""

    place_tries: int = Field(5, ge=1, le=100)
    """For one account, from one network, browser or household."""
    account_tries: int = Field(20, ge=1, le=1000)
    """For one account, from everywhere where it was never signed in to; who signed in there before is not concerned."""
    network_tries: int = Field(50, ge=1, le=100_000)
    """From one network (/24 or /48) within an hour, whatever the account; a browser or household that signed in before is not concerned."""
    first_delay: int = Field(30, ge=1, le=3600)
    """Seconds of the first wait."""
    longest_delay: int = Field(1800, ge=1, le=86400)
    """Seconds of the longest wait."""
    memory: int = Field(86400, ge=60, le=30 * 86400)
    """Seconds for which a wrong password counts against an account."""
    known: int = Field(180 * 86400, ge=3600)
    """Seconds for which a network, browser or household is remembered after a sign-in."""


class WebhookSettings(Section):
    """Where the service is told what happened; see `docs/webhooks.md`."""

    url: str = Field(max_length=2048)
    """Address that gets the signed POSTs, such as `https://api.example.com/hooks/latchkey`."""
    secret: SecretStr
    """`whsec_` and 24 to 64 random bytes in base64: `echo whsec_$(openssl rand -base64 32)`."""


class RetentionSettings(Section):
    """What is deleted when."""

    links: Seconds = 7 * 86400
    """Seconds an expired link is kept, to tell afterwards what happened."""
    notices: Seconds = 90 * 86400
    """Seconds for which it is kept what the webhook tells, and told again where nobody took it."""
    audit: Seconds = 730 * 86400
    """Seconds an event of the audit log is kept."""
    interval: Seconds = 60
    """Seconds between two rounds of deletion."""
