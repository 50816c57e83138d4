"""The settings of every process, and where they are read from."""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import TomlConfigSettingsSource as TomlSource

from shared.domain.grant import Lifetimes
from shared.domain.limits import Budget, Limits
from shared.domain.session import SessionRules
from shared.settings.lifecycle import AccountEventSettings, RecheckSettings
from shared.settings.providers import ProviderSettings, only_local
from shared.settings.sections import (
    NAME,
    PREFIX,
    ApiClientSettings,
    ApiKeySettings,
    LimitSettings,
    LinkSettings,
    RefreshSettings,
    RetentionSettings,
    ServiceSettings,
    SessionSettings,
    TokenSettings,
    WebhookSettings,
)

DEFAULT_SERVICE = "default"
"""The service that needs no name in addresses."""
NETWORK_MEMORY = 3600
"""Seconds for which a wrong password counts against a network: thousands of people may share one."""


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
    """`postgresql+asyncpg://USER:PASSWORD@HOST/NAME`, or `sqlite+aiosqlite:///PATH` for one machine; `docs/tls.md` has what it says of TLS."""
    broker_url: SecretStr
    """`amqp://USER:PASSWORD@HOST`, `amqps://` with TLS (`docs/tls.md`), or `memory://` when everything runs in one process."""
    keys_dir: Path
    """The folder that `latchkey keys create` made; each process reads its own file and `public.json`."""
    public_url: str
    """Where browsers and Sonos reach the gateway, such as `https://link.example.com`."""
    listen: str = "127.0.0.1:8080"
    """HOST:PORT of the gateway."""
    admin_listen: str | None = None
    """HOST:PORT, such as `127.0.0.1:9090`, where a process shows its health and metrics; unset: nowhere. Each process needs its own."""
    traces_url: str | None = None
    """Where traces go, by OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`; needs `latchkey[otel]`. Unset: there are none."""
    traces_share: float = Field(1.0, ge=0, le=1)
    """The share of traces that is kept; of those, all processes keep all."""
    trusted_proxies: int = Field(0, ge=0, le=16)
    """How many proxies stand in front of the gateway and add to `X-Forwarded-For`; 0: people come straight here."""
    most_connections: int = Field(4096, ge=1, le=1_000_000)
    """Connections that a gateway has open at a time; more are closed at once. One that is idle is closed after 75 seconds."""
    bus_prefix: str = Field("latchkey", pattern=NAME)
    """First word of the names of exchanges and of the dead-letter queue; lets installations share a broker."""
    broker_declare: bool = True
    """Declare exchanges and queues on each connection; false where `deploy/rabbitmq/definitions.json` did it: they only have to be there then."""
    database_pool: int = Field(5, ge=1, le=100)
    """Connections to PostgreSQL per process; a gateway holds up to four more, for what is asked most."""
    database_pgbouncer: bool = False
    """`database_url` leads to a PgBouncer with `pool_mode = transaction`: nothing is prepared for later, and limits come from `roles.sql`; `latchkey migrate` goes straight to PostgreSQL."""
    prefetch: int = Field(16, ge=1, le=1000)
    """Messages a worker holds at a time, per queue."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are written."""
    log_format: Literal["json", "console"] = "console"
    """One JSON object per line, or lines for people."""
    templates_dir: Path | None = None
    """A folder of your own page templates, looked up before ours; `latchkey/NAME.html` in them is ours. All are tried at start."""
    demo: bool = False
    """Show the playground at `/`, in embedded mode only: whoever opens it can break the broker; never in production."""

    services: dict[Annotated[str, Field(pattern=NAME)], ServiceSettings] = Field(
        default_factory=lambda: {"default": ServiceSettings()}, min_length=1
    )
    """The Sonos services of this deployment; `default` is served at `/smapi`, others at `/smapi/NAME`."""
    providers: dict[Annotated[str, Field(pattern=NAME)], ProviderSettings] = Field(
        default_factory=only_local, min_length=1
    )
    """Where people sign in, by name. The name stands in every account that comes from there, so it is not changed later."""
    api_clients: dict[Annotated[str, Field(pattern=NAME)], ApiClientSettings] = Field(default_factory=dict)
    """The programs that may use `/oauth/introspect` and `/oauth/revoke`, by client id."""
    api_keys: dict[Annotated[str, Field(pattern=NAME)], ApiKeySettings] = {}
    """Keys of the service's own back end; without one there is no API."""
    recheck: dict[Annotated[str, Field(pattern=NAME)], RecheckSettings] = Field(default_factory=dict)
    """The providers, by name, that are asked again whether people are still there; see `docs/account-lifecycle.md`."""
    account_events: AccountEventSettings = AccountEventSettings()
    link: LinkSettings = LinkSettings()
    tokens: TokenSettings = TokenSettings()
    refresh: RefreshSettings = RefreshSettings()
    sessions: SessionSettings = SessionSettings()
    limits: LimitSettings = LimitSettings()
    webhook: WebhookSettings | None = None
    """Tells the service of links, ends and erasures; see `docs/webhooks.md`."""
    retention: RetentionSettings = RetentionSettings()

    @property
    def issuer(self) -> str:
        """Return the `iss` of every token."""
        return self.tokens.issuer or urlsplit(self.public_url).netloc

    @property
    def secure(self) -> bool:
        """Tell whether browsers come by https."""
        return self.public_url.startswith("https://")

    def providers_of(self, service: str) -> dict[str, ProviderSettings]:
        """Return the providers of a service, in the order in which people are offered them."""
        names = self.services[service].providers or tuple(self.providers)
        return {name: self.providers[name] for name in names}

    def endpoint(self, service: str) -> str:
        """Return the address under which Sonos knows a service."""
        return f"{self.public_url}/smapi" + ("" if service == DEFAULT_SERVICE else f"/{service}")

    def redirect_uri(self, provider: str) -> str:
        """Return where a provider sends people back to; each has its own, so that none is taken for another."""
        return f"{self.public_url}/callback/{provider}"

    def password_provider(self, service: str) -> str:
        """Return the provider that judges a name and a password where nobody can choose: the first that takes them.

        The name is empty if none does.
        """
        providers = self.providers_of(service).items()
        return next((name for name, provider in providers if provider.takes_password), "")

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

    @property
    def guessing(self) -> Limits:
        """Return what the rules about wrong passwords need to know."""
        limits = self.limits
        return Limits(
            place=Budget(free=limits.place_tries, memory=limits.memory),
            account=Budget(free=limits.account_tries, memory=limits.memory),
            network=Budget(free=limits.network_tries, memory=min(NETWORK_MEMORY, limits.memory)),
            first_delay=limits.first_delay,
            longest_delay=limits.longest_delay,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, environment, a folder of secrets and the TOML file, and nothing else."""
        path, folder = (os.environ.get(f"{PREFIX}{name}") for name in ("CONFIG", "SECRETS_DIR"))
        # One file for each setting, as orchestrators mount them.
        secrets = (SecretsSettingsSource(settings_cls, folder, env_prefix=""),) if folder else ()
        toml = (TomlSource(settings_cls, Path(path)),) if path else ()
        return (init_settings, env_settings, *secrets, *toml)
