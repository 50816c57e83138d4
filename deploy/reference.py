"""The reference pages of settings, commands and faults, made from the code: `python -m deploy.reference docs`."""

import sys
from collections.abc import Collection
from copy import copy
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deploy.cli import HELP, main
from gateway.smapi.faults import FAULTS
from shared.settings import PREFIX, Settings

WIDE_HELP: dict[str, Any] = {**HELP, "max_content_width": 100, "terminal_width": 100}
Row = tuple[tuple[str, ...], FieldInfo]
"""Where a setting stands, and what it is."""
_NOTICE = "This page is made from the code by `make docs`.\n"


def pages() -> dict[str, str]:
    """Return the content of each page, by file name."""
    return {"settings.md": settings_page(), "commands.md": commands_page(), "faults.md": faults_page()}


def settings_page() -> str:
    """Return the page of every setting: where it is set, its default, what it is for."""
    lines = [
        "# Settings",
        "",
        _NOTICE,
        f"Set them in the environment, or in the TOML file that `{PREFIX}CONFIG` names; the environment is stronger. In the file, dots are",
        "sections: `tokens.lifetime` is `lifetime` under `[tokens]`. All problems are reported at once, and unknown names are refused.",
        "",
        "| in the file | in the environment | default | what it is for |",
        "|---|---|---|---|",
    ]
    for path, field in _fields(Settings, ()):
        name = ".".join(path)
        variable = PREFIX + "__".join(path).upper()
        shown = "in the file only" if "NAME" in path else f"`{variable}`"
        lines.append(f"| `{name}` | {shown} | {_default(field)} | {field.description} |")
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


def _fields(model: type[BaseModel], path: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for name, field in model.model_fields.items():
        sections = _sections(field.annotation)
        key = (*path, name, "NAME") if get_origin(field.annotation) is dict else (*path, name)
        if not sections:
            rows.append((key, field))
        rows += _merged({section: _fields(section, key) for section in sections})
    return rows


def _merged(sections: dict[type[BaseModel], list[Row]]) -> list[Row]:
    """Return the rows of a union's sections: what several share once, and what not all have with the types that do."""
    types: dict[tuple[tuple[str, ...], str | None], list[str]] = {}
    found: dict[tuple[tuple[str, ...], str | None], FieldInfo] = {}
    for section, rows in sections.items():
        for path, field in rows:
            types.setdefault((path, field.description), []).append(_type(section))
            found.setdefault((path, field.description), field)
    return [(key[0], _only_for(field, types[key], sections)) for key, field in found.items()]


def _only_for(field: FieldInfo, types: list[str], sections: Collection[object]) -> FieldInfo:
    if len(types) == len(sections) or (field.description or "").startswith(f"`{types[0]}`:"):
        return field
    told = copy(field)
    told.description = f"{', '.join(f'`{each}`' for each in types)}: {field.description}"
    return told


def _type(section: type[BaseModel]) -> str:
    field = section.model_fields.get("type")
    return str(get_args(field.annotation)[0]) if field else ""


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """Return the settings inside a field: its own model, those of a union, or the values of a table."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "none" if field.default_factory else "required"
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
