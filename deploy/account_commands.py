"""`latchkey accounts export` and `erase`: their options and their words."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from deploy import account_rights as work
from deploy.options import data_option, explained, known_service, service_option, settings_of
from shared.storage.base import StoreUnavailable


def _whose(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what says whose account is meant."""
    named: Callable[..., None] = command
    for decorate in (
        data_option,
        service_option,
        click.option(
            "--account", "account_id", metavar="ID", help="Any account, by its id, in place of a name."
        ),
        click.argument("name", required=False),
    ):
        named = decorate(named)
    return named


@click.command()
@_whose
@explained
def export(*, name: str | None, account_id: str | None, service: str, data: Path | None) -> None:
    """Print all that is known of an account, as JSON: what its person gets on the household page.

    With PostgreSQL, run it as a role that may read everything, such as latchkey_owner.

    Example:  latchkey accounts export ann --data latchkey-data > ann.json
    """
    settings = known_service(settings_of(data), service)
    known: dict[str, Any] = asyncio.run(
        work.export(settings, service=service, name=name, account_id=account_id)
    )
    click.echo(json.dumps(known, indent=2, ensure_ascii=False))


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@_whose
@explained
def erase(*, name: str | None, account_id: str | None, service: str, data: Path | None, yes: bool) -> None:
    """Erase an account: its households have to link again, with another. What happened stays on record, without whom and where.

    With PostgreSQL, run it as latchkey_auth_worker; token_worker has to be running.

    Example:  latchkey accounts erase ann --yes --data latchkey-data
    """
    settings = known_service(settings_of(data), service)
    if not yes:
        click.confirm(f"Erase the account {name or account_id!r} for ever?", abort=True)
    try:
        erased = asyncio.run(work.erase(settings, service=service, name=name, account_id=account_id))
    except TimeoutError:
        raise StoreUnavailable(
            "it is closed for good, and token_worker was told to delete it, which it has not done yet; is it running? Run this again"
        ) from None
    click.echo(f"erased the account {erased}")
