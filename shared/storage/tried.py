"""Which tries count: the same question from the gateway and from auth_worker."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Select,
    Text,
    bindparam,
    cast,
    literal,
    null,
    select,
    union_all,
)

from shared.domain.limits import Counted, Tries, Try, TryState
from shared.storage.expressions import now_seconds
from shared.storage.schema import known_places, sign_in_tries

KEYS = ("account", "network", "at_network", "at_place")
_KNOWN = ("at_network", "at_place")
_NOTHING = cast(null(), Text)


def _tried_under(key: str) -> Select[Any]:
    columns = sign_in_tries.c
    return select(
        literal(key).label("key"),
        columns.tried_at.label("at"),
        columns.tag.label("tag"),
        columns.outcome.label("outcome"),
        now_seconds().label("now"),
    ).where(
        columns[key] == bindparam(key, type_=Text),
        columns.expires_at > now_seconds(),
        columns.try_id != bindparam("other_than", type_=Text),
    )


def _known_under(key: str) -> Select[Any]:
    columns = known_places.c
    return select(
        literal(f"{key} known").label("key"), columns.since, _NOTHING, _NOTHING, now_seconds()
    ).where(columns.place == bindparam(key, type_=Text), columns.expires_at > now_seconds())


# This part always gives a row, so that the time comes with an empty answer, too.
_CLOCK = select(literal("clock"), cast(null(), BigInteger), _NOTHING, _NOTHING, now_seconds())

TRIES: CompoundSelect[Any] = union_all(*map(_tried_under, KEYS), *map(_known_under, _KNOWN), _CLOCK)
"""Parameters: each of `KEYS`, and `other_than`."""


def parameters(counted: Counted, other_than: str) -> dict[str, str | None]:
    """Return the parameters of `TRIES`; a key that is not known finds nothing."""
    return {key: getattr(counted, key) for key in KEYS} | {"other_than": other_than}


def tries_from(rows: Sequence[Any]) -> Tries:
    """Return what the rows of `TRIES` say."""
    tried = {key: tuple(_try(row) for row in rows if row.key == key) for key in KEYS}
    known = {key: next((row.at for row in rows if row.key == f"{key} known"), None) for key in _KNOWN}
    return Tries(
        **tried,
        network_known_since=known["at_network"],
        place_known_since=known["at_place"],
        now=rows[0].now,
    )


def _try(row: Any) -> Try:
    return Try(at=row.at, tag=row.tag, state=TryState(row.outcome or TryState.PENDING))
