"""A healthy installation, as data: what each test makes wrong in one place."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.check import tls_checks
from deploy.check.report import Outcome
from deploy.check.report import State as Checked
from deploy.doctor.rights import rights_in, roles_sql, settings_in
from deploy.doctor.seen import (
    KeyFacts,
    KeyFile,
    ManagementFacts,
    Policy,
    ProviderFacts,
    PublicFacts,
    Seen,
    Told,
)
from deploy.sonos import strings
from shared.bus.inspection import BrokerFacts, QueueFacts
from shared.messages import WORK
from shared.settings import ServiceSettings, load
from shared.storage.inspection import DatabaseFacts, ServerFacts

NOW = 1_800_000_000
DAY = 86400
ENDPOINT = "https://link.example.com/smapi"
DEAD = "latchkey.dead"


def settings_with(**changes: object) -> Any:
    return load(
        **{
            "database_url": "postgresql+asyncpg://latchkey_gateway:canary-database@db/latchkey",
            "broker_url": "amqp://latchkey:canary-broker@broker",
            "keys_dir": Path("/etc/latchkey/keys"),
            "public_url": "https://link.example.com",
            **changes,
        }
    )


HEALTHY = Seen(
    settings=settings_with(),
    told=Told(registered=(ENDPOINT,), strings=strings.table(ServiceSettings())),
    now=NOW,
    needed="0008",
    head="0009",
    public=PublicFacts(
        key_ids=frozenset({"abcd"}),
        endpoints={ENDPOINT: ""},
        tls=tuple(Outcome(about=each.about, state=Checked.CLEAN) for each in tls_checks.CHECKS),
    ),
    database=DatabaseFacts(
        revision="0009",
        now=NOW,
        server=ServerFacts(
            user="latchkey_gateway",
            settings={
                "synchronous_commit": "on",
                "fsync": "on",
                "full_page_writes": "on",
                "max_connections": "100",
                "superuser_reserved_connections": "3",
            },
            connections=20,
            rights=rights_in(roles_sql()),
            powers={"postgres": frozenset({"SUPERUSER"})},
            role_settings=settings_in(roles_sql()),
        ),
    ),
    broker=BrokerFacts(
        product="RabbitMQ",
        version="4.1.4",
        missing_exchanges=(),
        queues={name: QueueFacts(is_there=True, consumers=2) for name in WORK}
        | {DEAD: QueueFacts(is_there=True)},
        work=tuple(WORK),
        dead=DEAD,
        takes_messages=True,
    ),
    management=ManagementFacts(
        policies=(
            Policy(
                name="other",
                pattern="^other",
                applies_to="all",
                priority=9,
                by_operator=False,
                definition={"expires": 1000},
            ),
        ),
        alarms=(),
    ),
    keys=KeyFacts(
        folder="/etc/latchkey/keys",
        folder_mode=0o700,
        files={
            "gateway": KeyFile(mode=0o600, written=NOW - DAY, problem=""),
            "public": KeyFile(mode=0o644, written=NOW - 900 * DAY, problem=""),
        },
        unmatched=(),
        public_ids=frozenset({"abcd"}),
    ),
    providers=(
        ProviderFacts(
            name="keycloak", failure="", redirect_uri="https://link.example.com/callback/keycloak", refusal=""
        ),
    ),
)
"""A gateway of an installation in which nothing is wrong."""


def but(part: str, **changes: Any) -> Seen:
    """Return the healthy installation with something else seen of a part, or of what is in it: `database.server`."""
    whole, _, inner = part.partition(".")
    facts = getattr(HEALTHY, whole)
    if inner:
        changes = {inner: replace(getattr(facts, inner), **changes)}
    return replace(HEALTHY, **{whole: replace(facts, **changes)})
