"""How sightings are written, inside one transaction."""

from collections.abc import Sequence
from functools import cache
from operator import attrgetter

from sqlalchemy import BigInteger, Integer, Text, bindparam, func, literal, select

from shared.domain.sight import MOST_SIGHTINGS, Sight, Sighting
from shared.storage.rows import sighting_values
from shared.storage.schema import grant_origins, link_sightings, links
from shared.storage.session import Session
from shared.storage.timelines import FirstUses, SightingWrites
from shared.storage.writes import Insert, insert

_COLUMNS = ("link_id", "observer", "sight", "service", "times", "first_at", "last_at", "note")
_KEY = ("link_id", "observer", "sight")
_MINTER = "token_worker"


class SqlSightingWrites(SightingWrites):
    """See the port."""

    _session: Session

    async def put_sightings(self, sightings: Sequence[Sighting]) -> None:
        """Write what was seen."""
        # In one order everywhere, so that two workers cannot wait for each other.
        rows = [
            sighting_values(each)
            for each in sorted(sightings, key=attrgetter("link_id", "observer", "sight", "times"))
        ]
        if rows:
            await self._session.execute_many(_put(self._session.dialect), rows)


class SqlFirstUses(FirstUses):
    """See the port."""

    _session: Session

    async def note_first_use(self, grant_id: str) -> None:
        """Record that the token of the link a grant last came from is in use; once."""
        parameters = {"grant_id": grant_id, "now": self._session.now}
        await self._session.execute(_first_use(self._session.dialect), parameters)


@cache
def _put(dialect: str) -> Insert:
    """Return an INSERT for a link that has a row, and not too many sightings; what is there gives way to a later word."""
    kept = (
        select(func.count())
        .select_from(link_sightings)
        .where(link_sightings.c.link_id == links.c.link_id)
        .correlate(links)
        .scalar_subquery()
    )
    brought = select(
        links.c.link_id,
        bindparam("observer", type_=Text),
        bindparam("sight", type_=Text),
        links.c.service,
        bindparam("times", type_=Integer),
        bindparam("first_at", type_=BigInteger),
        bindparam("last_at", type_=BigInteger),
        bindparam("note", type_=Text),
    ).where(links.c.link_id == bindparam("link_id", type_=Text), kept < MOST_SIGHTINGS)
    statement = insert(dialect, link_sightings).from_select(_COLUMNS, brought)
    return statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={name: statement.excluded[name] for name in ("times", "last_at", "note")},
        where=link_sightings.c.times < statement.excluded.times,
    )


@cache
def _first_use(dialect: str) -> Insert:
    now = bindparam("now", type_=BigInteger)
    brought = select(
        links.c.link_id,
        literal(_MINTER),
        literal(Sight.USED.value),
        links.c.service,
        literal(1),
        now,
        now,
        literal(""),
    ).where(
        links.c.link_id == grant_origins.c.link_id,
        grant_origins.c.grant_id == bindparam("grant_id", type_=Text),
    )
    return insert(dialect, link_sightings).from_select(_COLUMNS, brought).on_conflict_do_nothing()
