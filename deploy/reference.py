"""The reference pages of settings, commands and faults, made from the code: `python -m deploy.reference docs`."""

import sys
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deploy import bill
from deploy.check import tls_checks
from deploy.check.report import EVERY
from deploy.check.table import CHECKS, GROUPS
from deploy.cli import HELP, main
from deploy.doctor import table as doctor
from gateway.front_door import KEPT, KEPT_UNLESS_SET
from gateway.operations import OPERATIONS
from gateway.smapi.faults import FAULTS
from gateway.smapi.methods import METHODS
from shared.metrics import Counted, Level, Metrics, Timed
from shared.settings import PREFIX, Settings

WIDE_HELP: dict[str, Any] = {**HELP, "max_content_width": 100, "terminal_width": 100}
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_NOTICE = "This page is made from the code by `make docs`.\n"


def pages() -> dict[str, str]:
    """Return the content of each page, by file name."""
    return {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "faults.md": faults_page(),
        "methods.md": methods_page(),
        "check.md": checks_page(),
        "doctor.md": doctor_page(),
        "metrics.md": metrics_page(),
        "licences.md": bill.page(bill.components(CONSTRAINTS.read_text())),
    }


def settings_page() -> str:
    """Return the page of every setting: where it is set, its default, what it is for."""
    lines = [
        "# Settings",
        "",
        _NOTICE,
        f"Set them in the environment, or in the TOML file that `{PREFIX}CONFIG` names; the environment is stronger. In the file, dots are",
        "sections: `tokens.lifetime` is `lifetime` under `[tokens]`. All problems are reported at once, and unknown names are refused. What is for some",
        "`type`s only names them in brackets.",
        "",
        f"Secrets can also be files in the folder that `{PREFIX}SECRETS_DIR` names, as orchestrators mount them: each file is called as the setting is",
        "in the file, such as `database_url`, and its content is the value. They are weaker than the environment and stronger than the TOML file.",
        "",
        "| in the file | in the environment | default | what it is for |",
        "|---|---|---|---|",
    ]
    for path, field, only_for in _fields(Settings, ()):
        name = ".".join(path)
        variable = PREFIX + "__".join(path).upper()
        shown = "in the file only" if "NAME" in path else f"`{variable}`"
        types = f" *({', '.join(only_for)})*" if only_for else ""
        lines.append(f"| `{name}` | {shown} | {_default(field)} | {field.description}{types} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Return the page of every command: its own help text."""
    lines = ["# Commands", "", _NOTICE]
    for path, command in _commands(main, ("latchkey",)):
        with click.Context(command, info_name=" ".join(path), **WIDE_HELP) as context:
            text = command.get_help(context)
        lines += [f"## {' '.join(path)}", "", "```", text, "```", ""]
    return "\n".join(lines)


def faults_page() -> str:
    """Return the page of every fault: its own account of when it is sent, and what Sonos does next."""
    lines = [
        "# Faults",
        "",
        _NOTICE,
        "Every fault goes out with HTTP 500, as SOAP 1.1 has it. `SonosError` needs a text `Error<number>Message` among the strings registered",
        "with Sonos.",
        "",
        "| code | SonosError | when it is sent, and what Sonos does next |",
        "|---|---|---|",
    ]
    for fault in FAULTS:
        account = " ".join((fault.__doc__ or "").split())
        lines.append(f"| `{fault.code}` | {fault.sonos_error or ''} | {account} |")
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return the page of every metric: its name, what kind it is, its labels, what it counts."""
    lines = [
        "# Metrics",
        "",
        _NOTICE,
        "At `/metrics` of the admin address ([observing](observing.md)), each process its part, in embedded mode all. Histograms are of seconds. Labels have",
        "few values: no id, and nothing that somebody outside chose, is among them. The usual `process_*` come with them.",
        "",
        "| metric | kind | labels | what it counts |",
        "|---|---|---|---|",
        "| `latchkey_build_info` | gauge | `version` | The version that runs here; always 1. |",
    ]
    for family in Metrics().families:
        name = family.series[0] if len(family.series) == 1 else family.name
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{name}` | {_KINDS[type(family)]} | {labels} | {family.words} |")
    return "\n".join(lines) + "\n"


_KINDS = {Counted: "counter", Timed: "histogram", Level: "gauge"}


def methods_page() -> str:
    """Return the page of every SMAPI method: which are ours, what each of them does, and what becomes of the others."""
    lines = [
        "# SMAPI methods",
        "",
        _NOTICE,
        "Latchkey answers these by itself, at `POST /smapi` (`/smapi/SERVICE` where there are several). Its [faults](faults.md) are the same for all.",
        "",
        "| method | what it does | with `services.NAME.content` |",
        "|---|---|---|",
    ]
    for name, operation in sorted(OPERATIONS.items()):
        account = " ".join((operation.__doc__ or "").split("\n\n")[0].split())
        kept = (
            "the same"
            if name in KEPT
            else "the same; passed on by `pass_on`"
            if name in KEPT_UNLESS_SET
            else "passed on"
        )
        lines.append(f"| `{name}` | {account} | {kept} |")
    others = ", ".join(f"`{name}`" for name in METHODS if name not in OPERATIONS)
    lines += [
        "",
        f"All others are checked for their token and passed on to the service's own endpoint: {others}, and whatever else Sonos may call. Without one, they are",
        "answered with `Client.MethodNotSupported`.",
    ]
    return "\n".join(lines) + "\n"


def checks_page() -> str:
    """Return the page of every check of `latchkey check`: what should be so, what happens if not, and who says so."""
    lines = [
        "# Checks",
        "",
        _NOTICE,
        "`latchkey check URL` plays Sonos to any SMAPI service. Name a check or a group with `--only` or `--skip`. A *wrong* is what Sonos's own",
        "apps and players trip over, or what is unsafe; a *warning* is what some client or some moment will. Both make the exit status 1.",
    ]
    for group, title in GROUPS.items():
        lines += [
            "",
            f"## {group}: {title}",
            "",
            "| check | should be so | else | what happens then | way out | see |",
            "|---|---|---|---|---|---|",
        ]
        for about in (check.about for check in CHECKS if check.about.group == group):
            kinds = "" if about.modes == EVERY else f" ({', '.join(sorted(about.modes))})"
            lines.append(
                f"| `{about.check_id}`{kinds} | {about.title} | {about.severity.value} | {about.sonos} | {about.way_out} "
                f"| [{about.source.title}]({about.source.url}) |"
            )
    return "\n".join(lines) + "\n"


def doctor_page() -> str:
    """Return the page of `latchkey doctor`: what it is for, and every check with its way out."""
    lines = [
        "# Doctor",
        "",
        _NOTICE,
        "`latchkey doctor` looks at an installation from the inside, where `latchkey check` looks at a service from the outside. Run it where a process runs, with",
        "that process's environment: role, key file and addresses are then those that the process has.",
        "",
        "```",
        "latchkey doctor --registered https://link.example.com/smapi --strings /etc/latchkey/sonos/strings.json",
        "LATCHKEY_PUBLIC_URL=https://link.example.com latchkey doctor --data /var/lib/latchkey    # everything in one process",
        "```",
        "",
        "Each line is *ok*, *warn* (it works, and will not always, or not safely), *wrong* (it does not work, or is not safe) or *skipped*, with what was seen; each finding comes",
        "with its way out. `--json FILE` writes it all. Exit status: 0 all is well, 1 something is not, 2 it could not run.",
        "",
        "It changes nothing, and shows no password, key, token or content of a message. To the broker it sends one empty message, addressed to a gateway that there is not; to",
        "providers it goes as a browser that has no name, and nobody signs in. Policies and alarms a broker shows by its management plugin alone: `--management URL` says where",
        "that is, for a user with the tag `monitoring`, such as `latchkey_monitor`; without it, an alarm is seen by what it does, where the user may publish results.",
    ]
    for group, title in doctor.GROUPS.items():
        rows = [(each.check_id, each.title, each.way_out) for each in doctor.CHECKS]
        rows += [(each.about.check_id, each.about.title, each.about.way_out) for each in tls_checks.CHECKS]
        lines += ["", f"## {group}: {title}", "", "| check | should be so | way out |", "|---|---|---|"]
        lines += [
            f"| `{check_id}` | {title} | {way_out} |"
            for check_id, title, way_out in rows
            if check_id.startswith(f"{group}.")
        ]
    return "\n".join(lines) + "\n"


Row = tuple[tuple[str, ...], FieldInfo, list[str]]
"""Where a setting is, what it is, and the values of `type` that it is for: none of them if it is for all."""


def _fields(model: type[BaseModel], path: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for name, field in model.model_fields.items():
        sections = _sections(field.annotation)
        key = (*path, name, "NAME") if get_origin(field.annotation) is dict else (*path, name)
        if sections:
            rows += _fields(sections[0], key) if len(sections) == 1 else _fields_of_types(sections, key)
        else:
            rows.append((key, field, []))
    return rows


def _fields_of_types(sections: list[type[BaseModel]], path: tuple[str, ...]) -> list[Row]:
    """Return the fields of settings that have a `type` each; what several have alike is one row."""
    found: dict[tuple[str, ...], dict[str | None, tuple[FieldInfo, list[str]]]] = {}
    for section in sections:
        (kind,) = get_args(section.model_fields["type"].annotation)
        for key, field, _ in _fields(section, path):
            alike = found.setdefault(key, {}).setdefault(field.description, (field, []))
            alike[1].append(kind)
    rows = [(key, *row) for key, alike in found.items() for row in alike.values()]
    # `type` speaks for itself and has to be written, and a field of all types needs no word about them.
    return [
        (key, Field(description=field.description), [])
        if key[-1] == "type"
        else (key, field, kinds if len(kinds) < len(sections) else [])
        for key, field, kinds in rows
    ]


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """Return the settings inside a field: its own model, those of a union, or the values of a table."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, frozenset):
        return f"`{', '.join(sorted(field.default))}`" if field.default else "none"
    if isinstance(field.default, tuple) and field.default:
        return f"`{', '.join(map(str, field.default))}`"
    return "none" if field.default in (None, (), "", {}) else f"`{field.default}`"


def _commands(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    inner = command.commands.items() if isinstance(command, click.Group) else ()
    return [(path, command)] + [row for name, sub in inner for row in _commands(sub, (*path, name))]


if __name__ == "__main__":
    for file_name, content in pages().items():
        (Path(sys.argv[1]) / file_name).write_text(content)
