"""The `latchkey` command: each subcommand is a few lines that call the part which does the work."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import auth_worker.__main__ as auth_worker
import gateway.__main__ as gateway
import token_worker.__main__ as token_worker
from deploy import accounts as local_accounts
from deploy import embedded
from deploy.account_commands import erase, export
from deploy.audit_commands import audit
from deploy.backup_commands import backup, restore
from deploy.check.command import check
from deploy.dead_commands import dead
from deploy.definitions_command import command as definitions
from deploy.doctor.command import doctor
from deploy.grant_commands import grants
from deploy.key_commands import keys
from deploy.link_commands import links
from deploy.options import DEFAULT_LISTEN, known_service
from deploy.options import data_option as _data
from deploy.options import explained as _explained
from deploy.options import service_option as _service
from deploy.options import settings_of as _settings
from deploy.sonos.command import sonos
from deploy.webhook_commands import webhook
from shared import bootstrap
from shared.domain.account import AccountStatus
from shared.settings import PREFIX, Settings, load

HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
DEFAULT_DATA = Path("latchkey-data")


@click.group(context_settings=HELP)
@click.version_option(package_name="latchkey", prog_name="latchkey")
def main() -> None:
    """Account linking for music services on Sonos.

    Everything in one process, to try it out:  latchkey up --demo
    """


@main.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DATA,
    show_default=True,
    help="Where database and keys are kept; made if missing.",
)
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT")
@click.option(
    "--public-url", metavar="URL", help="Where browsers and Sonos reach this; default: the listening address."
)
@click.option(
    "--demo", is_flag=True, help="Add a demo account, and the playground at /, which plays the Sonos app."
)
@_explained
def up(data: Path, listen: str, public_url: str | None, *, demo: bool) -> None:
    """Run everything in one process, on SQLite and an in-process bus.

    Example:  latchkey up --data /var/lib/latchkey --public-url https://link.example.com
    """
    arguments = embedded.settings_for(data, listen=listen, public_url=public_url)
    if demo:
        arguments["demo"] = True
        if not listen.startswith(("127.0.0.1:", "localhost:", "[::1]:")):
            raise ValueError(
                "--demo adds an account whose password everybody knows; listen on 127.0.0.1 for it"
            )
    settings = load(**arguments)
    embedded.prepare(settings)
    if demo:
        _add_demo_account(settings)
    bootstrap.run_process(embedded.serve, **arguments)


def _add_demo_account(settings: Settings) -> None:
    name, password = local_accounts.DEMO_NAME, local_accounts.DEMO_PASSWORD
    asyncio.run(local_accounts.add(settings, service="default", name=name, password=password))
    click.echo(
        f"\n  Open {settings.public_url}/ : the playground plays the Sonos app, and shows what happens inside.\n"
        f"  Sign in as  {name}  with the password  {password}\n"
        f"  Your own account:  latchkey accounts add NAME --data {settings.keys_dir.parent}\n"
        "  Stop with Ctrl-C.\n"
    )


@main.command(name="gateway")
def run_gateway() -> None:
    """Run the gateway alone: what Sonos and browsers talk to.

    Example:  LATCHKEY_LISTEN=0.0.0.0:8080 latchkey gateway
    """
    gateway.main()


@main.command(name="auth-worker")
def run_auth_worker() -> None:
    """Run auth_worker alone: completes logins.

    Example:  LATCHKEY_PREFETCH=32 latchkey auth-worker
    """
    auth_worker.main()


@main.command(name="token-worker")
def run_token_worker() -> None:
    """Run token_worker alone: mints, refreshes, revokes.

    Example:  LATCHKEY_LOG_FORMAT=json latchkey token-worker
    """
    token_worker.main()


@main.command()
@_data
@_explained
def migrate(data: Path | None) -> None:
    """Bring the database to the schema of this version; run it before new code.

    Example:  LATCHKEY_DATABASE_URL=postgresql+asyncpg://owner@db/latchkey latchkey migrate
    """
    head = bootstrap.migrate_database(_settings(data))
    click.echo(f"the database has the schema of this version ({head})")


@main.group()
def accounts() -> None:
    """The accounts of this installation itself."""


_password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)


@accounts.command()
@click.argument("name")
@_password_stdin
@_service
@_data
@_explained
def add(name: str, service: str, data: Path | None, *, password_stdin: bool) -> None:
    """Add an account.

    Example:  echo "$PASSWORD" | latchkey accounts add ann --password-stdin --data latchkey-data
    """
    settings = known_service(_settings(data), service)
    password = _read_password(from_stdin=password_stdin)
    if not asyncio.run(local_accounts.add(settings, service=service, name=name, password=password)):
        raise ValueError(
            f"there is an account {name!r} already; `latchkey accounts password` changes its password"
        )
    click.echo(f"added {name}")


@accounts.command(name="password")
@click.argument("name")
@_password_stdin
@_service
@_data
@_explained
def set_password(name: str, service: str, data: Path | None, *, password_stdin: bool) -> None:
    """Give an account another password. What it has linked stays linked.

    Where households sign in with every call, a gateway may take the old one for up to an hour.

    Example:  latchkey accounts password ann --data latchkey-data
    """
    settings = known_service(_settings(data), service)
    password = _read_password(from_stdin=password_stdin)
    asyncio.run(local_accounts.set_password(settings, service=service, name=name, password=password))
    click.echo(f"{name} has another password")


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@accounts.command(name="list")
@_service
@_data
@_explained
def list_accounts(service: str, data: Path | None) -> None:
    """List the accounts.

    Example:  latchkey accounts list --data latchkey-data
    """
    table = Table("Name", "Shown in Sonos as")
    for user in asyncio.run(local_accounts.listed(_settings(data), service=service)):
        table.add_row(user.name, user.nickname)
    Console().print(table)


@accounts.command()
@click.argument("name")
@_service
@_data
@_explained
def disable(name: str, service: str, data: Path | None) -> None:
    """Refuse an account from now on: no sign-in, no token, and what it has linked is revoked.

    Example:  latchkey accounts disable ann --data latchkey-data
    """
    settings = known_service(_settings(data), service)
    click.echo(asyncio.run(local_accounts.disable(settings, service=service, name=name)))


@accounts.command()
@click.argument("name")
@_service
@_data
@_explained
def enable(name: str, service: str, data: Path | None) -> None:
    """Let a disabled account sign in again; its households have to be linked again.

    Example:  latchkey accounts enable ann --data latchkey-data
    """
    settings = known_service(_settings(data), service)
    status = AccountStatus.ACTIVE
    asyncio.run(local_accounts.set_status(settings, service=service, name=name, status=status))
    click.echo(f"enabled {name}")


accounts.add_command(export)
accounts.add_command(erase)
main.add_command(keys)
main.add_command(grants)
main.add_command(dead)
main.add_command(webhook)
main.add_command(audit)
main.add_command(check)
main.add_command(backup)
main.add_command(restore)
main.add_command(definitions)
main.add_command(sonos)
main.add_command(doctor)
main.add_command(links)


@main.group()
def config() -> None:
    """The settings."""


@config.command()
@_data
@_explained
def show(data: Path | None) -> None:
    """Print every setting with its value; passwords are masked.

    Example:  latchkey config show
    """
    table = Table("Setting", "Environment", "Value")
    for name, value in _flat(_settings(data).model_dump(mode="json")):
        table.add_row(name, PREFIX + name.upper().replace(".", "__"), str(value))
    Console().print(table)


def _flat(values: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in values.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return rows
