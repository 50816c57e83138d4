"""Through PgBouncer in transaction mode, where one client's statements land on other connections each time."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from shared.storage import sql
from shared.storage.base import StoreUnavailable
from tests.conftest import _open
from tests.services.keeper import Keeper
from tests.services.postgres import PostgresServer
from tests.store_samples import LINK

LINKS = 40
ROUNDS = 5


@pytest.fixture
def pooled_url(keeper: Keeper, postgres_server: PostgresServer, postgres_url: str) -> Iterator[str]:
    """The test's own database through a PgBouncer with three connections."""
    name = f"pgbouncer-{secrets.token_hex(4)}"
    pooler = _open(keeper, f"pgbouncer of {postgres_server.url}", name)
    netloc = urlsplit(pooler["url"]).netloc
    yield urlsplit(postgres_url)._replace(netloc=netloc).geturl()
    keeper.order("close", name)


async def test_everything_works_with_the_setting(pooled_url: str) -> None:
    """Two of each store, more work at a time than there are connections: writes, swaps and both kinds of look-ups."""
    links = [replace(LINK, link_id=f"{number:032x}") for number in range(LINKS)]

    async def write(store: sql.SqlAuthStore, number: int) -> None:
        async with store.transaction() as transaction:
            await transaction.insert_link(links[number])

    async def read(store: sql.SqlReadStore, number: int) -> str:
        view = await store.poll(links[number].link_id)
        assert view is not None
        found = await store.link(links[number].link_id)
        assert found is not None
        return found.link.link_id

    async with (
        sql.open_auth_store(pooled_url, pgbouncer=True) as auth_1,
        sql.open_auth_store(pooled_url, pgbouncer=True) as auth_2,
        sql.open_read_store(pooled_url, pgbouncer=True) as read_1,
        sql.open_read_store(pooled_url, pgbouncer=True) as read_2,
    ):
        await asyncio.gather(*(write((auth_1, auth_2)[number % 2], number) for number in range(LINKS)))
        for _ in range(ROUNDS):
            found = await asyncio.gather(
                *(read((read_1, read_2)[number % 2], number) for number in range(LINKS))
            )

            assert [link.link_id for link in links] == list(found)


async def test_missing_setting_is_named(pooled_url: str) -> None:
    """Whoever forgets it is told which one, where it stands, and loses nothing."""
    async with sql.open_read_store(pooled_url) as store:
        with pytest.raises(StoreUnavailable, match="LATCHKEY_DATABASE_PGBOUNCER"):
            await store.check()
