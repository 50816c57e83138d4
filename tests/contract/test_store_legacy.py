"""What every store promises of sessions and upgrades, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.domain.session import Session
from shared.storage.base import Conflict
from shared.storage.legacy import SessionView
from tests.store_samples import ACCOUNT, SESSION, UPGRADE, Stores, open_stores

OF_ACCOUNT = {
    "service": SESSION.service,
    "account_id": SESSION.account_id,
    "household_id": SESSION.household_id,
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    """The three stores of an empty database."""
    async with open_stores(str(request.getfixturevalue(f"{request.param}_url"))) as opened:
        yield opened


async def _insert(stores: Stores, *sessions: Session) -> None:
    async with stores.auth.transaction() as transaction:
        for session in sessions:
            await transaction.upsert_account(
                replace(ACCOUNT, account_id=session.account_id, subject=session.account_id)
            )
            assert await transaction.insert_session(session)


class TestSessions:
    async def test_an_unknown_session_is_none(self, stores: Stores) -> None:
        """A session id that nobody was given is not an error."""
        async with stores.auth.transaction() as transaction:
            found = await transaction.session("nobody")

        assert (None, None) == (found, await stores.read.session("nobody"))

    async def test_a_session_comes_whole_with_account_and_time(self, stores: Stores) -> None:
        """One read returns every field of the session, its account, and the database's time."""
        await _insert(stores, SESSION)
        async with stores.auth.transaction() as before:
            view = await stores.read.session(SESSION.session_hash)

        assert view is not None
        assert (
            SessionView(session=SESSION, account=replace(ACCOUNT, subject="account-1"), now=view.now) == view
        )
        assert before.now <= view.now

    async def test_many_at_once_get_each_their_own(self, stores: Stores) -> None:
        """Sessions asked for together are answered apart, the unknown among them."""
        await _insert(stores, SESSION, replace(SESSION, session_hash="session-2", household_id="other"))
        views = await asyncio.gather(*map(stores.read.session, ("session-2", "nobody", "session-1")))

        assert ["other", None, SESSION.household_id] == [view and view.session.household_id for view in views]

    async def test_a_second_insert_changes_nothing(self, stores: Stores) -> None:
        """The same hash again is told, and the row stays as it was."""
        await _insert(stores, SESSION)
        async with stores.auth.transaction() as transaction:
            inserted = await transaction.insert_session(replace(SESSION, used_at=1))
            found = await transaction.session(SESSION.session_hash)

        assert (False, SESSION) == (inserted, found)

    async def test_sessions_are_those_of_one_account_in_one_household(self, stores: Stores) -> None:
        """Another account, household or service does not count."""
        others = [
            replace(SESSION, session_hash="other account", account_id="account-2"),
            replace(SESSION, session_hash="other household", household_id="other"),
            replace(SESSION, session_hash="other service", service="other"),
        ]
        mine = [SESSION, replace(SESSION, session_hash="session-2")]
        await _insert(stores, *others, *mine)
        async with stores.auth.transaction() as transaction:
            found = await transaction.sessions_of(**OF_ACCOUNT)

        assert set(mine) == set(found)

    async def test_swap_writes_once(self, stores: Stores) -> None:
        """Who swaps an old version is told, and the winner's row stays."""
        await _insert(stores, SESSION)
        used = replace(SESSION, used_at=SESSION.used_at + 9, expires_at=SESSION.expires_at + 9, version=2)
        async with stores.auth.transaction() as transaction:
            await transaction.swap_session(SESSION, used)
        with pytest.raises(Conflict):
            async with stores.auth.transaction() as transaction:
                await transaction.swap_session(SESSION, replace(used, used_at=1))
        async with stores.auth.transaction() as transaction:
            found = await transaction.session(SESSION.session_hash)

        assert used == found

    async def test_a_deleted_session_is_gone(self, stores: Stores) -> None:
        """Deleting ends that session alone, and deleting again is no error."""
        await _insert(stores, SESSION, replace(SESSION, session_hash="session-2"))
        async with stores.auth.transaction() as transaction:
            await transaction.delete_session("session-2")
            await transaction.delete_session("session-2")
            left = await transaction.sessions_of(**OF_ACCOUNT)

        assert (SESSION,) == left


class TestUpgrades:
    async def test_both_workers_read_the_word_that_was_given_first(self, stores: Stores) -> None:
        """A second word under the same request is told, and changes nothing."""
        async with stores.auth.transaction() as transaction:
            given = await transaction.insert_upgrade(UPGRADE)
            again = await transaction.insert_upgrade(replace(UPGRADE, account_id="somebody else"))
            found = await transaction.upgrade(UPGRADE.request_id)
        async with stores.token.transaction() as other:
            found_there = await other.upgrade(UPGRADE.request_id)
            unknown = await other.upgrade("nobody")

        assert (True, False) == (given, again)
        assert (UPGRADE, UPGRADE, None) == (found, found_there, unknown)

    async def test_a_word_needs_no_earlier_grant(self, stores: Stores) -> None:
        """Most upgrades come from a password, and name no grant."""
        upgrade = replace(UPGRADE, old_grant_id=None, old_family=None)
        async with stores.auth.transaction() as transaction:
            await transaction.insert_upgrade(upgrade)
            found = await transaction.upgrade(UPGRADE.request_id)

        assert upgrade == found


class TestRetention:
    async def test_what_has_expired_goes_and_the_rest_stays(self, stores: Stores) -> None:
        """Sessions and upgrades are over in the very second of their expiry, by the database's clock."""
        async with stores.auth.transaction() as transaction:
            now = transaction.now
            over = [now - 86400, now]
            await transaction.upsert_account(ACCOUNT)
            for expires_at in (*over, now + 3600):
                await transaction.insert_session(
                    replace(SESSION, session_hash=f"session-{expires_at}", expires_at=expires_at)
                )
                await transaction.insert_upgrade(
                    replace(UPGRADE, request_id=f"request-{expires_at}", expires_at=expires_at)
                )
        async with stores.token.transaction() as transaction:
            deleted = await transaction.delete_expired(links_before=0, limit=10)
        async with stores.auth.transaction() as transaction:
            left = [session.expires_at for session in await transaction.sessions_of(**OF_ACCOUNT)]
            upgrade = await transaction.upgrade(f"request-{now + 3600}")

        assert (4, [now + 3600]) == (deleted, left)
        assert upgrade is not None
