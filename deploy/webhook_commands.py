"""`latchkey webhook`: what the service was told, and what it is to be told again."""

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deploy.options import data_option, explained, minute, settings_of
from shared import bootstrap
from shared.domain.notice import Notice
from shared.settings import Settings

_MOST = 10_000


@click.group()
def webhook() -> None:
    """What the service is told by signed POSTs: `webhook.url` in the settings."""


@webhook.command(name="list")
@click.option("--untold", is_flag=True, help="Only what was not taken yet.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, _MOST))
@data_option
@explained
def list_notices(*, untold: bool, limit: int, data: Path | None) -> None:
    """List notices, the latest first.

    Example:  latchkey webhook list --untold
    """
    found = asyncio.run(_listed(settings_of(data), only_untold=untold, limit=limit))
    table = Table("Id", "What", "When", "Household", "Told")
    for notice in found:
        table.add_row(
            notice.notice_id, notice.kind.value, minute(notice.at), notice.household_id, _told(notice)
        )
    Console(soft_wrap=True).print(table)
    if len(found) == limit:
        click.echo(f"These are the first {limit}; there may be more: --limit")


@webhook.command()
@click.argument("notice_ids", nargs=-1, metavar="[ID]...")
@click.option("--untold", is_flag=True, help="All that was not taken yet, without waiting for its time.")
@data_option
@explained
def replay(*, notice_ids: tuple[str, ...], untold: bool, data: Path | None) -> None:
    """Tell notices again, under the same ids, whether or not they were taken; auth_worker does it within seconds.

    Example:  latchkey webhook replay linked.3f9c2a7d1e
    """
    if bool(notice_ids) is untold:
        raise ValueError("say which: ids as `latchkey webhook list` shows them, or --untold")
    count = asyncio.run(_again(settings_of(data), notice_ids))
    click.echo(f"{count} {'notice' if count == 1 else 'notices'} will be told now")


async def _listed(settings: Settings, *, only_untold: bool, limit: int) -> list[Notice]:
    async with (
        bootstrap.open_auth_store(settings) as store,
        store.transaction() as transaction,
    ):
        return list(await transaction.notices(only_untold=only_untold, limit=limit))


async def _again(settings: Settings, notice_ids: tuple[str, ...]) -> int:
    """Make notices due, all or none of those that are named."""
    if settings.webhook is None:
        raise ValueError("there is nobody to tell: webhook.url is not set")
    async with bootstrap.open_auth_store(settings) as store, store.transaction() as transaction:
        untold = () if notice_ids else await transaction.notices(only_untold=True, limit=_MOST)
        for notice_id in notice_ids or [notice.notice_id for notice in untold]:
            if not await transaction.notice_due(notice_id, seconds=0, attempts=0):
                raise ValueError(f"there is no notice {notice_id!r}; `latchkey webhook list` shows them")
    return len(notice_ids or untold)


def _told(notice: Notice) -> str:
    if notice.due_at is None:
        return "yes"
    tried = f"tried {notice.attempts} times, " if notice.attempts else ""
    return f"{tried}next {minute(notice.due_at)}"
