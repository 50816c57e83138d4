"""`latchkey keys`: the files with the keys of the three services."""

import asyncio
from pathlib import Path

import click

from deploy.options import data_option, explained, settings_of
from deploy.rotation import Retiring, Step, retiring
from deploy.rotation import rotate as rotate_files
from shared import bootstrap
from shared import keys as key_files
from shared.context import SystemClock, SystemRandom
from shared.keys import KeysError
from shared.settings import Settings

_NEXT = {
    Step.ANNOUNCE: "restart all processes with the new files, then: latchkey keys rotate use",
    Step.USE: "restart all processes with the new files, token_worker last. "
    "When nothing depends on the old keys any more: latchkey keys rotate retire",
    Step.RETIRE: "restart all processes with the new files; the rotation is done",
}


@click.group()
def keys() -> None:
    """Make the keys that the three services share."""


@keys.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@explained
def create(folder: Path) -> None:
    """Write one key file per role into FOLDER; give each process its own and public.json.

    Example:  latchkey keys create /etc/latchkey/keys
    """
    for path in key_files.write(key_files.create(SystemRandom().token_bytes), folder):
        click.echo(f"wrote {path}")


@keys.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@explained
def complete(folder: Path) -> None:
    """Add to the key files in FOLDER what this version needs and they lack; nothing else changes.

    Example:  latchkey keys complete /etc/latchkey/keys
    """
    changed = key_files.complete(SystemRandom().token_bytes, folder)
    for path in changed:
        click.echo(f"completed {path}")
    if not changed:
        click.echo("nothing is missing")


@keys.command()
@click.argument("step", type=click.Choice([step.value for step in Step]))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Retire keys even if that makes households link again.")
@data_option
@explained
def rotate(*, step: str, folder: Path, force: bool, data: Path | None) -> None:
    """Replace all keys in FOLDER by new ones, in three steps: announce, use, retire; restart all processes after each.

    Nothing is refused meanwhile, and nobody has to link again. `retire` looks into the database first, and refuses while
    households could still come back with tokens that were made with the old keys.

    Example:  latchkey keys rotate announce /etc/latchkey/keys
    """
    if Step(step) is Step.RETIRE and not force:
        asyncio.run(_check_unused(retiring(folder), settings_of(data)))
    changed = rotate_files(Step(step), folder, random=SystemRandom().token_bytes, now=SystemClock().now())
    for path in changed:
        click.echo(f"wrote {path}")
    click.echo(f"next: {_NEXT[Step(step)]}")


async def _check_unused(old: Retiring, settings: Settings) -> None:
    use = await bootstrap.key_use(settings, signing=old.signing, derivation=old.derivation, since=old.since)
    if use.grants:
        raise KeysError(
            f"{use.grants} households may still come back with tokens made with the old keys, and would have to link again. "
            f"They get new ones when they come, or are over after tokens.idle; run it again later, or with --force"
        )
    if use.provider_tokens:
        raise KeysError(
            f"{use.provider_tokens} tokens of identity providers are still sealed with the old key; `recheck` seals them anew. "
            f"Run it again later, or with --force: their accounts are asked for again when people sign in"
        )
