"""`latchkey grants`: its options and its words."""

import asyncio
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deploy import grants as work
from deploy.options import data_option, explained, known_service, minute, service_option, settings_of
from shared.domain.revocation import Scope, Selection
from shared.settings import Settings
from shared.storage.records import GrantView


def _selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which grants; it gets the settings and a selection for them."""

    @explained
    @wraps(command)
    def run(*, service: str, data: Path | None, **options: Any) -> None:
        settings = known_service(settings_of(data), service)
        chosen = {name: options.pop(name) for name in ("grant", "account", "household", "everything")}
        command(settings=settings, selection=work.selection_of(service, **chosen), **options)

    options: tuple[Any, ...] = (
        click.option("--grant", metavar="ID", help="One grant."),
        click.option("--account", metavar="ID", help="All grants of an account, by the account's id."),
        click.option("--household", metavar="ID", help="All grants of a household, written as it is listed."),
        click.option("--all", "everything", is_flag=True, help="All grants of the service."),
        service_option,
        data_option,
    )
    selecting: Callable[..., None] = run
    for option in reversed(options):
        selecting = option(selecting)
    return selecting


@click.group()
def grants() -> None:
    """Who is linked: the lasting rights of households to use accounts."""


@grants.command(name="list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@_selecting
def list_grants(*, settings: Settings, selection: Selection, limit: int) -> None:
    """List grants, those that have ended too.

    Example:  latchkey grants list --account a2bcd3efghij --data latchkey-data
    """
    found = asyncio.run(work.listed(settings, selection, limit=limit))
    table = Table("Grant", "Account", "Shown in Sonos as", "Household", "Status", "Linked", "Used")
    for view in found:
        table.add_row(*_row(view))
    Console().print(table)
    if len(found) == limit:
        click.echo(f"These are the first {limit}; there may be more: --limit")


@grants.command()
@click.option("--yes", is_flag=True, help="Do not ask before --all.")
@_selecting
def revoke(*, settings: Settings, selection: Selection, yes: bool) -> None:
    """End grants: the households have to link again.

    Example:  latchkey grants revoke --household Sonos_2ZLtEJUN38KttgBMoESCwBpBHD --data latchkey-data
    """
    if selection.scope is Scope.ALL and not yes:
        question = f"Every household of the service {selection.service!r} will have to link again. Go on?"
        click.confirm(question, abort=True)
    click.echo(asyncio.run(work.revoke(settings, selection, reason="operator")))


def _row(view: GrantView) -> tuple[str, ...]:
    grant = view.grant
    return (
        grant.grant_id,
        grant.account_id,
        view.account.nickname,
        grant.household_id,
        grant.status.value,
        minute(grant.family_started_at),
        minute(grant.used_at),
    )
