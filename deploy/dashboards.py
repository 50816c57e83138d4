"""Grafana's dashboards, made from a table of what is drawn: `python -m deploy.dashboards deploy/grafana`."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, ACROSS = 12, 8, 24
"""Of a panel, in Grafana's units, and of the whole page."""
_SOURCE = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram: expressions by what their lines are called; `$__rate_interval` is Grafana's."""

    title: str
    lines: dict[str, str]
    unit: str = "short"
    words: str = ""


def rate(metric: str, by: str, where: str = "") -> str:
    """Return events a second, by labels."""
    return f"sum by ({by}) (rate({metric}{where}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """Return what a share of all stayed below; seconds."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', labels, where)})"


def quantiles(histogram: str, by: str, where: str = "") -> dict[str, str]:
    """Return the middle and the slow end."""
    return {
        f"{{{{{by}}}}} p{round(share * 100)}": quantile(share, histogram, by, where) for share in (0.5, 0.99)
    }


POLLS = '{method="getDeviceAuthToken"}'

DASHBOARDS: dict[str, tuple[Panel, ...]] = {
    "overview": (
        Panel(
            "Calls by outcome",
            {"{{outcome}}": rate("latchkey_smapi_call_seconds_count", "outcome")},
            "reqps",
            "NOT_LINKED_RETRY is a household that waits; Server.* is ours.",
        ),
        Panel(
            "Time to answer, p99",
            {"{{method}}": quantile(0.99, "latchkey_smapi_call_seconds", "method")},
            "s",
            "Sonos gives up after 20 seconds.",
        ),
        Panel("Links that came to a state", {"{{state}}": rate("latchkey_link_age_seconds_count", "state")}),
        Panel("Refreshes", {"{{outcome}}": rate("latchkey_refresh_seconds_count", "outcome")}, "ops"),
        Panel(
            "Messages that wait",
            {"{{queue}}": "max by (queue) (latchkey_queue_messages)"},
            words="`dead` is where somebody has to look.",
        ),
        Panel(
            "Broker, and database",
            {
                "broker {{instance}}": "latchkey_broker_connected",
                "database {{instance}} {{service}}": "latchkey_clock_offset_seconds * 0 + 1",
            },
            words="1 while it is there; no line of a database: it does not answer.",
        ),
        Panel("Memory", {"{{instance}}": "process_resident_memory_bytes"}, "bytes"),
        Panel(
            "Processor", {"{{instance}}": "rate(process_cpu_seconds_total[$__rate_interval])"}, "percentunit"
        ),
        Panel(
            "Event loop late, p99",
            {"{{instance}}": quantile(0.99, "latchkey_loop_lag_seconds", "instance")},
            "s",
        ),
        Panel("Versions", {"{{version}}": "count by (version) (latchkey_build_info)"}),
    ),
    "links": (
        Panel(
            "How far links come",
            {"{{state}}": "sum by (state) (increase(latchkey_link_age_seconds_count[1h]))"},
        ),
        Panel("How old they are then", quantiles("latchkey_link_age_seconds", "state"), "s"),
        Panel(
            "Polls by answer",
            {"{{outcome}}": rate("latchkey_smapi_call_seconds_count", "outcome", POLLS)},
            "reqps",
        ),
        Panel(
            "Links asked for",
            {
                "{{method}} {{outcome}}": rate(
                    "latchkey_smapi_call_seconds_count",
                    "method, outcome",
                    '{method=~"getAppLink|getDeviceLinkCode"}',
                )
            },
            "reqps",
        ),
        Panel("Sign-ins", {"{{kind}}": rate("latchkey_audit_events_total", "kind", '{kind=~"login[.].+"}')}),
        Panel(
            "Providers: requests",
            {
                "{{provider}} {{outcome}}": rate(
                    "latchkey_provider_request_seconds_count", "provider, outcome"
                )
            },
            "reqps",
        ),
        Panel("Providers: time", quantiles("latchkey_provider_request_seconds", "provider"), "s"),
    ),
    "tokens": (
        Panel(
            "Refreshes by outcome", {"{{outcome}}": rate("latchkey_refresh_seconds_count", "outcome")}, "ops"
        ),
        Panel("Time of a refresh", quantiles("latchkey_refresh_seconds", "outcome"), "s"),
        Panel(
            "Questions about tokens by call and status",
            {"{{call}} {{status}}": rate("latchkey_token_api_requests_total", "call, status")},
            "reqps",
        ),
        Panel(
            "Faults that concern tokens",
            {
                "{{outcome}}": rate(
                    "latchkey_smapi_call_seconds_count",
                    "outcome",
                    '{outcome=~"Client[.](AuthTokenExpired|TokenRefreshRequired|LoginUnauthorized)"}',
                )
            },
            "reqps",
            "AuthTokenExpired: households that have to link again.",
        ),
        Panel(
            "Grants and accounts",
            {"{{kind}}": rate("latchkey_audit_events_total", "kind", '{kind=~"(grant|token|account)[.].+"}')},
        ),
    ),
    "broker-and-workers": (
        Panel(
            "Messages handed over",
            {"{{to}} {{outcome}}": rate("latchkey_publish_seconds_count", "to, outcome")},
            "ops",
            "A message carries many events when many come at once.",
        ),
        Panel("Time to the confirm, p99", {"{{to}}": quantile(0.99, "latchkey_publish_seconds", "to")}, "s"),
        Panel(
            "Events handled",
            {"{{kind}} {{outcome}}": rate("latchkey_event_seconds_count", "kind, outcome")},
            "ops",
        ),
        Panel("Time of a handler, p99", {"{{kind}}": quantile(0.99, "latchkey_event_seconds", "kind")}, "s"),
        Panel("Messages that wait", {"{{queue}}": 'max by (queue) (latchkey_queue_messages{queue!="dead"})'}),
        Panel(
            "Dead letters",
            {
                "there": 'max(latchkey_queue_messages{queue="dead"})',
                "new from {{queue}}": "sum by (queue) (increase(latchkey_dead_letters_total[5m]))",
            },
        ),
        Panel(
            "Readers that died with a message",
            {"{{queue}}": "sum by (queue) (increase(latchkey_redeliveries_total[5m]))"},
        ),
    ),
    "database": (
        Panel(
            "Connections",
            {
                "used {{instance}} {{service}}": 'latchkey_database_connections{state="used"}',
                "most {{instance}} {{service}}": 'latchkey_database_connections{state="most"}',
            },
        ),
        Panel(
            "The database's clock minus ours",
            {"{{instance}} {{service}}": "latchkey_clock_offset_seconds"},
            "s",
        ),
        Panel(
            "Expired rows deleted",
            {"rows": "sum(rate(latchkey_retention_rows_total[$__rate_interval]))"},
            "rowsps",
        ),
        Panel(
            "Since the last round of deletion",
            {"seconds": "time() - max(latchkey_retention_last_success_timestamp_seconds)"},
            "s",
        ),
        Panel(
            "Handlers that wait for it",
            {"{{kind}}": quantile(0.99, "latchkey_event_seconds", "kind", '{outcome="done"}')},
            "s",
        ),
    ),
}
"""File name -> what is on it, two beside each other."""


def files() -> dict[str, str]:
    """Return the content of each file, by its name."""
    return {
        f"{name}.json": json.dumps(_dashboard(name, panels), indent=1) + "\n"
        for name, panels in DASHBOARDS.items()
    }


def _dashboard(name: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    return {
        "uid": f"latchkey-{name}",
        "title": f"Latchkey: {name.replace('-', ' ')}",
        "tags": ["latchkey"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["latchkey"], "title": "Latchkey", "keepTime": True}],
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number * WIDTH, ACROSS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.words,
        "datasource": _SOURCE,
        "gridPos": {"x": column, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0} if panel.unit != "s" else {"unit": "s"},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]}
        },
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "legendFormat": legend,
                "expr": expression,
            }
            for place, (legend, expression) in enumerate(panel.lines.items())
        ],
    }


if __name__ == "__main__":
    for file_name, content in files().items():
        (Path(sys.argv[1]) / file_name).write_text(content)
