"""`latchkey audit`: whether the audit log is as it was written."""

import asyncio
from pathlib import Path

import click
from rich.console import Console

from deploy import audit as work
from deploy.audit import Verified
from deploy.options import data_option, explained, settings_of
from shared.settings import Settings


@click.group()
def audit() -> None:
    """The audit log, which token_worker seals: each seal covers the events since the last one, and is signed."""


@audit.command()
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="DIGEST",
    help="A digest that was noted earlier, from here or from the log line `audit log sealed`; may come more than once.",
)
@data_option
@explained
def verify(*, expected: tuple[str, ...], data: Path | None) -> None:
    """Verify every seal and every event under it; exit status 1 if something was changed, put in or taken out.

    The digest at the end stands for all that was sealed: note it somewhere else, and expect it the next time.

    Example:  latchkey audit verify --expect 3f9c2a7d1e…
    """
    verified = asyncio.run(_verified(settings_of(data), expected))
    for fault in verified.faults:
        click.echo(f"wrong  {fault}")
    click.echo(f"{verified.events} events under {verified.seals} seals, {len(verified.faults)} faults")
    if verified.head:
        click.echo(f"digest {verified.head}")
    raise SystemExit(bool(verified.faults))


async def _verified(settings: Settings, expected: tuple[str, ...]) -> Verified:
    verified = Verified()
    with Console(stderr=True).status("verifying") as status:
        async for verified in work.verify(settings, expected=expected):
            status.update(f"verifying: {verified.events} events")
    return verified
