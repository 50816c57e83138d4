"""Every setting: one object, read once, all problems reported at once, unknown names refused.

Sources, strongest first: arguments of the command, the environment (`LATCHKEY_PUBLIC_URL`, nested with two underscores:
`LATCHKEY_TOKENS__LIFETIME`), then the TOML file that `LATCHKEY_CONFIG` names.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import TomlConfigSettingsSource as TomlSource

from shared.domain.account import AccountTier
from shared.domain.grant import Lifetimes, ReusePolicy, TokenKind
from shared.domain.link_code import LONGEST_LIFETIME
from shared.domain.session import SessionRules

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


class SettingsError(Exception):
    """The settings cannot be used; `problems` says everything that is wrong, and the way out of each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"- {problem}" for problem in problems))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class CreateAccountSettings(_Section):
    """The sign-up choice that Sonos shows beside sign-in."""

    app_url: str | None = Field(None, max_length=2048)
    """Deep link into the service's app; without it, Sonos opens the sign-up page registered in its portal."""
    string_id: str = "CREATE_NEW"
    """Id of the button's label in the strings registered with Sonos."""


class ContentSettings(_Section):
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


class ServiceSettings(_Section):
    """One music service as Sonos knows it: one SMAPI endpoint, one name."""

    title: str = Field("Latchkey", min_length=1, max_length=64)
    """What people call the service; shown on every page."""
    app_url: str | None = Field(None, max_length=2048)
    """Deep link into the service's app, with `{linkCode}`, `{householdId}` and `{callbackPath}`; none: browser only."""
    sign_in_string_id: str = "SIGN_IN"
    """Id of the sign-in button's label in the strings registered with Sonos."""
    typed_codes: bool = False
    """Let `getDeviceLinkCode` answer with a short code that a person types on the page `/enter` of any device."""
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


class ApiKeySettings(_Section):
    """A key with which the service's own back end may call the API under `/api/`."""

    secret_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the key, in hex. Make the key of 32 random bytes: `openssl rand -hex 32`; hash it with `printf %s KEY` piped into `sha256sum`."""
    services: tuple[str, ...] = ("default",)
    """The services it may ask for."""


class LinkSettings(_Section):
    """How a household gets linked."""

    lifetime: Annotated[int, Field(ge=60, le=LONGEST_LIFETIME)] = 600
    """Seconds a link code lives. Sonos polls for seven to eight minutes."""
    device_id: Literal["required", "checked_if_sent", "ignored"] = "required"
    """Whether the `linkDeviceId` we minted has to come back; some third-party controllers send their own."""
    max_password_failures: int = Field(5, ge=1, le=100)
    """Wrong passwords that burn a link."""


class TokenSettings(_Section):
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


class ApiClientSettings(_Section):
    """A program of the service's own that may ask about tokens, or end them."""

    secret_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256, in lower-case hex, of a long random secret; see `docs/token-api.md` for how to make both."""
    roles: frozenset[ApiRole] = Field(min_length=1)
    """What it may do: `introspect`, `revoke`."""
    may_act_for: frozenset[str] = Field(frozenset({"default"}), min_length=1)
    """The services whose tokens it may ask about; all others are unknown to it."""


class RefreshSettings(_Section):
    """How a stale token gets its successor."""

    without_key: bool = True
    """Whether a genuine stale token alone is enough; Sonos does not send the key with every call."""
    reuse: ReusePolicy = ReusePolicy.REVOKE
    """An old token comes back after its successor was in use and after the overlap: end the family, or only refuse."""
    overlap: Seconds = 24 * 3600
    """Seconds for which an earlier generation is still answered with the current pair."""
    timeout: float = Field(4.0, gt=0, le=8)
    """Seconds a call waits for its successor before Sonos is asked to come again."""


class SessionSettings(_Section):
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


class RetentionSettings(_Section):
    """What is deleted when."""

    links: Seconds = 7 * 86400
    """Seconds an expired link is kept, to tell afterwards what happened."""
    interval: Seconds = 60
    """Seconds between two rounds of deletion."""


class Settings(BaseSettings):
    """The settings of every process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    database_url: SecretStr
    """`postgresql+asyncpg://USER:PASSWORD@HOST/NAME`, or `sqlite+aiosqlite:///PATH` for one machine."""
    broker_url: SecretStr
    """`amqp://USER:PASSWORD@HOST`, or `memory://` when everything runs in one process."""
    keys_dir: Path
    """The folder that `latchkey keys create` made; each process reads its own file and `public.json`."""
    public_url: str
    """Where browsers and Sonos reach the gateway, such as `https://link.example.com`."""
    listen: str = "127.0.0.1:8080"
    """HOST:PORT of the gateway."""
    trusted_proxies: int = Field(0, ge=0, le=16)
    """How many proxies stand in front of the gateway and add to `X-Forwarded-For`; 0: people come straight here."""
    bus_prefix: str = Field("latchkey", pattern=NAME)
    """First word of the names of exchanges and of the dead-letter queue; lets installations share a broker."""
    database_pool: int = Field(5, ge=1, le=100)
    """Connections to PostgreSQL per process."""
    prefetch: int = Field(16, ge=1, le=1000)
    """Messages a worker holds at a time, per queue."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are written."""
    log_format: Literal["json", "console"] = "console"
    """One JSON object per line, or lines for people."""
    demo: bool = False
    """Show the try-out page at `/`; never in production."""

    services: dict[Annotated[str, Field(pattern=NAME)], ServiceSettings] = Field(
        default_factory=lambda: {"default": ServiceSettings()}, min_length=1
    )
    """The Sonos services of this deployment; `default` is served at `/smapi`, others at `/smapi/NAME`."""
    api_clients: dict[Annotated[str, Field(pattern=NAME)], ApiClientSettings] = Field(default_factory=dict)
    """The programs that may use `/oauth/introspect` and `/oauth/revoke`, by client id."""
    api_keys: dict[Annotated[str, Field(pattern=NAME)], ApiKeySettings] = {}
    """Keys of the service's own back end; without one there is no API."""
    link: LinkSettings = LinkSettings()
    tokens: TokenSettings = TokenSettings()
    refresh: RefreshSettings = RefreshSettings()
    sessions: SessionSettings = SessionSettings()
    retention: RetentionSettings = RetentionSettings()

    @property
    def issuer(self) -> str:
        """Return the `iss` of every token."""
        return self.tokens.issuer or urlsplit(self.public_url).netloc

    @property
    def secure(self) -> bool:
        """Tell whether browsers come by https."""
        return self.public_url.startswith("https://")

    @property
    def lifetimes(self) -> Lifetimes:
        """Return what the rules of grants need to know."""
        return Lifetimes(
            kind=self.tokens.kind,
            token=self.tokens.lifetime,
            jitter=self.tokens.jitter,
            overlap=self.refresh.overlap,
            idle=self.tokens.idle,
            absolute=self.tokens.absolute,
        )

    @property
    def session_rules(self) -> SessionRules:
        """Return what the rules of sessions need to know."""
        return SessionRules(idle=self.sessions.idle, absolute=self.sessions.absolute, most=self.sessions.most)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, environment and the TOML file, and nothing else."""
        path = os.environ.get(f"{PREFIX}CONFIG")
        toml = (TomlSource(settings_cls, Path(path)),) if path else ()
        return (init_settings, env_settings, *toml)


def load(**arguments: object) -> Settings:
    """Read the settings; *arguments* are stronger than every other source.

    Raises:
        SettingsError: with every problem that was found.
    """
    problems = _unknown_names(os.environ)
    try:
        settings = Settings(**arguments)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(problems + [_explain(detail) for detail in error.errors()]) from None
    except (OSError, ValueError) as error:
        raise SettingsError([*problems, f"{PREFIX}CONFIG: {error}; correct the file or unset it"]) from None
    problems += [message for wrong, message in _checks(settings) if wrong]
    if problems:
        raise SettingsError(problems)
    return settings


def _unknown_names(environ: Mapping[str, str]) -> list[str]:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {f"{PREFIX}CONFIG"}
    problems = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name.split("__")[0] not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "unset it; `latchkey config show` lists every name"
            problems.append(f"{name}: no such setting; {hint}")
    return problems


def _explain(detail: Mapping[str, Any]) -> str:
    path = [str(part) for part in detail["loc"]]
    variable = PREFIX + "__".join(part.upper() for part in path)
    if detail["type"] == "missing":
        return f"{variable}: not set; set it in the environment, or `{'.'.join(path)}` in the file that {PREFIX}CONFIG names"
    if detail["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: no such setting; remove it or correct its name"
    return f"{variable}: {detail['msg']}"


def _checks(settings: Settings) -> list[tuple[bool, str]]:
    url = urlsplit(settings.public_url)
    database = settings.database_url.get_secret_value()
    broker = settings.broker_url.get_secret_value()
    longest_service = max(map(len, settings.services))
    strangers = [
        name for name, client in settings.api_clients.items() if client.may_act_for - set(settings.services)
    ]
    return [
        (
            url.scheme not in {"http", "https"} or not url.netloc or bool(url.query or url.fragment),
            f"{PREFIX}PUBLIC_URL: not a web address; write it like https://link.example.com",
        ),
        (
            settings.public_url.endswith("/"),
            f"{PREFIX}PUBLIC_URL: ends in a slash; leave it out",
        ),
        (
            len(settings.issuer) > LONGEST_ISSUER - longest_service,
            f"{PREFIX}TOKENS__ISSUER: too long, players cut such tokens; set at most {LONGEST_ISSUER - longest_service} characters",
        ),
        (
            not database.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")),
            f"{PREFIX}DATABASE_URL: write postgresql+asyncpg://USER:PASSWORD@HOST/NAME or sqlite+aiosqlite:///PATH",
        ),
        (
            not broker.startswith(("memory://", "amqp://", "amqps://")),
            f"{PREFIX}BROKER_URL: write amqp://USER:PASSWORD@HOST, or memory:// for one process",
        ),
        (
            settings.link.device_id != "required"
            and any(each.typed_codes for each in settings.services.values()),
            f"{PREFIX}LINK__DEVICE_ID: has to be `required` where a service has `typed_codes`: the code opens a page, not the token",
        ),
        (
            bool(
                {name for key in settings.api_keys.values() for name in key.services}
                - settings.services.keys()
            ),
            "api_keys: a key names a service that is not under `services`; add the service or correct the name",
        ),
        (
            bool(strangers),
            f"api_clients.{', '.join(strangers)}.may_act_for: names a service that is not there; there is {', '.join(settings.services)}",
        ),
        *(
            (
                bool(service.upgrade_from) and service.auth != "link",
                f'services.{name}.upgrade_from: only with auth = "link"; remove one of the two',
            )
            for name, service in settings.services.items()
        ),
        *(
            (
                service.upgrade_of not in {None, *settings.services},
                f"services.{name}.upgrade_of: there is no service {service.upgrade_of!r}; name one of this file",
            )
            for name, service in settings.services.items()
        ),
        (not _is_address(settings.listen), f"{PREFIX}LISTEN: write it as HOST:PORT, such as 127.0.0.1:8080"),
        *(
            (
                service.content is not None and not ENDPOINT.fullmatch(service.content.url),
                f"services.{name}.content.url: write it like http://content.internal/smapi, without user, password and fragment",
            )
            for name, service in settings.services.items()
        ),
    ]


def _is_address(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return bool(host) and port.isdecimal() and int(port) <= 65535


def split_address(value: str) -> tuple[str, int]:
    """Return host and port of a checked HOST:PORT."""
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port)
