"""Which typed codes count as guesses: the same question from the gateway and from auth_worker."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, CompoundSelect, Select, bindparam, cast, literal, null, select, union_all

from shared.storage.codes import EntryOutcome, Guesses
from shared.storage.expressions import now_seconds
from shared.storage.schema import code_entries

_COUNTS = code_entries.c.outcome.is_(None) | (code_entries.c.outcome == EntryOutcome.WRONG.value)
_UNEXPIRED = code_entries.c.expires_at > now_seconds()


def _typed_by(whose: str) -> Select[Any]:
    return select(
        literal(whose).label("whose"), code_entries.c.entered_at.label("at"), now_seconds().label("now")
    ).where(code_entries.c[whose] == bindparam(whose), _COUNTS, _UNEXPIRED)


# This part always gives a row, so that the time comes with an empty answer, too.
_CLOCK = select(literal("nobody"), cast(null(), BigInteger), now_seconds())

GUESSES: CompoundSelect[Any] = union_all(_typed_by("browser"), _typed_by("network"), _CLOCK)
"""Parameters: `browser` and `network`."""


def guesses_from(rows: Sequence[Any]) -> Guesses:
    """Return what the rows of `GUESSES` say."""
    return Guesses(
        browser=tuple(row.at for row in rows if row.whose == "browser"),
        network=tuple(row.at for row in rows if row.whose == "network"),
        now=rows[0].now,
    )
