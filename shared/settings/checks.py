"""What the settings must be together: a table of what is wrong, and the way out."""

import base64
import binascii
from importlib.util import find_spec
from urllib.parse import urlsplit

from shared.settings.app_checks import app_checks
from shared.settings.brand import unreadable
from shared.settings.lifecycle_checks import lifecycle_checks
from shared.settings.model import Settings
from shared.settings.provider_checks import address_checks
from shared.settings.providers import LOCAL
from shared.settings.sections import ENDPOINT, LONGEST_ISSUER, PREFIX, ServiceSettings
from shared.settings.tls_checks import tls_checks

WEBHOOK_PREFIX = "whsec_"
RESERVED = {"api", "anonymous"}
"""Providers of accounts that nobody signs in to."""


def checks(settings: Settings) -> list[tuple[bool, str]]:
    """Return a row for each rule: whether it is broken, and what to tell."""
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
        *tls_checks(database, broker),
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
        *(
            (
                not settings.providers.keys() >= set(service.providers),
                f"services.{name}.providers: names a provider that is not there; there is {', '.join(settings.providers)}",
            )
            for name, service in settings.services.items()
        ),
        *(
            (
                settings.providers.keys() >= set(service.providers)
                and _wants_passwords(service)
                and not settings.password_provider(name),
                f"services.{name}.providers: its households send name and password, and none of these providers takes them; add one that does",
            )
            for name, service in settings.services.items()
        ),
        *(
            (
                name in RESERVED or (provider.type == LOCAL) != (name == LOCAL),
                f"providers.{name}: the type `local` is named `local`, nothing else is, and {' and '.join(sorted(RESERVED))} mean something else; rename it",
            )
            for name, provider in settings.providers.items()
        ),
        *(
            row
            for name, service in settings.services.items()
            for row in app_checks(name, service, set(service.providers or settings.providers))
        ),
        *lifecycle_checks(settings),
        *(row for name, provider in settings.providers.items() for row in address_checks(name, provider)),
        (
            settings.limits.longest_delay < settings.limits.first_delay,
            f"{PREFIX}LIMITS__LONGEST_DELAY: below `first_delay`; set at least {settings.limits.first_delay}",
        ),
        (
            settings.webhook is not None and not ENDPOINT.fullmatch(settings.webhook.url),
            "webhook.url: write it like https://api.example.com/hooks/latchkey, without user, password and fragment",
        ),
        (
            settings.webhook is not None and webhook_key(settings.webhook.secret.get_secret_value()) is None,
            "webhook.secret: not `whsec_` and 24 to 64 bytes in base64; make one with `echo whsec_$(openssl rand -base64 32)`",
        ),
        (not _is_address(settings.listen), f"{PREFIX}LISTEN: write it as HOST:PORT, such as 127.0.0.1:8080"),
        (
            settings.admin_listen is not None and not _is_address(settings.admin_listen),
            f"{PREFIX}ADMIN_LISTEN: write it as HOST:PORT, such as 127.0.0.1:9090, or unset it",
        ),
        (
            settings.admin_listen == settings.listen,
            f"{PREFIX}ADMIN_LISTEN: the public address is not for health and metrics; choose another port",
        ),
        (
            settings.traces_url is not None and not ENDPOINT.fullmatch(settings.traces_url),
            f"{PREFIX}TRACES_URL: write it like http://127.0.0.1:4318/v1/traces, without user, password and fragment",
        ),
        (
            settings.traces_url is not None and find_spec("opentelemetry") is None,
            f"{PREFIX}TRACES_URL: needs OpenTelemetry; pip install 'latchkey[otel]', or unset it",
        ),
        *(
            (
                service.content is not None and not ENDPOINT.fullmatch(service.content.url),
                f"services.{name}.content.url: write it like http://content.internal/smapi, without user, password and fragment",
            )
            for name, service in settings.services.items()
        ),
        *(
            (True, problem)
            for name, service in settings.services.items()
            for problem in unreadable(service.brand, f"services.{name}.brand")
        ),
        (
            settings.templates_dir is not None and not settings.templates_dir.is_dir(),
            f"{PREFIX}TEMPLATES_DIR: {settings.templates_dir} is no folder that can be read; correct the path or unset it",
        ),
    ]


def webhook_key(secret: str) -> bytes | None:
    """Return the key that a webhook's secret stands for; None if it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(WEBHOOK_PREFIX), validate=True)
    except binascii.Error:
        return None
    return key if secret.startswith(WEBHOOK_PREFIX) and 24 <= len(key) <= 64 else None


def _wants_passwords(service: ServiceSettings) -> bool:
    passwords = {"session_id", "stateless"}
    return service.auth in passwords or not passwords.isdisjoint(service.upgrade_from)


def _is_address(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return bool(host) and port.isdecimal() and int(port) <= 65535


def split_address(value: str) -> tuple[str, int]:
    """Return host and port of a checked HOST:PORT."""
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port)
