"""Selections of grants, page by page in the order of their ids."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, true

from shared.domain.revocation import Scope, Selection
from shared.storage.schema import grants
from shared.storage.session import Parameters

_VALUE: BindParameter[str] = bindparam("value")
_CONDITIONS: dict[Scope, ColumnElement[bool]] = {
    Scope.GRANT: grants.c.grant_id == _VALUE,
    Scope.ACCOUNT: grants.c.account_id == _VALUE,
    Scope.HOUSEHOLD: grants.c.household_id == _VALUE,
    Scope.ALL: true(),
}


def pages(statement: Select[Any]) -> dict[Scope, Select[Any]]:
    """Return, for each scope, the SELECT of one page; `parameters` are its parameters."""
    return {
        scope: statement.where(
            grants.c.service == bindparam("service"), condition, grants.c.grant_id > bindparam("after")
        )
        .order_by(grants.c.grant_id)
        .limit(bindparam("limit"))
        for scope, condition in _CONDITIONS.items()
    }


def parameters(selection: Selection, *, after: str, limit: int) -> Parameters:
    """Return the parameters of the page that begins behind *after*."""
    values: dict[str, object] = {"service": selection.service, "after": after, "limit": limit}
    return values if selection.scope is Scope.ALL else values | {"value": selection.value}
