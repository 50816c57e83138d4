"""Events, their queues, their handlers and the page that lists them agree."""

import re
from pathlib import Path

import pytest

from auth_worker import household
from auth_worker.handlers import HANDLERS as AUTH
from deploy.definitions import SENDERS
from gateway.pages.household_words import EVENTS as WORDS
from gateway.results import NAMED_BY as AWAITED
from shared.messages import EVENTS, RESULTS, WORK
from token_worker.handlers import HANDLERS as TOKEN

ROOT = Path(__file__).parents[2]
HANDLED = {"auth_worker": AUTH, "token_worker": TOKEN}


def listed() -> dict[str, str]:
    """Return the table of ARCHITECTURE.md: event -> who receives it."""
    section = (ROOT / "ARCHITECTURE.md").read_text().split("## Who receives what")[1].split("\n## ")[0]
    return {kind: to for kind, _, to in re.findall(r"\| `([a-z._]+)` \| ([^|]+) \| ([^|]+) \|", section)}


def test_every_event_is_listed() -> None:
    """No event without a line, no line without an event."""
    assert set(EVENTS) == set(listed())


def test_whoever_sends_may_send() -> None:
    """The rights of each user at the broker are those of the page, to the event."""
    section = (ROOT / "ARCHITECTURE.md").read_text().split("## Who receives what")[1].split("\n## ")[0]
    words = {
        "gateway": "gateway",
        "`latchkey` command": "command",
        "both workers": "auth_worker, token_worker",
    }
    sent: dict[str, set[str]] = {}
    for kind, senders in re.findall(r"\| `([a-z._]+)` \| ([^|]+) \| [^|]+queue", section):
        for who in ", ".join(words.get(each, each) for each in senders.split(", ")).split(", "):
            sent.setdefault(who, set()).add(kind)

    assert sent == {who: set(kinds) for who, kinds in SENDERS.items()}


@pytest.mark.parametrize(("queue", "kinds"), WORK.items())
def test_every_kind_of_work_has_one_worker_as_listed(queue: str, kinds: tuple[type, ...]) -> None:
    """The worker that the page names handles the kind, the other does not, and the queue is right."""
    for kind in kinds:
        workers = [name for name, handlers in HANDLED.items() if kind in handlers]
        (worker,) = workers

        assert f"{worker}, queue `{queue}`" == listed()[kind.kind].strip()


def test_every_result_is_understood_by_the_gateway() -> None:
    """What goes back is awaited under some key."""
    assert set(RESULTS) == set(AWAITED)


def test_no_handler_is_left_over() -> None:
    """Workers handle work, and nothing that no queue brings them."""
    work = {kind for kinds in WORK.values() for kind in kinds}

    assert work == {kind for handlers in HANDLED.values() for kind in handlers}


NAMELESS = {"account.erased", "link.declined", "link.requested", "link.superseded"}
"""Kinds of audit events that name no account, or one that is gone."""
FOR_OPERATORS = {"account.recheck_unknown"}
"""Kinds that name an account to which nothing happened."""


def test_every_audit_event_of_an_account_has_words() -> None:
    """What the audit says of an account is told on the household page, in words that are translated."""
    said = re.compile(r'(?:_audit\((?:transaction, )?|audited\(|kind\s*=\s*|else )f?"([a-z_]+\.[a-z_]+)"')
    folders = ("auth_worker", "token_worker", "deploy")
    code = "".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    kinds = set(said.findall(code)) | set(household.AUDITED.values()) | {"login.authenticated"}

    assert set(WORDS) == kinds - NAMELESS - FOR_OPERATORS
