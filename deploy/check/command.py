"""`latchkey check`: its options and its words."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from deploy.check import load_checks, render
from deploy.check.checks import Check
from deploy.check.client import Pair, SystemClock
from deploy.check.probe import Options
from deploy.check.report import Mode, Outcome, Report
from deploy.check.run import CannotRun, run
from deploy.check.signin import ByApproval, ByBrowser, ByForm, SignIn
from deploy.check.table import selected
from shared.context import SystemClock as MachineClock
from shared.context import SystemRandom

CLEAN, FOUND, COULD_NOT_RUN = 0, 1, 2
_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@dataclass(frozen=True, kw_only=True)
class Person:
    """How somebody signs in, as the command line says it."""

    name: str
    password: str
    fields: dict[str, str]
    browser: bool
    approve_with: str | None
    subject: str | None


@click.command()
@click.argument("url", required=False)
@click.option(
    "--auth",
    type=click.Choice([mode.value for mode in Mode]),
    help="Kind of service; default: found out by asking.",
)
@click.option(
    "--user", default="", metavar="NAME", help="Account to sign in with, on the service's own pages."
)
@click.option(
    "--password",
    default="",
    envvar="LATCHKEY_CHECK_PASSWORD",
    help="Its password; better in LATCHKEY_CHECK_PASSWORD.",
)
@click.option(
    "--form",
    multiple=True,
    metavar="FIELD=VALUE",
    help="What to type into a field, by its name in the page; {linkCode} is the code. As often as needed.",
)
@click.option("--browser", is_flag=True, help="Open the page in a browser and wait until you have signed in.")
@click.option(
    "--approve-with",
    metavar="KEY",
    envvar="LATCHKEY_CHECK_KEY",
    help="Approve by Latchkey's API instead: with a person's access token or, with --subject, an API key.",
)
@click.option("--subject", metavar="ID", help="Who approves, where --approve-with is an API key.")
@click.option("--only", multiple=True, metavar="ID", help="Only this check or group; as often as needed.")
@click.option("--skip", multiple=True, metavar="ID", help="Not this check or group; as often as needed.")
@click.option("--list", "listing", is_flag=True, help="List all checks, and check nothing.")
@click.option(
    "--wait", default=0.0, metavar="SECONDS", help="How long a check may wait for something to expire."
)
@click.option(
    "--slow", default=5.0, show_default=True, metavar="SECONDS", help="From when an answer is slow."
)
@click.option(
    "--stale-token", metavar="TOKEN", envvar="LATCHKEY_CHECK_STALE_TOKEN", help="One past its time."
)
@click.option(
    "--stale-key", metavar="KEY", envvar="LATCHKEY_CHECK_STALE_KEY", help="The key that goes with it."
)
@click.option(
    "--revoke", default="", metavar="COMMAND", help="Revokes the token that it reads from standard input."
)
@click.option(
    "--load",
    default=0,
    metavar="HOUSEHOLDS",
    type=click.IntRange(0, load_checks.MOST_HOUSEHOLDS),
    help=f"Have so many poll at Sonos's pace, {load_checks.MOST_HOUSEHOLDS} at most. Ask whoever runs the service first.",
)
@click.option(
    "--load-seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(5, load_checks.LONGEST_SECONDS),
    help="For how long.",
)
@click.option(
    "--ca-file", metavar="FILE", type=click.Path(exists=True), help="Roots to trust instead of the system's."
)
@click.option("--json", "json_file", metavar="FILE", type=_FILE, help="Write everything as JSON.")
@click.option("--junit", "junit_file", metavar="FILE", type=_FILE, help="Write everything as JUnit XML.")
@click.option("--verbose", "-v", is_flag=True, help="Show every check.")
def check(
    url: str | None, *, listing: bool, only: tuple[str, ...], skip: tuple[str, ...], **options: Any
) -> None:
    """Test the authentication of a SMAPI service, ours or anybody's, as Sonos and the known controllers speak.

    Exit status: 0 nothing found, 1 something found, 2 could not run.

    Example:  latchkey check https://link.example.com/smapi --user ann --form remember=no
    """
    try:
        checks = selected(only, skip)
        if listing:
            Console().print(_listed(checks))
            return
        report = _run(_address(url), checks, options)
    except (CannotRun, ValueError) as error:
        click.echo(f"latchkey: {error}", err=True)
        raise SystemExit(COULD_NOT_RUN) from None
    render.show(report, Console(), verbose=options["verbose"])
    for path, content in ((options["json_file"], render.as_json), (options["junit_file"], render.as_junit)):
        if path is not None:
            path.write_text(content(report))
    raise SystemExit(FOUND if report.findings else CLEAN)


def _address(url: str | None) -> str:
    parts = urlsplit(url or "")
    if url is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("which service? `latchkey check https://HOST/PATH` with its SMAPI endpoint")
    return url


def _run(url: str, checks: tuple[Check, ...], options: dict[str, Any]) -> Report:
    person = Person(
        name=options["user"],
        password=options["password"],
        fields=_fields(options["form"]),
        browser=options["browser"],
        approve_with=options["approve_with"],
        subject=options["subject"],
    )
    if person.subject is not None and person.approve_with is None:
        raise ValueError("--subject needs --approve-with: the API key that may say who approves")
    told = Options(
        name=person.name or person.fields.get("name", ""),
        password=person.password or person.fields.get("password", ""),
        wait=options["wait"],
        slow=options["slow"],
        stale=Pair(token=options["stale_token"], key=options["stale_key"])
        if options["stale_token"]
        else None,
        revoke=options["revoke"],
        load=options["load"],
        load_seconds=options["load_seconds"],
        ca_file=options["ca_file"],
    )
    clock = SystemClock(MachineClock())
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(checks))

        def watch(check: Check, outcome: Outcome | None) -> None:
            progress.update(task, description=check.about.check_id, advance=0 if outcome is None else 1)

        def signs_in(new: Callable[[], aiohttp.ClientSession]) -> SignIn | None:
            return _sign_in(person, new, clock, url, progress.console.print)

        return asyncio.run(
            run(
                url,
                checks,
                options=told,
                mode=Mode(options["auth"]) if options["auth"] else None,
                clock=clock,
                random=SystemRandom().token_bytes,
                sign_in=signs_in,
                watch=watch,
            )
        )


def _fields(form: tuple[str, ...]) -> dict[str, str]:
    fields = {}
    for field in form:
        name, equals, value = field.partition("=")
        if not name or not equals:
            raise ValueError(f"--form is FIELD=VALUE, not {name!r}")
        fields[name] = value
    return fields


def _sign_in(
    person: Person,
    browser: Callable[[], aiohttp.ClientSession],
    clock: SystemClock,
    endpoint: str,
    say: Callable[[str], None],
) -> SignIn | None:
    """Return who signs in; at a terminal, where nothing was said, that is whoever sits there."""
    if person.approve_with is not None:
        return ByApproval(http=browser, endpoint=endpoint, key=person.approve_with, subject=person.subject)
    if person.name or person.fields:
        return ByForm(
            http=browser, clock=clock, name=person.name, password=person.password, fields=person.fields
        )
    if person.browser or sys.stdin.isatty():
        return ByBrowser(say=say)
    return None


def _listed(checks: tuple[Check, ...]) -> Table:
    table = Table("Check", "Should be so", "Otherwise", box=None, pad_edge=False)
    for each in checks:
        table.add_row(each.about.check_id, each.about.title, each.about.severity.value)
    return table
