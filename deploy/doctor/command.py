"""`latchkey doctor`: its options and its words."""

import asyncio
from pathlib import Path

import click
from rich.console import Console

from deploy.doctor import render
from deploy.doctor.look import look
from deploy.doctor.seen import Told
from deploy.doctor.table import lines
from deploy.options import data_option, explained, public_url_option, settings_of
from deploy.sonos import strings as texts
from shared import logs

HEALTHY, FOUND = 0, 1
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--registered",
    multiple=True,
    metavar="URL",
    help="The endpoint that Sonos was given; as often as needed.",
)
@click.option(
    "--management",
    metavar="URL",
    help="Where the broker's management plugin is, such as http://broker:15672: for its policies and alarms.",
)
@click.option("--strings", type=_FILE, help="The i18next file that Sonos was given.")
@click.option(
    "--replicas",
    default=2,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many run of each service.",
)
@click.option(
    "--ca-file", metavar="FILE", type=click.Path(exists=True), help="Roots to trust instead of the system's."
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything as JSON.",
)
@public_url_option
@data_option
@explained
def doctor(
    *,
    registered: tuple[str, ...],
    management: str | None,
    strings: Path | None,
    replicas: int,
    ca_file: str | None,
    json_file: Path | None,
    public_url: str | None,
    data: Path | None,
) -> None:
    """Look at this installation, with the settings of one of its processes, and say what is wrong and the way out.

    It changes nothing, and shows nothing secret. Exit status: 0 all is well, 1 something is not, 2 could not run.

    Example:  latchkey doctor --registered https://link.example.com/smapi --strings /etc/latchkey/sonos/strings.json
    """
    told = Told(
        registered=registered,
        management=management,
        strings=texts.read(strings.read_bytes()) if strings else None,
        replicas=replicas,
        ca_file=ca_file,
    )
    settings = settings_of(data, public_url)
    logs.configure(level="error", format="console")
    progress = Console(stderr=True)
    with progress.status("") as status:
        seen = asyncio.run(look(settings, told, lambda what: status.update(f"looking at {what}")))
    found = lines(seen)
    render.show(found, Console())
    if json_file is not None:
        json_file.write_text(render.as_json(found))
    raise SystemExit(FOUND if render.findings(found) else HEALTHY)
