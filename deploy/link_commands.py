"""`latchkey links`: its options and its words."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy import links as work
from deploy.options import data_option, explained, settings_of
from shared.domain.stops import WORKS, Story
from shared.domain.timeline import Step
from shared.domain.words import after, counted, moment

NOT_FOUND = 1
"""Exit status when there is no such link."""


@click.group()
def links() -> None:
    """Attempts to add the service, one by one."""


@links.command()
@click.argument("code", default="")
@click.option(
    "--household", default="", metavar="ID", help="The last links of a household, instead of one by its code."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@data_option
@explained
def show(code: str, household: str, data: Path | None, *, as_json: bool) -> None:
    """Tell what happened to a link, where it stopped, and what to try.

    CODE is a link code, a code that people type, or the id of a link; codes need the gateway's key file. Links are kept for
    `retention.links` after they are over.

    Example:  latchkey links show --household Sonos_2ZLtEJUN38KttgBMoESCwBpBHD --data latchkey-data
    """
    found = asyncio.run(work.stories(settings_of(data), name=code, household=household))
    if as_json:
        click.echo(json.dumps([as_document(story) for story in found], indent=2, ensure_ascii=False))
    elif found:
        _print(found)
    else:
        click.echo(_nothing(household), err=True)
    if not found:
        raise SystemExit(NOT_FOUND)


def as_document(story: Story) -> dict[str, Any]:
    """Return a story as JSON has it; times are seconds since the epoch."""
    link, verdict = story.trail.link, story.verdict
    return {
        "link_id": link.link_id,
        "service": link.service,
        "household": link.household_id,
        "hardware": link.device.hardware,
        "app": link.device.app_name,
        "state": link.state_at(story.trail.now).value,
        "requested_at": link.requested_at,
        "expires_at": link.expires_at,
        "steps": [
            {
                "at": step.at,
                "last_at": step.last_at,
                "kind": step.kind,
                "times": step.times,
                "words": step.words,
            }
            for step in story.steps
        ],
        "stop": verdict.stop,
        "open": verdict.is_open,
        "headline": verdict.headline,
        "missing": verdict.missing,
        "advice": verdict.advice,
    }


def _print(found: tuple[Story, ...]) -> None:
    console = Console(highlight=False)
    last, *earlier = found
    _print_story(console, last)
    if earlier:
        console.print(Text("\nEarlier links of this household", style="bold"))
    for story in earlier:
        link = story.trail.link
        console.print(Text(f"{moment(link.requested_at)}  {link.link_id}"))
        console.print(Padding(Text(story.verdict.headline), (0, 0, 0, 2)))


def _print_story(console: Console, story: Story) -> None:
    link, verdict = story.trail.link, story.verdict
    device = " ".join(part for part in (link.device.hardware, link.device.app_name) if part)
    heading = f"Link {link.link_id} of {link.household_id}"
    console.print(Text(heading, style="bold"))
    asked = f"Asked for {moment(link.requested_at)}"
    console.print(Text(f"{asked} by {device}\n" if device else f"{asked}\n"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim")
    table.add_column(overflow="fold")
    for step in story.steps:
        table.add_row(after(step.at, link.requested_at), Text(told(step, link.requested_at)))
    console.print(table)
    console.print(Text(f"\n{verdict.headline}", style="bold green" if verdict.stop == WORKS else "bold red"))
    for word, text in (("Missing", verdict.missing), ("To try", verdict.advice)):
        if text and verdict.stop != WORKS:
            console.print(Text(word, style="bold"))
            console.print(Padding(Text(text), (0, 0, 0, 2)))


def told(step: Step, since: int) -> str:
    """Return the words of a step, with how often it came."""
    if step.times == 1:
        return step.words
    return f"{step.words} ({counted(step.times, 'time')}, the last at {after(step.last_at, since)})"


def _nothing(household: str) -> str:
    if household:
        return f"no link of household {household} is on record; households are written as `latchkey grants list` shows them"
    return (
        "no such link is on record. Either its code was not made here (another installation, another gateway.json), or it was over "
        "longer ago than `retention.links`, or auth_worker has not written it: is it running, and does its queue `auth.link` get shorter?"
    )
