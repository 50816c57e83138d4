"""Stores on PostgreSQL that go past SQLAlchemy, and the same ones going through it."""

from collections.abc import AsyncIterator

import pytest

from shared.storage.direct import AskPlainly, Held
from tests.store_samples import Stores, open_stores


@pytest.fixture(params=["direct", "plain"])
async def stores(
    request: pytest.FixtureRequest, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stores]:
    """Stores that ask and write either way."""
    if request.param == "plain":

        async def refuse(*_: object) -> None:
            raise AskPlainly

        monkeypatch.setattr(Held, "fetch", refuse)
    async with open_stores(postgres_url) as opened:
        yield opened
