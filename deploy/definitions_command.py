"""`latchkey definitions`: its options and its words."""

import json
from pathlib import Path

import click

from deploy.definitions import USERS, definitions
from deploy.options import explained
from shared.context import SystemRandom


@click.command(name="definitions")
@click.option(
    "--prefix", default="latchkey", show_default=True, help="LATCHKEY_BUS_PREFIX of the installation."
)
@click.option("--vhost", default="/", show_default=True, help="The virtual host.")
@click.option(
    "--passwords",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A file of lines USER=PASSWORD, for {', '.join(USERS)}; only hashes of them come out.",
)
@explained
def command(prefix: str, vhost: str, passwords: Path | None) -> None:
    """Write what RabbitMQ imports: exchanges, queues, policies, and a user with few rights for each service.

    With it, run the services with LATCHKEY_BROKER_DECLARE=false.

    Example:  latchkey definitions --passwords passwords.env > definitions.json
    """
    lines = passwords.read_text().splitlines() if passwords else []
    pairs = [line.partition("=") for line in lines if line.strip() and not line.startswith("#")]
    chosen = {name.strip(): password for name, _, password in pairs}
    made = definitions(prefix=prefix, vhost=vhost, passwords=chosen, salt=SystemRandom().token_bytes)
    click.echo(json.dumps(made, indent=2))
