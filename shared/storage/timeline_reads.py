"""What is asked about links afterwards, by whoever runs the service: a few statements, each bounded and served by an index."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.domain.grant import GrantStatus
from shared.domain.link import LinkState
from shared.domain.sight import MOST_SIGHTINGS, Sight, Sighting
from shared.domain.timeline import Happened, Trail
from shared.storage.expressions import Keys, is_one_of, now_seconds
from shared.storage.rows import link_at, sighting_from
from shared.storage.schema import audit_events, grants, link_sightings, links, typed_codes
from shared.storage.session import fetch
from shared.storage.timelines import Reached, TimelineReads

MOST_EVENTS = 100
"""Audit events of one link that are read, on the average of those asked for at once."""

_IDS = bindparam("ids", type_=Keys)
_LINK_WIDTH = len(links.columns)

_LINKS = (
    select(links, grants.c.status, now_seconds())
    .join_from(links, grants, grants.c.grant_id == links.c.grant_id, isouter=True)
    .where(is_one_of(links.c.link_id, _IDS))
    .order_by(links.c.requested_at.desc(), links.c.link_id)
)
_HAPPENED = (
    select(audit_events.c.link_id, audit_events.c.at, audit_events.c.kind, audit_events.c.detail)
    .where(is_one_of(audit_events.c.link_id, _IDS))
    # Not the column itself: PostgreSQL would walk through all events in their order, which it has an index for, to find these.
    .order_by(audit_events.c.event_id + 0)
    .limit(bindparam("limit"))
)
_SIGHTINGS = (
    select(link_sightings)
    .where(is_one_of(link_sightings.c.link_id, _IDS))
    .order_by(link_sightings.c.link_id, link_sightings.c.first_at, link_sightings.c.sight)
    .limit(bindparam("limit"))
)
_LINKS_OF = (
    select(links.c.link_id)
    .where(links.c.household_id == bindparam("household_id"))
    .order_by(links.c.requested_at.desc(), links.c.link_id)
    .limit(bindparam("limit"))
)
_NAMED = select(typed_codes.c.link_id).where(
    is_one_of(typed_codes.c.typed_id, _IDS), typed_codes.c.expires_at > now_seconds()
)

# What was asked for since then expires after it, and by when links expire there is an index.
_RECENT = (
    select(links.c.link_id, links.c.requested_at, links.c.state, links.c.account_id)
    .where(links.c.expires_at > bindparam("since"), links.c.requested_at >= bindparam("since"))
    .order_by(links.c.expires_at.desc())
    .limit(bindparam("most"))
    .cte("recent")
)


def _seen(sight: Sight) -> ColumnElement[int]:
    return func.max(case((link_sightings.c.sight == sight.value, 1), else_=0))


_STAGE = case(
    (_seen(Sight.USED) == 1, 6),
    (_seen(Sight.DELIVERED) == 1, 5),
    (_RECENT.c.state == LinkState.LINKED.value, 4),
    (_seen(Sight.ALLOWED) == 1, 3),
    (_RECENT.c.account_id.is_not(None), 2),
    (_seen(Sight.PAGE) == 1, 1),
    else_=0,
)
_BEGINS = (_RECENT.c.requested_at - _RECENT.c.requested_at % bindparam("span", type_=BigInteger)).label(
    "begins"
)
_STAGES = (
    select(_BEGINS, _STAGE.label("stage"))
    .join_from(_RECENT, link_sightings, link_sightings.c.link_id == _RECENT.c.link_id, isouter=True)
    .group_by(_RECENT.c.link_id, _RECENT.c.requested_at, _RECENT.c.state, _RECENT.c.account_id)
    .subquery("stages")
)
_FUNNEL = (
    select(_STAGES.c.begins, _STAGES.c.stage, func.count())
    .group_by(_STAGES.c.begins, _STAGES.c.stage)
    .order_by(_STAGES.c.begins, _STAGES.c.stage)
)
_USED = (
    select(link_sightings.c.link_id)
    .where(link_sightings.c.link_id == _RECENT.c.link_id, link_sightings.c.sight == Sight.USED.value)
    .exists()
)
_LATEST = select(_RECENT.c.link_id).order_by(_RECENT.c.requested_at.desc(), _RECENT.c.link_id)
_UNFINISHED = _LATEST.where(~_USED)


class SqlTimelineReads(TimelineReads):
    """See the port."""

    _engine: AsyncEngine

    async def trails(self, link_ids: Sequence[str]) -> tuple[Trail, ...]:
        """Return what is known of links, the one asked for last first."""
        ids = {"ids": list(link_ids)}
        rows: Sequence[Any] = await fetch(self._engine, _LINKS, ids)
        happened = await fetch(self._engine, _HAPPENED, {**ids, "limit": MOST_EVENTS * len(link_ids)})
        seen = await fetch(self._engine, _SIGHTINGS, {**ids, "limit": MOST_SIGHTINGS * len(link_ids)})
        return _trails(rows, happened, seen)

    async def links_of(self, household_id: str, *, limit: int) -> tuple[str, ...]:
        """Return the ids of a household's links, the one asked for last first."""
        rows = await fetch(self._engine, _LINKS_OF, {"household_id": household_id, "limit": limit})
        return tuple(row[0] for row in rows)

    async def link_named(self, typed_ids: Sequence[str]) -> str | None:
        """Return the id of the link that has one of these short names."""
        rows: Sequence[Any] = await fetch(self._engine, _NAMED, {"ids": list(typed_ids)})
        return rows[0][0] if rows else None

    async def funnel(self, *, since: int, span: int, most: int) -> tuple[Reached, ...]:
        """Return how far links came that were asked for from *since* on."""
        rows: Sequence[Any] = await fetch(self._engine, _FUNNEL, {"since": since, "span": span, "most": most})
        return tuple(Reached(begins=row[0], stage=row[1], links=row[2]) for row in rows)

    async def latest(self, *, since: int, most: int) -> tuple[str, ...]:
        """Return the ids of links, the last first."""
        rows = await fetch(self._engine, _LATEST, {"since": since, "most": most})
        return tuple(row[0] for row in rows)

    async def unfinished(self, *, since: int, most: int) -> tuple[str, ...]:
        """Return the ids of links whose token was never used, the last first."""
        rows = await fetch(self._engine, _UNFINISHED, {"since": since, "most": most})
        return tuple(row[0] for row in rows)


def _trails(rows: Sequence[Any], happened: Sequence[Any], seen: Sequence[Any]) -> tuple[Trail, ...]:
    events: defaultdict[str, list[Happened]] = defaultdict(list)
    for link_id, at, kind, detail in happened:
        events[link_id].append(Happened(at=at, kind=kind, detail=json.loads(detail)))
    sightings: defaultdict[str, list[Sighting]] = defaultdict(list)
    for row in seen:
        sightings[row.link_id].append(sighting_from(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name for it
    return tuple(
        Trail(
            link=link_at(row),
            happened=tuple(events[row[0]]),
            sightings=tuple(sightings[row[0]]),
            grant=None if row[_LINK_WIDTH] is None else GrantStatus(row[_LINK_WIDTH]),
            now=row[_LINK_WIDTH + 1],
        )
        for row in rows
    )
