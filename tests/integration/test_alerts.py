"""Every alert fires when it should and no other with it, and none when all is well: as Prometheus itself reckons it."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
ALERTS = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
BROKEN = 120
"""For how many minutes at the end something is wrong."""
HOURS, DAY = 4, 26
"""How many are simulated; a day is what one alert needs, since it compares with yesterday."""

Values = Callable[[int], str]
"""Minutes in all -> the values of a series, one for each, as promtool has them."""
Series = Mapping[str, Values | None]


def rate(before: int, after: int | None = None) -> Values:
    """Return a counter that grows so much in a minute, and so much when something is wrong."""
    if after is None:
        return lambda minutes: f"0+{before}x{minutes}"
    return lambda minutes: (
        f"0+{before}x{minutes - BROKEN} {before * (minutes - BROKEN) + after}+{after}x{BROKEN}"
    )


def level(before: int, after: int | None = None, *, last: int = BROKEN) -> Values:
    """Return what stands at one height, and for the *last* minutes at another."""
    if after is None:
        return lambda minutes: f"{before}+0x{minutes}"
    return lambda minutes: f"{before}+0x{minutes - last} {after}+0x{last}"


def born(after: int) -> Values:
    """Return a counter that is there only since it happened."""
    return lambda minutes: f"_x{minutes - BROKEN} 0+{after}x{BROKEN}"


def gone(minutes: int) -> str:
    """Return what was at nothing, and is not there any more."""
    return f"0+0x{minutes - BROKEN} _x{BROKEN}"


CALLS = "latchkey_smapi_call_seconds_count"
POLLS = 'latchkey_smapi_call_seconds_bucket{instance="a",method="getDeviceAuthToken",outcome="ok"'
SENT_AWAY = f'{CALLS}{{instance="a",method="getMetadata",outcome="Client.AuthTokenExpired"}}'
LINKS = "latchkey_link_age_seconds_count"
PROVIDER = 'latchkey_provider_request_seconds_count{instance="b",provider="corp"'
REFRESHES = 'latchkey_refresh_seconds_count{instance="a"'
PUBLISHES = 'latchkey_publish_seconds_count{instance="a",to="work"'
QUEUES = 'latchkey_queue_messages{instance="b"'
CONNECTIONS = 'latchkey_database_connections{instance="a",service="gateway"'
THEFT = 'latchkey_audit_events_total{kind="token.reuse_detected"}'
DEATHS = 'latchkey_redeliveries_total{queue="token.mint"}'
DELETED = "latchkey_retention_last_success_timestamp_seconds"
LAG = 'latchkey_loop_lag_seconds_bucket{instance="a"'

WELL: Series = {
    'latchkey_build_info{instance="a",version="1"}': level(1),
    'latchkey_clock_offset_seconds{instance="a",service="gateway"}': level(0),
    'latchkey_broker_connected{instance="a"}': level(1),
    f'{CALLS}{{instance="a",method="getMetadata",outcome="ok"}}': rate(600),
    SENT_AWAY: rate(3),
    f'{POLLS},le="0.5"}}': rate(100),
    f'{POLLS},le="1.0"}}': rate(100),
    f'{POLLS},le="+Inf"}}': rate(100),
    f'{LINKS}{{state="requested"}}': rate(4),
    f'{LINKS}{{state="linked"}}': rate(2),
    f'{PROVIDER},outcome="answered"}}': rate(60),
    f'{PROVIDER},outcome="unavailable"}}': rate(1),
    f'{REFRESHES},outcome="delivered"}}': rate(60),
    f'{REFRESHES},outcome="late"}}': rate(1),
    f'{PUBLISHES},outcome="ok"}}': rate(600),
    f'{PUBLISHES},outcome="returned"}}': level(0),
    f'{QUEUES},queue="token.mint"}}': level(0),
    f'{QUEUES},queue="dead"}}': level(0),
    f'{CONNECTIONS},state="used"}}': level(2),
    f'{CONNECTIONS},state="most"}}': level(10),
    THEFT: level(0),
    DEATHS: level(0),
    DELETED: rate(60),
    f'{LAG},le="0.25"}}': rate(100),
    f'{LAG},le="0.5"}}': rate(100),
    f'{LAG},le="+Inf"}}': rate(100),
}
"""A small service on a good day; Prometheus looks once a minute, and judges every five."""

BROKEN_BY: Mapping[str, tuple[str, Series]] = {
    "nobody is there": ("LatchkeyGone", {'latchkey_build_info{instance="a",version="1"}': None}),
    "no broker": ("LatchkeyBrokerAway", {'latchkey_broker_connected{instance="a"}': level(1, 0)}),
    "no database": (
        "LatchkeyDatabaseSilent",
        {'latchkey_clock_offset_seconds{instance="a",service="gateway"}': gone},
    ),
    "faults of ours, for the first time": (
        "LatchkeyServerFaults",
        {f'{CALLS}{{instance="a",method="getMetadata",outcome="Server.ServiceUnavailable"}}': born(30)},
    ),
    "slow polls": ("LatchkeySlow", {f'{POLLS},le="0.5"}}': rate(100, 95)}),
    "links do not finish": ("LatchkeyLinksDoNotFinish", {f'{LINKS}{{state="linked"}}': rate(2, 0)}),
    "no link ever finished": ("LatchkeyLinksDoNotFinish", {f'{LINKS}{{state="linked"}}': level(0)}),
    "a provider is away": (
        "LatchkeyProviderUnavailable",
        {f'{PROVIDER},outcome="unavailable"}}': rate(1, 30)},
    ),
    "a provider does not take our secret any more": (
        "LatchkeyProviderUnavailable",
        {f'{PROVIDER},outcome="refused"}}': born(30)},
    ),
    "refreshes come late": ("LatchkeyRefreshesLate", {f'{REFRESHES},outcome="late"}}': rate(1, 6)}),
    "households are sent away": ("LatchkeyHouseholdsSentAway", {SENT_AWAY: rate(3, 60)}),
    "households are sent away, and never were before": ("LatchkeyHouseholdsSentAway", {SENT_AWAY: born(6)}),
    "the first theft": ("LatchkeyTokenTheft", {THEFT: level(0, 1, last=10)}),
    "the broker does not take messages": (
        "LatchkeyPublishFails",
        {f'{PUBLISHES},outcome="away"}}': born(12)},
    ),
    "the first message that comes back": (
        "LatchkeyMessagesReturned",
        {f'{PUBLISHES},outcome="returned"}}': level(0, 1, last=5)},
    ),
    "messages wait": ("LatchkeyQueueWaits", {f'{QUEUES},queue="token.mint"}}': level(0, 2000)}),
    "nobody takes a message": ("LatchkeyQueueWaits", {f'{QUEUES},queue="token.mint"}}': level(0, 1)}),
    "a dead letter": ("LatchkeyDeadLetters", {f'{QUEUES},queue="dead"}}': level(0, 1)}),
    "readers die": ("LatchkeyReadersDie", {DEATHS: level(0, 8, last=10)}),
    "connections are used up": ("LatchkeyConnectionsUsedUp", {f'{CONNECTIONS},state="used"}}': level(2, 10)}),
    "clocks differ": (
        "LatchkeyClockOff",
        {'latchkey_clock_offset_seconds{instance="a",service="gateway"}': level(0, -20)},
    ),
    "nothing is deleted any more": ("LatchkeyNothingDeleted", {DELETED: rate(60, 0)}),
    "nothing was ever deleted": ("LatchkeyNothingDeleted", {DELETED: None}),
    "the event loop is late": ("LatchkeyLoopLate", {f'{LAG},le="0.25"}}': rate(100, 95)}),
}
"""What happens -> the alert, and the series that are other than on a good day; None: there is none of it."""


def expectation(changed: Series, *alerts: str, hours: int = HOURS) -> dict[str, object]:
    """Return a test of Prometheus: at the end of these series, exactly these alerts fire."""
    minutes = hours * 60
    return {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": values(minutes)}
            for name, values in {**WELL, **changed}.items()
            if values
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minutes}m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in alerts],
            }
        ],
    }


def test_alerts_fire_when_they_should(promtool: Path, tmp_path: Path) -> None:
    """Each way in which something is wrong by its own alert, alone; and nobody is woken on a good day."""
    tests = [
        expectation({}, hours=DAY),
        *(
            expectation(changed, alert, hours=DAY if alert == "LatchkeyHouseholdsSentAway" else HOURS)
            for alert, changed in BROKEN_BY.values()
        ),
    ]
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": tests}))
    checked = subprocess.run(
        [promtool, "test", "rules", file], check=False, capture_output=True, text=True, cwd=tmp_path
    )

    assert set(ALERTS) == {alert for alert, _ in BROKEN_BY.values()}
    assert 0 == checked.returncode, checked.stdout + checked.stderr
