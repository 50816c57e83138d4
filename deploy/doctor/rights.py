"""Who may do what in the database, as `deploy/postgres/roles.sql` has it: read from that file, so that there is one truth."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from shared.storage.inspection import Rights

SERVICES = ("latchkey_gateway", "latchkey_auth_worker", "latchkey_token_worker")

_COMMENT = re.compile(r"--.*")
_GRANT = re.compile(r"GRANT\s+([^;']+?)\s+ON\s+([a-z_,\s]+?)\s+TO\s+([a-z_,\s]+);")
_ACT = re.compile(r"([A-Z]+)\s*(?:\(([^)]*)\))?")
_SETTING = re.compile(r"ALTER ROLE (\w+) SET (\w+) = '?([^';]+)'?;")


@cache
def roles_sql() -> str:
    """Return the file."""
    return (files("deploy") / "postgres" / "roles.sql").read_text()


def rights_in(sql: str) -> Rights:
    """Return what each service is granted on tables."""
    rights: defaultdict[str, set[str]] = defaultdict(set)
    for acts, tables, roles in _GRANT.findall(_COMMENT.sub("", sql)):
        granted = {
            f"{act} ({column}) ON {table}" if column else f"{act} ON {table}"
            for act, columns in _ACT.findall(acts)
            for column in (_names(columns) or [""])
            for table in _names(tables)
        }
        for role in _names(roles):
            rights[role] |= granted
    return {role: frozenset(rights[role]) for role in SERVICES}


def settings_in(sql: str) -> Mapping[str, Mapping[str, str]]:
    """Return what is set for each role."""
    settings: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for role, name, value in _SETTING.findall(_COMMENT.sub("", sql)):
        settings[role][name] = value
    return dict(settings)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
