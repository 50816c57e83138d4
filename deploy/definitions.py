"""What an operator imports into RabbitMQ, so that no service needs a right to declare anything: `latchkey definitions`.

Each service is a user that may do what it does, and no more: a gateway sends the events that ARCHITECTURE.md says it sends, to no
queue but through the exchange of work, and reads its own results. Passwords come from the operator; a user without one
cannot sign in.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.bus.base import RETRY_DELAYS
from shared.bus.topology import Topology, arguments, exchanges
from shared.messages import WORK

Json = dict[str, Any]

GATEWAY, AUTH_WORKER, TOKEN_WORKER = "gateway", "auth_worker", "token_worker"
COMMAND = "command"
"""The `latchkey` command: revokes, has accounts erased, and looks at dead letters."""
MONITOR = "monitor"
"""Whoever counts messages, such as KEDA and Prometheus: sees everything by the management interface, and touches nothing."""
USERS = (GATEWAY, AUTH_WORKER, TOKEN_WORKER, COMMAND, MONITOR)

SENDERS: Mapping[str, Sequence[str]] = {
    GATEWAY: (
        "account.end_submitted",
        "account.erase_requested",
        "account.vouched",
        "code.entered",
        "household.login_submitted",
        "link.approval_submitted",
        "link.approved",
        "link.decline_requested",
        "link.login_submitted",
        "link.observed",
        "link.requested",
        "link.vouched",
        "session.requested",
        "session.used",
        "token.refresh_requested",
        "token.revoke_requested",
        "token.seen",
        "upgrade.requested",
        "visit.ended",
        "visit.used",
    ),
    AUTH_WORKER: ("account.erase_approved", "grant.requested", "link.approved", "token.revoke_requested"),
    TOKEN_WORKER: ("account.recheck_requested", "notice.due", "token.revoke_requested"),
    COMMAND: ("account.erase_approved", "token.revoke_requested"),
}
"""User -> the kinds of work it sends, as ARCHITECTURE.md lists them."""

FULL: Json = {"max-length-bytes": 2**30, "overflow": "reject-publish"}
"""A queue that nobody empties says no before the disk of the broker is full, and its publishers say "try again later"."""

_NOTHING = "^$"


def definitions(
    *,
    prefix: str = "latchkey",
    vhost: str = "/",
    passwords: Mapping[str, str] | None = None,
    salt: Callable[[int], bytes] = bytes,
) -> Json:
    """Return the definitions of one installation, in the form that RabbitMQ imports.

    Args:
        prefix: `bus_prefix` of the settings.
        passwords: user, without the prefix -> password.
        salt: random bytes, so many.

    Raises:
        ValueError: a password for a user that there is not.
    """
    if unknown := set(passwords or {}) - set(USERS):
        raise ValueError(f"no user {', '.join(sorted(unknown))}; there is {', '.join(USERS)}")
    names = Topology(prefix=prefix, delays=RETRY_DELAYS)
    hashes = {name: _hash(password, salt(4)) for name, password in (passwords or {}).items()}
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": f"{prefix}_{name}",
                "password_hash": hashes.get(name, ""),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["monitoring"] if name == MONITOR else [],
            }
            for name in USERS
        ],
        "permissions": [
            {"user": f"{prefix}_{name}", "vhost": vhost, **rights} for name, rights in _rights(names).items()
        ],
        "topic_permissions": [
            {
                "user": f"{prefix}_{name}",
                "vhost": vhost,
                "exchange": names.work,
                "write": _any_of(kinds),
                "read": _NOTHING,
            }
            for name, kinds in SENDERS.items()
        ],
        "policies": _policies(names, vhost),
        "exchanges": _exchanges(names, vhost),
        "queues": _queues(names, vhost),
        "bindings": _bindings(names, vhost),
    }


def _rights(names: Topology) -> dict[str, dict[str, str]]:
    """Return what each user may make, send to and read from."""
    results = f"{re.escape(names.results)}\\..*"
    retries = [re.escape(names.retry(delay)) for delay in names.delays]
    answers = [re.escape(name) for name in (names.work, names.results, names.dead)] + retries

    def worker(prefix: str) -> dict[str, str]:
        queues = [names.queue(queue) for queue in WORK if queue.startswith(prefix)]
        return {"configure": _NOTHING, "write": f"^({'|'.join(answers)})$", "read": _any_of(queues)}

    return {
        GATEWAY: {
            # Its own queue of results, which nobody else can read, since it belongs to one connection.
            "configure": f"^{results}$",
            "write": f"^({re.escape(names.work)}|{results})$",
            "read": f"^({re.escape(names.results)}|{results})$",
        },
        AUTH_WORKER: worker("auth."),
        TOKEN_WORKER: worker("token."),
        COMMAND: {
            "configure": _NOTHING,
            # Dead letters go back by the exchange that AMQP has for everybody.
            "write": _any_of((names.work, "amq.default")),
            "read": _any_of((names.dead,)),
        },
        MONITOR: {"configure": _NOTHING, "write": _NOTHING, "read": _NOTHING},
    }


def _policies(names: Topology, vhost: str) -> list[Json]:
    queues = [*map(names.queue, WORK), names.dead]
    return [
        {
            "vhost": vhost,
            "name": f"{names.prefix}.full",
            "pattern": _any_of(queues),
            "apply-to": "queues",
            "definition": FULL,
            "priority": 0,
        }
    ]


def _exchanges(names: Topology, vhost: str) -> list[Json]:
    common = {"vhost": vhost, "durable": True, "auto_delete": False, "internal": False, "arguments": {}}
    return [{"name": name, "type": kind.value, **common} for name, kind in exchanges(names).items()]


def _queues(names: Topology, vhost: str) -> list[Json]:
    common = {"vhost": vhost, "durable": True, "auto_delete": False}
    return [{"name": name, **common, "arguments": each} for name, each in arguments(names).items()]


def _bindings(names: Topology, vhost: str) -> list[Json]:
    work = [(names.work, names.queue(queue), kind.kind) for queue, kinds in WORK.items() for kind in kinds]
    aside = [(name, name, "") for name in (names.dead, *map(names.retry, names.delays))]
    return [
        {
            "source": source,
            "vhost": vhost,
            "destination": queue,
            "destination_type": "queue",
            "routing_key": key,
            "arguments": {},
        }
        for source, queue, key in work + aside
    ]


def _any_of(names: Sequence[str]) -> str:
    return f"^({'|'.join(map(re.escape, names))})$"


def _hash(password: str, salt: bytes) -> str:
    """Return a password as RabbitMQ keeps it: salt and SHA-256 of both, in base64 (its documentation of passwords)."""
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
