"""The broker: whether it is as the services declare it, takes messages, and whether somebody reads them."""

import re
from collections.abc import Sequence

from deploy.doctor.lines import Verdict, check, ok, unless, warn, wrong
from deploy.doctor.seen import ManagementFacts, Policy, Seen, Skipped, Unseen, known
from shared.bus.topology import WORK_QUEUE

OLDEST = (3, 10)
"""The oldest RabbitMQ whose quorum queues keep what is dead-lettered (`at-least-once`)."""
LENGTHS = frozenset({"max-length", "max-length-bytes"})
DROPPING = LENGTHS | {"message-ttl", "expires"}
"""What in a policy lets a queue forget messages, or itself."""
MANY = 1000
"""Messages waiting in a queue, from which the workers are behind."""


@check(
    "broker.reachable",
    way_out="Start it, or correct LATCHKEY_BROKER_URL: user, password, host and virtual host.",
)
def reachable(seen: Seen) -> Verdict:
    """The broker answers, and lets us in."""
    if isinstance(seen.broker, Unseen) and seen.broker.is_failure:
        return wrong(seen.broker.reason)
    broker = known(seen.broker)
    return ok(f"{broker.product} {broker.version}")


@check("broker.version", way_out="Use RabbitMQ 3.10 or later, better 4.")
def version(seen: Seen) -> Verdict:
    """The broker is new enough."""
    broker = known(seen.broker)
    numbers = tuple(map(int, re.findall(r"\d+", broker.version)[:2]))
    return wrong(f"{broker.version} is older than 3.10") if numbers < OLDEST else ok(broker.version)


@check(
    "broker.takes-messages",
    way_out="`rabbitmq-diagnostics alarms` says which: free memory or disk; until then links and refreshes are refused.",
)
def takes_messages(seen: Seen) -> Verdict:
    """The broker confirms what is published: it has no alarm of memory or disk."""
    takes = known(seen.broker).takes_messages
    if takes is None:
        raise Skipped("this user of the broker may not publish, or there is nothing to publish to")
    return (
        ok("one was confirmed")
        if takes
        else wrong("it did not confirm a message within seconds, which is how an alarm looks from here")
    )


@check(
    "broker.topology",
    way_out="Start a service that may declare them, or import the broker's definitions. Look at LATCHKEY_BUS_PREFIX if nothing is there.",
)
def topology(seen: Seen) -> Verdict:
    """All exchanges and queues are there."""
    broker = known(seen.broker)
    missing = [f"no exchange {name}" for name in broker.missing_exchanges]
    missing += [f"no queue {name}" for name, queue in broker.queues.items() if not queue.is_there]
    return unless(missing, f"{len(broker.queues)} queues")


@check(
    "broker.arguments",
    way_out="A queue keeps the arguments it was made with: when it is empty delete it, and restart a service, which makes it anew.",
)
def arguments(seen: Seen) -> Verdict:
    """Every queue is of the kind, and has the arguments, that services declare."""
    queues = known(seen.broker).queues
    if any(queue.complaint is None for queue in queues.values()):
        raise Skipped("this user of the broker may not declare queues, and so is not told")
    return unless(
        [f"{name}: {queue.complaint}" for name, queue in queues.items() if queue.complaint], "as declared"
    )


@check(
    "broker.readers",
    way_out="Start the worker whose queues these are: `auth.` auth_worker's, `token.` token_worker's.",
)
def readers(seen: Seen) -> Verdict:
    """Somebody reads every work queue."""
    broker = known(seen.broker)
    unread = [
        f"nobody reads {name}"
        for name in broker.work
        if broker.queues[name].is_there and not broker.queues[name].consumers
    ]
    return unless(unread, f"{len(broker.work)} queues are read")


@check("broker.backlog", way_out="Start more workers of that kind, or see in their logs what keeps them.")
def backlog(seen: Seen) -> Verdict:
    """No queue has grown long."""
    broker = known(seen.broker)
    waiting = {name: broker.queues[name].messages for name in broker.work}
    long = [f"{count} messages wait in {name}" for name, count in waiting.items() if count > MANY]
    return unless(long, f"{sum(waiting.values())} messages wait", otherwise=warn)


@check(
    "broker.dead-letters",
    way_out="`latchkey dead list` says why; mend the cause, then `latchkey dead replay`.",
)
def dead_letters(seen: Seen) -> Verdict:
    """There are no dead letters."""
    broker = known(seen.broker)
    count = broker.queues[broker.dead].messages
    return warn(f"there are {count}") if count else ok("none")


@check(
    "broker.alarms",
    way_out="Give the broker more of it, or set its limit to what it may take; until then it takes no messages.",
)
def alarms(seen: Seen) -> Verdict:
    """The broker has no alarm."""
    return unless([f"too little {what}" for what in _management(seen).alarms], "none")


@check(
    "broker.policies",
    way_out="Take it out of the policy, or give the policy a pattern that leaves our queues out. A limit with `reject-publish` drops nothing.",
)
def policies(seen: Seen) -> Verdict:
    """No policy lets a queue drop what is in it."""
    management = _management(seen)
    problems = [
        f"{policy.name} lets {queue} drop messages: {', '.join(dropping)}"
        for queue in known(seen.broker).queues
        for policy in _in_force(queue, management.policies)
        if (dropping := _dropping(policy))
    ]
    return unless(problems, f"of {len(management.policies)}")


CHECKS = (
    reachable,
    version,
    takes_messages,
    alarms,
    topology,
    arguments,
    policies,
    readers,
    backlog,
    dead_letters,
)


def _management(seen: Seen) -> ManagementFacts:
    """Return what the plugin showed.

    Raises:
        Skipped: it showed nothing; where it should have, that is said.
    """
    known(seen.broker)
    if isinstance(seen.management, Unseen):
        raise Skipped(seen.management.reason)
    return seen.management


def _in_force(queue: str, policies: Sequence[Policy]) -> list[Policy]:
    """Return the policies that a queue has: of each sort the one with the highest priority."""
    fitting = [
        policy
        for policy in policies
        if policy.applies_to in {"all", "queues", "quorum_queues"} and re.search(policy.pattern, queue)
    ]
    sorts = ([each for each in fitting if each.by_operator is sort] for sort in (False, True))
    return [max(sort, key=lambda policy: policy.priority) for sort in sorts if sort]


def _dropping(policy: Policy) -> list[str]:
    """Return what in a policy drops messages that nobody has handled."""
    harmful = DROPPING
    if str(policy.definition.get("overflow", "")).startswith("reject-publish"):
        harmful -= LENGTHS
    found = sorted(harmful & set(policy.definition))
    limit = policy.definition.get("delivery-limit")
    fewest = WORK_QUEUE["x-delivery-limit"]
    return [*found, f"delivery-limit {limit}"] if isinstance(limit, int) and 0 <= limit < fewest else found
