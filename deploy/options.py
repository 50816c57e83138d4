"""What several commands have in common: options, settings, and errors that a user can mend."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from deploy import embedded
from shared import bootstrap
from shared.bus.base import BusUnavailable
from shared.keys import KeysError
from shared.settings import Settings, SettingsError, load
from shared.storage.base import StoreUnavailable

DEFAULT_LISTEN = "127.0.0.1:8080"

ParamsT = ParamSpec("ParamsT")
ReturnT = TypeVar("ReturnT")

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of an embedded installation, instead of LATCHKEY_DATABASE_URL and the like.",
)
public_url_option = click.option(
    "--public-url",
    envvar="LATCHKEY_PUBLIC_URL",
    metavar="URL",
    help="With --data: the one that `latchkey up` was given; better in LATCHKEY_PUBLIC_URL.",
)
service_option = click.option("--service", default="default", show_default=True, help="Which Sonos service.")


def explained(command: Callable[ParamsT, ReturnT]) -> Callable[ParamsT, ReturnT]:
    """Turn the errors a user can mend into one message and exit status 2."""

    @wraps(command)
    def run(*args: ParamsT.args, **kwargs: ParamsT.kwargs) -> ReturnT:
        try:
            return command(*args, **kwargs)
        except (SettingsError, KeysError, StoreUnavailable, BusUnavailable, ValueError) as error:
            click.echo(f"latchkey: {error}", err=True)
            raise SystemExit(bootstrap.UNUSABLE) from None

    return run


def settings_of(data: Path | None, public_url: str | None = None) -> Settings:
    """Return the settings of an embedded installation, which does not know its public address, or those of the environment.

    Raises:
        SettingsError: they cannot be used.
        ValueError: there is no installation in that folder.
    """
    if data is None:
        return load() if public_url is None else load(public_url=public_url)
    if not (data / embedded.DATABASE).exists():
        raise ValueError(f"no installation in {data}; start one with `latchkey up --data {data}`")
    return load(**embedded.settings_for(data, listen=DEFAULT_LISTEN, public_url=public_url))


def known_service(settings: Settings, service: str) -> Settings:
    """Return the settings if they have that service.

    Raises:
        ValueError: they do not.
    """
    if service not in settings.services:
        raise ValueError(f"no service {service!r}; there is {', '.join(settings.services)}")
    return settings


def minute(seconds: int) -> str:
    """Return a time as tables show it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}Z"
