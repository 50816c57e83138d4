"""`latchkey dead`: its options and its words."""

import asyncio

import click
from rich.console import Console
from rich.table import Table

from deploy import dead as work
from deploy.options import explained, settings_of
from shared.context import SystemClock


@click.group()
def dead() -> None:
    """The dead letters: messages that no handler could finish."""


@dead.command(name="list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, work.MOST_LETTERS))
@explained
def list_letters(limit: int) -> None:
    """List dead letters, the oldest first: where they came from, why they are dead, never what is in them.

    Example:  latchkey dead list --limit 20
    """
    now = SystemClock().now()
    found = asyncio.run(work.listed(settings_of(None), limit=limit))
    if not found:
        click.echo("there are no dead letters")
        return
    table = Table("Letter", "Queue", "Kind", "Events", "Attempt", "Age", "Reason")
    for letter in found:
        table.add_row(
            letter.letter_id,
            letter.queue,
            letter.kind,
            str(letter.events or "?"),
            str(letter.attempt or "?"),
            work.age(letter.buried_at, now),
            letter.reason,
        )
    Console().print(table)
    if len(found) == limit:
        click.echo(f"These are the first {limit}; there may be more: --limit")


@dead.command()
@click.argument("letters", nargs=-1, metavar="[LETTER]...")
@click.option("--all", "everything", is_flag=True, help="All that there are at this moment.")
@explained
def replay(letters: tuple[str, ...], *, everything: bool) -> None:
    """Put dead letters back into the queues they came from, each as its first attempt.

    Mend the cause first: what fails again is buried again. Handlers may run twice, so that a second time does no harm.

    Example:  latchkey dead replay 3f2a9c51b07e
    """
    if bool(letters) == everything:
        raise ValueError("say which letters: their ids from `latchkey dead list`, or --all")
    count = asyncio.run(work.replay(settings_of(None), None if everything else letters))
    click.echo(f"put back {count} {'letter' if count == 1 else 'letters'}")
