"""What the addresses of database and broker must say of TLS, where they say anything."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from shared.settings.sections import PREFIX

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_DATABASE_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_BROKER_FILES = ("cafile", "certfile", "keyfile")


def tls_checks(database_url: str, broker_url: str) -> list[tuple[bool, str]]:
    """Return a row for each rule: whether it is broken, and what to tell."""
    database, broker = _parameters(database_url), _parameters(broker_url)
    return [
        (
            database.get("sslmode", "require") not in _MODES,
            f"{PREFIX}DATABASE_URL: there is no such sslmode; write verify-full, or another of {', '.join(_MODES)}",
        ),
        *_missing(f"{PREFIX}DATABASE_URL", database, _DATABASE_FILES),
        *_missing(f"{PREFIX}BROKER_URL", broker, _BROKER_FILES),
        (
            # The driver would leave them aside, and speak plainly.
            not broker_url.startswith("amqps://") and not broker.keys().isdisjoint(_BROKER_FILES),
            f"{PREFIX}BROKER_URL: has certificates and no TLS; write amqps://",
        ),
    ]


def _missing(setting: str, parameters: dict[str, str], names: tuple[str, ...]) -> list[tuple[bool, str]]:
    return [
        (
            not Path(parameters[name]).is_file(),
            f"{setting}: {name} names no file that is there; give its whole path, and mount it where this process can read it",
        )
        for name in names
        if name in parameters
    ]


def _parameters(url: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(urlsplit(url).query))
    except ValueError:
        # No address at all, which others tell.
        return {}
