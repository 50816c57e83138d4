"""Every check finds what it is there for, and nothing on a healthy installation."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from deploy.check.report import State as Checked
from deploy.doctor import broker, database
from deploy.doctor.lines import State
from deploy.doctor.render import as_json, findings, show
from deploy.doctor.seen import KeyFacts, KeyFile, Policy, ProviderFacts, PublicFacts, Seen, Told, Unseen
from deploy.doctor.table import CHECKS, lines
from shared.bus.inspection import BrokerFacts, QueueFacts
from shared.storage.inspection import DatabaseFacts, ServerFacts
from tests.unit.doctor.samples import DAY, DEAD, ENDPOINT, HEALTHY, NOW, but, settings_with

FAILED = Unseen(reason="it does not answer", is_failure=True)
assert isinstance(HEALTHY.public, PublicFacts)
assert isinstance(HEALTHY.database, DatabaseFacts)
assert isinstance(HEALTHY.broker, BrokerFacts)
assert isinstance(HEALTHY.keys, KeyFacts)
PUBLIC, BROKER, KEYS = HEALTHY.public, HEALTHY.broker, HEALTHY.keys
assert isinstance(HEALTHY.database.server, ServerFacts)
SERVER = HEALTHY.database.server
GATEWAY, WORKER = "latchkey_gateway", "latchkey_token_worker"


def queue(name: str, facts: QueueFacts) -> Seen:
    return but("broker", queues={**BROKER.queues, name: facts})


def rights(role: str, change: frozenset[str]) -> Seen:
    """Give a role rights, or take those away that it has."""
    has = SERVER.rights.get(role, frozenset())
    return but("database.server", rights={**SERVER.rights, role: has ^ change})


def server_setting(name: str, value: str) -> Seen:
    return but("database.server", settings={**SERVER.settings, name: value})


def key_file(name: str, *, mode: int = 0o600, written: int = NOW, problem: str = "") -> Seen:
    return but("keys", files={**KEYS.files, name: KeyFile(mode=mode, written=written, problem=problem)})


def provider(**changes: str) -> Seen:
    return replace(HEALTHY, providers=(replace(HEALTHY.providers[0], **changes),))


def services(**service: object) -> Seen:
    return replace(HEALTHY, settings=settings_with(services={"default": service}))


def policies(*definitions: dict[str, object], by_operator: bool = False, applies_to: str = "queues") -> Seen:
    """Let policies apply to the queue auth.link, the later ones with more weight."""
    made = [
        Policy(
            name=f"p{number}",
            pattern="^auth[.]link$",
            applies_to=applies_to,
            priority=number,
            by_operator=by_operator,
            definition=definition,
        )
        for number, definition in enumerate(definitions)
    ]
    return but("management", policies=tuple(made))


WRONG, WARN = State.WRONG, State.WARN
CASES: list[tuple[str, State, str, Seen]] = [
    ("public.reachable", WRONG, "does not answer", replace(HEALTHY, public=FAILED)),
    ("public.ours", WRONG, "only one of the two has the key efgh", but("public", key_ids=frozenset({"abcd", "efgh"}))),
    ("public.ours", WRONG, "no keys", but("public", key_ids=None)),
    ("public.smapi", WRONG, "HTTP 404", but("public", endpoints={ENDPOINT: "HTTP 404, nothing at all"})),
    ("public.registered", WRONG, "is not https://link.example.com/smapi", but("told", registered=(f"{ENDPOINT}/",))),
    ("database.reachable", WRONG, "does not answer", replace(HEALTHY, database=FAILED)),
    ("database.schema", WRONG, "never migrated", but("database", revision=None)),
    ("database.schema", WRONG, "needs 0008", but("database", revision="0007")),
    ("database.schema", WARN, "has 0009", but("database", revision="0008")),
    ("database.clock", WRONG, "61 s ahead of", but("database", now=NOW - 61)),
    ("database.clock", WARN, "6 s behind", but("database", now=NOW + 6)),
    ("database.rights", WRONG, f"{GATEWAY} may INSERT ON grants, and should not", rights(GATEWAY, frozenset({"INSERT ON grants"}))),
    ("database.rights", WRONG, f"{WORKER} may not INSERT ON grants", rights(WORKER, frozenset({"INSERT ON grants"}))),
    ("database.rights", WRONG, "everybody may SELECT ON grants", rights("PUBLIC", frozenset({"SELECT ON grants"}))),
    ("database.rights", WRONG, f"{GATEWAY} is CREATEROLE", but("database.server", powers={GATEWAY: frozenset({"CREATEROLE"})})),
    ("database.rights", WARN, "one role does everything", but("database.server", rights={"postgres": frozenset({"SELECT ON grants"})})),
    ("database.role", WARN, "SUPERUSER", but("database.server", user="postgres")),
    ("database.limits", WARN, "statement_timeout is not set, not 5s", but("database.server", role_settings={**SERVER.role_settings, WORKER: {"lock_timeout": "2s", "idle_in_transaction_session_timeout": "15s"}})),
    ("database.durable", WRONG, "synchronous_commit is off", server_setting("synchronous_commit", "off")),
    ("database.durable", WRONG, "fsync is off", server_setting("fsync", "off")),
    ("database.durable", WRONG, f"{WORKER}: synchronous_commit", but("database.server", role_settings={**SERVER.role_settings, WORKER: {**SERVER.role_settings[WORKER], "synchronous_commit": "off"}})),
    ("database.connections", WRONG, "may open 38, the server has 17", server_setting("max_connections", "20")),
    ("database.connections", WARN, "90 are open", but("database.server", connections=90)),
    ("broker.reachable", WRONG, "does not answer", replace(HEALTHY, broker=FAILED)),
    ("broker.version", WRONG, "3.9.13 is older", but("broker", version="3.9.13")),
    ("broker.takes-messages", WRONG, "did not confirm", but("broker", takes_messages=False)),
    ("broker.alarms", WRONG, "too little disk", but("management", alarms=("disk",))),
    ("broker.policies", WRONG, "p0 lets auth.link drop messages: max-length, message-ttl", policies({"max-length": 9, "message-ttl": 9})),
    ("broker.policies", WRONG, "p0 lets auth.link drop messages: delivery-limit 20", policies({"delivery-limit": 20}, by_operator=True)),
    ("broker.policies", WRONG, "p1 lets auth.link drop messages: expires", policies({"queue-leader-locator": "balanced"}, {"expires": 9})),
    ("broker.topology", WRONG, "no exchange latchkey", but("broker", missing_exchanges=("latchkey",))),
    ("broker.topology", WRONG, "no queue auth.link", queue("auth.link", QueueFacts(is_there=False))),
    ("broker.arguments", WRONG, "auth.link: inequivalent", queue("auth.link", QueueFacts(is_there=True, consumers=1, complaint="inequivalent"))),
    ("broker.readers", WRONG, "nobody reads token.mint", queue("token.mint", QueueFacts(is_there=True))),
    ("broker.backlog", WARN, "1001 messages wait in auth.link", queue("auth.link", QueueFacts(is_there=True, consumers=1, messages=1001))),
    ("broker.dead-letters", WARN, "there are 3", queue(DEAD, QueueFacts(is_there=True, messages=3))),
    ("keys.files", WRONG, "no such folder", replace(HEALTHY, keys=Unseen(reason="no such folder", is_failure=True))),
    ("keys.files", WRONG, "damaged", key_file("gateway", problem="damaged")),
    ("keys.modes", WRONG, "gateway.json has mode 644", key_file("gateway", mode=0o644)),
    ("keys.modes", WRONG, "public.json has mode 666", key_file("public", mode=0o666)),
    ("keys.modes", WRONG, "the folder has mode 777", but("keys", folder_mode=0o777)),
    ("keys.match", WRONG, "does not open", but("keys", unmatched=("gateway.json does not open it",))),
    ("keys.apart", WARN, "gateway, token_worker", key_file("token_worker")),
    ("keys.age", WARN, "gateway.json is 366 days old", key_file("gateway", written=NOW - 366 * DAY)),
    ("providers.reachable", WRONG, "keycloak: gone", provider(failure="gone")),
    ("providers.redirect", WRONG, "it answers 400 for https://link.example.com/callback/keycloak", provider(refusal="it answers 400")),
    ("strings.ids", WRONG, "'SIGN IN' is no id", replace(services(sign_in_string_id="SIGN IN"), told=Told(registered=(ENDPOINT,)))),
    ("strings.uploaded", WRONG, "en-US: no text for ENTER", services(sign_in_string_id="ENTER")),
]  # fmt: skip


def test_nothing_is_found_on_a_healthy_installation() -> None:
    """Every check has something good to say, but one that there is no occasion for."""
    states = {line.check_id: line.state for line in lines(HEALTHY)}

    assert [] == findings(lines(HEALTHY))
    assert {State.OK} == set(states.values())


@pytest.mark.parametrize(
    ("check_id", "state", "said", "seen"), CASES, ids=[f"{case[0]} {case[2]}" for case in CASES]
)
def test_each_wrong_is_found_and_no_other(check_id: str, state: State, said: str, seen: Seen) -> None:
    """By the check that is there for it, with the words that say what, and a way out."""
    (found,) = findings(lines(seen))

    assert (check_id, state) == (found.check_id, found.state)
    assert said in found.said
    assert found.way_out.endswith((".", ";"))


def test_every_check_is_made_to_find_something() -> None:
    """But the one that only says which way the settings go."""
    assert {check.check_id for check in CHECKS} - {"database.pooler"} == {case[0] for case in CASES}


def test_what_the_checks_of_tls_find_is_shown() -> None:
    """As wrong or as a warning, as they have it."""
    found = but("public", tls=tuple(replace(each, state=Checked.FOUND, said="seen") for each in PUBLIC.tls))

    assert {
        ("tls.https", WRONG),
        ("tls.chain", WRONG),
        ("tls.days", WRONG),
        ("tls.s2", WRONG),
        ("tls.s1", WARN),
        ("tls.curve", WRONG),
        ("tls.old-versions", WARN),
    } == {(line.check_id, line.state) for line in findings(lines(found))}


@pytest.mark.parametrize(
    "seen",
    [
        policies({"max-length": 9, "overflow": "reject-publish"}),
        policies({"delivery-limit": 1000}),
        policies({"delivery-limit": -1}),
        policies({"expires": 9}, {"queue-leader-locator": "balanced"}),
        policies({"expires": 9}, applies_to="streams"),
    ],
    ids=["refuses new ones", "as many", "endless", "outweighed", "of others"],
)
def test_policies_that_drop_nothing_are_no_finding(seen: Seen) -> None:
    """Limits that refuse, weaker policies, and those that are for others."""
    assert [] == findings(lines(seen))


def test_user_of_the_broker_that_may_do_little_sees_little() -> None:
    """Who may neither publish nor declare cannot say how the broker takes it; what only has to be looked at is seen."""
    seen = but(
        "broker",
        takes_messages=None,
        queues={name: replace(each, complaint=None) for name, each in BROKER.queues.items()},
    )
    states = {line.check_id: line.state for line in lines(seen)}

    assert [State.SKIPPED, State.SKIPPED, State.OK, State.OK] == [
        states[f"broker.{name}"] for name in ("takes-messages", "arguments", "topology", "readers")
    ]


def test_policies_are_not_seen_without_the_plugin() -> None:
    """Whoever does not say where it is, is told how to; one that does not let us in says why."""
    for reason in ("say where", "answers 401"):
        seen = replace(HEALTHY, management=Unseen(reason=reason, is_failure=True))
        states = {line.check_id: (line.state, line.said) for line in lines(seen)}

        assert (State.SKIPPED, reason) == states["broker.policies"] == states["broker.alarms"]


def test_limits_of_roles_are_all_there_is_behind_a_pooler() -> None:
    """What a service sets when it connects does not arrive; so without them it is wrong."""
    seen = replace(but("database.server", role_settings={}), settings=settings_with(database_pgbouncer=True))
    states = {line.check_id: line.state for line in lines(seen)}

    assert [WRONG, State.OK, State.SKIPPED] == [
        states[name] for name in ("database.limits", "database.pooler", "database.connections")
    ]


def test_one_process_has_neither_roles_nor_broker() -> None:
    """SQLite, the in-process bus and all keys in one folder are no finding."""
    seen = replace(
        key_file("token_worker"),
        settings=settings_with(broker_url="memory://", database_url="sqlite+aiosqlite:////x.db"),
        database=DatabaseFacts(revision="0009", now=NOW, server=None),
        broker=Unseen(reason="the bus is inside the one process", is_failure=False),
        providers=(),
        told=Told(),
    )
    skipped = {line.check_id.partition(".")[0] for line in lines(seen) if line.state is State.SKIPPED}

    assert [] == findings(lines(seen))
    assert {"public", "database", "broker", "providers", "strings"} == skipped


def test_lines_that_are_skipped_for_one_reason_are_one_row() -> None:
    """All of them are in the JSON, and in the sum; what is ok has its own row."""
    seen = replace(HEALTHY, broker=Unseen(reason="the bus is inside the one process", is_failure=False))
    console = Console(record=True, width=200, file=StringIO())
    show(lines(seen), console)
    shown = console.export_text().splitlines()

    assert [f"broker.reachable and {len(broker.CHECKS) - 1} more"] == [
        line.partition("  ")[0] for line in shown if line.startswith("broker.")
    ]
    assert f"{len(broker.CHECKS)} skipped" in shown[-1]
    assert len(database.CHECKS) == len([line for line in shown if line.startswith("database.")])


def test_nothing_secret_is_shown() -> None:
    """Neither in what is printed nor in what was seen."""
    shown = as_json(lines(HEALTHY)) + repr(HEALTHY)

    assert "canary" not in shown


def test_provider_without_a_way_back_is_not_asked() -> None:
    """Where people type their password into our page there is no redirect URI."""
    seen = replace(HEALTHY, providers=(ProviderFacts(name="home", failure="", redirect_uri="", refusal=""),))
    states = {line.check_id: line.state for line in lines(seen)}

    assert State.SKIPPED is states["providers.redirect"]
