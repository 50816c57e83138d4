"""Dashboards, alerts, runbooks and what is counted agree."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

from auth_worker import household
from deploy import dashboards, reference
from deploy.doctor.table import CHECKS
from gateway.pages.household_words import EVENTS as AUDITED
from gateway.smapi.faults import FAULTS
from shared.domain.link import LinkState
from shared.messages import WORK
from shared.metrics import Metrics
from shared.settings import Settings
from shared.storage.records import AttemptOutcome

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
ALERTS = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
DRAWN = {
    f"{name} {target['refId']} of {panel['title']}": target["expr"].replace("$__rate_interval", "5m")
    for name, content in dashboards.files().items()
    for panel in json.loads(content)["panels"]
    for target in panel["targets"]
}
EXPRESSIONS = DRAWN | {name: rule["expr"] for name, rule in ALERTS.items()}

OF_PROMETHEUS = {"instance", "job", "le"}
"""Labels that everything has, or every histogram."""
LABELS = {series: {*family.labels} for family in Metrics().families for series in family.series} | {
    "latchkey_build_info": {"version"}
}
OF_THE_PROCESS = {
    sample.name
    for family in ProcessCollector(registry=CollectorRegistry()).collect()
    for sample in family.samples
}


def selected(expression: Any) -> list[promql_parser.VectorSelector]:
    """Return every selector of series in an expression."""
    found: list[promql_parser.VectorSelector] = []

    def take(node: Any) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(expression, take)
    return found


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_series_in_it_is_counted(where: str) -> None:
    """An expression can be read, and asks for nothing that no process shows."""
    for selector in selected(promql_parser.parse(EXPRESSIONS[where])):
        assert selector.name in LABELS.keys() | OF_THE_PROCESS
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= LABELS.get(selector.name, set()) | OF_PROMETHEUS


def test_everything_that_is_counted_is_looked_at() -> None:
    """No metric that is on no dashboard."""
    names = {selector.name for each in DRAWN.values() for selector in selected(promql_parser.parse(each))}
    unseen = [family.name for family in Metrics().families if names.isdisjoint(family.series)]

    assert [] == unseen


@pytest.mark.parametrize("name", dashboards.files())
def test_dashboard_is_up_to_date(name: str) -> None:
    """`make docs` would change nothing."""
    assert dashboards.files()[name] == (ROOT / "deploy" / "grafana" / name).read_text()


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """Whoever is woken is told what to do."""
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}

    assert pages == set(ALERTS)
    assert {name: f"docs/runbooks/{name}.md" for name in ALERTS} == {
        name: rule["annotations"]["runbook"] for name, rule in ALERTS.items()
    }


@pytest.mark.parametrize("name", ALERTS)
def test_runbook_says_all_that_is_needed(name: str) -> None:
    """What is seen, what it means, where to look, and the way out."""
    page = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text()

    assert ["## Symptom", "## What it means", "## Look here", "## Way out"] == [
        line for line in page.splitlines() if line.startswith("## ")
    ]


CODE = "".join(
    path.read_text()
    for folder in ("gateway", "auth_worker", "token_worker", "shared")
    for path in (ROOT / folder).rglob("*.py")
)
SETTINGS = {".".join(path) for path, *_ in reference._fields(Settings, ())}
OURS = {
    *re.findall(r'(?:\blog\.[a-z]+\(\s*|\(__name__, )"([^"]+)"', CODE),
    *re.findall(r'health\.(?:fit|whole)\["([a-z]+)"\]', CODE),
    *(word for family in Metrics().families for word in re.findall(r"`([a-z]+)`", family.words)),
    *AUDITED,
    *(f"login.{outcome}" for outcome in AttemptOutcome),
    *re.findall(r'_audit\(transaction, "([a-z._]+)"', CODE),
    *household.AUDITED.values(),
    *(fault.code for fault in FAULTS),
    *(fault.code.rpartition(".")[2] for fault in FAULTS),
    *LinkState,
    *WORK,
    *SETTINGS,
    *(f"[{name.rpartition('.')[0]}]" for name in SETTINGS),
    *(f"LATCHKEY_{name.upper()}" for name in SETTINGS),
    *(each.check_id for each in CHECKS),
    *("/livez", "/readyz", "degraded", "correlation_id", "regUrl", "connection lost", "results"),
    "deploy/postgres/roles.sql",
}
"""Words of this project that a page for somebody who was woken may have in code: lines of the log, what is counted, settings, states."""
OF_OTHERS = {
    *("psql", "+asyncpg", "max_connections", "max-length", "reject-publish", "latchkey", "latchkey_owner"),
    *("\\timing", "SELECT 1", "SELECT pg_terminate_backend(PID)", "nr_throttled", "cpu.stat", "up == 0"),
    *(
        "Connect call failed",
        "Name or service not known",
        "ACCESS_REFUSED",
        "TimeoutError",
        "InvalidFrameError",
    ),
}
"""Words of PostgreSQL, RabbitMQ, their drivers, Prometheus and the system; and the word that names of exchanges begin with."""
DRAWN_AS = {
    title.lower()
    for content in dashboards.files().values()
    for drawn in [json.loads(content)]
    for title in (
        drawn["title"].removeprefix("Latchkey: "),
        *(panel["title"].removesuffix(", p99") for panel in drawn["panels"]),
    )
}
OF_SONOS = {"wasn't added. something went wrong"}


@pytest.mark.parametrize("name", ALERTS)
def test_runbook_names_what_there_is(name: str) -> None:
    """Each line of the log, metric, setting and dashboard that it speaks of; commands are tried with those of all pages."""
    page = re.sub(r"```.*?```", "", (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(), flags=re.DOTALL)
    words = {word for word in re.findall(r"`([^`]+)`", page) if not word.startswith("latchkey ")}
    queries = {word for word in words - OF_OTHERS if "latchkey_" in word}
    asked = {selector.name for each in queries for selector in selected(promql_parser.parse(each))}
    drawn = {title.lower() for title in re.findall(r"(?<!\*)\*([^*`]+)\*(?!\*)", page)}

    assert set() == {word.partition(" = ")[0] for word in words - queries} - OURS - OF_OTHERS
    assert asked <= LABELS.keys()
    assert drawn <= DRAWN_AS | OF_SONOS


def test_runbooks_ask_the_database_what_it_knows(sqlite_url: str) -> None:
    """Each question runs on the schema of this version, and is about an event that there is."""
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "runbooks").glob("*.md"))
    questions = re.findall(r"^ *```sql\n *(.+)\n *```$", pages, re.MULTILINE)
    with closing(sqlite3.connect(sqlite_url.partition("///")[2])) as database:
        answers = [database.execute(question).fetchall() for question in questions]

    assert [[]] == answers
    assert set(re.findall(r"kind = '([^']+)'", "".join(questions))) <= OURS
