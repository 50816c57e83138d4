"""What the workers do for the household page, inside one transaction."""

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError

from shared.domain.grant import Grant
from shared.domain.visit import Visit
from shared.storage.base import Conflict
from shared.storage.rows import grant_from, origin_values, visit_from, visit_values
from shared.storage.schema import accounts, audit_events, grant_origins, grants, local_users, visits
from shared.storage.session import Session
from shared.storage.visits import HouseholdErasure, HouseholdWrites, Origin
from shared.storage.writes import upsert

_VISIT = select(visits).where(visits.c.visit_hash == bindparam("visit_hash"))
_DELETE_VISIT = delete(visits).where(visits.c.visit_hash == bindparam("visit_hash"))
_DELETE_LOCAL_USER = delete(local_users).where(
    local_users.c.service == bindparam("service"), local_users.c.subject == bindparam("subject")
)
_ITS_LINKS = select(audit_events.c.link_id).where(
    audit_events.c.account_id == bindparam("account"), audit_events.c.link_id.is_not(None)
)
# Two statements, since an index serves each of them, and none serves "the one or the other".
_FORGET = tuple(
    update(audit_events).where(condition).values(household_id=None, detail="{}")
    for condition in (
        audit_events.c.account_id == bindparam("account"),
        audit_events.c.link_id.in_(_ITS_LINKS),
    )
)
_GRANTS = select(grants).where(grants.c.account_id == bindparam("account_id")).order_by(grants.c.grant_id)
_DELETE_GRANTS = delete(grants).where(grants.c.account_id == bindparam("account_id"))
_DELETE_ACCOUNT = delete(accounts).where(accounts.c.account_id == bindparam("account_id"))


class SqlHouseholdWrites(HouseholdWrites):
    """See the port."""

    _session: Session

    async def visit(self, visit_hash: str) -> Visit | None:
        """Return a visit as it is."""
        row = await self._session.first(_VISIT, {"visit_hash": visit_hash})
        return None if row is None else visit_from(row)

    async def insert_visit(self, visit: Visit) -> bool:
        """Insert a visit; False if it was there already."""
        return await self._session.insert_new(visits, visit_values(visit))

    async def swap_visit(self, old: Visit, new: Visit) -> None:
        """Replace *old* by *new*."""
        await self._session.swap(visits, visit_values(old), visit_values(new))

    async def delete_visit(self, visit_hash: str) -> None:
        """Delete a visit if it is there."""
        await self._session.execute(_DELETE_VISIT, {"visit_hash": visit_hash})

    async def delete_local_user(self, *, service: str, subject: str) -> None:
        """Delete a local user if there is one."""
        await self._session.execute(_DELETE_LOCAL_USER, {"service": service, "subject": subject})

    async def forget_in_audit(self, account_id: str) -> None:
        """Take households and details out of the audit events of an account and of its links."""
        for statement in _FORGET:
            await self._session.execute(statement, {"account": account_id})


class SqlHouseholdErasure(HouseholdErasure):
    """See the port."""

    _session: Session

    async def put_origin(self, origin: Origin) -> None:
        """Write from where a grant came, over an earlier word on it."""
        brought = ("hardware", "os_version", "app_name", "network", "link_id")
        statement = upsert(self._session.dialect, grant_origins, ("grant_id",), brought)
        await self._session.execute(statement, origin_values(origin))

    async def erase_account(self, account_id: str) -> tuple[Grant, ...] | None:
        """Delete an account with its grants, sessions and visits."""
        key = {"account_id": account_id}
        found = (await self._session.execute(_GRANTS, key)).mappings().all()
        await self._session.execute(_DELETE_GRANTS, key)
        try:
            deleted = await self._session.execute(_DELETE_ACCOUNT, key)
        except IntegrityError as error:
            raise Conflict("a grant of the account was made meanwhile") from error
        return tuple(grant_from(row) for row in found) if deleted.rowcount else None
