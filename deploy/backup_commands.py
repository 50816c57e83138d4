"""`latchkey backup` and `latchkey restore`: their options and their words."""

from pathlib import Path

import click

from deploy import backups
from deploy.options import data_option, explained, settings_of


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@explained
def backup(file: Path, data: Path | None) -> None:
    """Write database and keys of an embedded installation into one FILE, also while it runs.

    Whoever has the file can sign tokens: keep it as you keep the keys.

    Example:  latchkey backup latchkey.backup --data latchkey-data
    """
    size = backups.back_up(settings_of(data), file)
    click.echo(f"wrote {file}, {size:,} bytes")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder to put it into: a new one, or one with nothing in it.",
)
@explained
def restore(file: Path, data: Path) -> None:
    """Make an embedded installation out of the backup in FILE.

    Example:  latchkey restore latchkey.backup --data latchkey-data
    """
    schema = backups.restore(file, data)
    click.echo(f"restored into {data} (schema {schema}); start it with `latchkey up --data {data}`")
