"""Reads the settings, and reports everything that is wrong with them at once."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.settings.checks import checks
from shared.settings.model import Settings
from shared.settings.providers import PROVIDER_TYPES
from shared.settings.sections import PREFIX


class SettingsError(Exception):
    """The settings cannot be used; `problems` says everything that is wrong, and the way out of each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"- {problem}" for problem in problems))


def load(**arguments: object) -> Settings:
    """Read the settings; *arguments* are stronger than every other source.

    Raises:
        SettingsError: with every problem that was found.
    """
    problems = _unknown_names(os.environ)
    folder = os.environ.get(f"{PREFIX}SECRETS_DIR")
    if folder and not Path(folder).is_dir():
        raise SettingsError(
            [*problems, f"{PREFIX}SECRETS_DIR: there is no folder {folder}; mount it or unset it"]
        )
    try:
        settings = Settings(**arguments)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(problems + [_explain(detail) for detail in error.errors()]) from None
    except (OSError, ValueError) as error:
        raise SettingsError([*problems, f"{PREFIX}CONFIG: {error}; correct the file or unset it"]) from None
    problems += [message for wrong, message in checks(settings) if wrong]
    if problems:
        raise SettingsError(problems)
    return settings


def _unknown_names(environ: Mapping[str, str]) -> list[str]:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    known |= {f"{PREFIX}CONFIG", f"{PREFIX}SECRETS_DIR"}
    problems = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name.split("__")[0] not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "unset it; `latchkey config show` lists every name"
            problems.append(f"{name}: no such setting; {hint}")
    return problems


def _explain(detail: Mapping[str, Any]) -> str:
    path = [str(part) for part in detail["loc"]]
    if path[-1] == "[key]":
        return f"{'.'.join(path[:-1])}: a name has at most 32 lower-case letters, digits and hyphens, first a letter; rename it"
    if path[0] == "providers":
        del path[2:3]  # The type, which is no part of the name.
        if detail["type"].startswith("union_tag"):
            return f"{'.'.join(path)}.type: say where people sign in, one of {', '.join(PROVIDER_TYPES)}"
    variable = PREFIX + "__".join(part.upper() for part in path)
    if detail["type"] == "missing":
        return f"{variable}: not set; set it in the environment, or `{'.'.join(path)}` in the file that {PREFIX}CONFIG names"
    if detail["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: no such setting; remove it or correct its name"
    return f"{variable}: {detail['msg']}"
