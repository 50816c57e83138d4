"""Pages about an account, a household or all links show no more of them than they say, however many there are."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.operator import lookup, page
from gateway.pages import household, household_data
from shared.domain import visit as visits
from shared.domain.sight import Sight
from shared.domain.visit import Purpose
from shared.storage.records import AuditEvent
from tests.play.alone import Alone, standing_alone
from tests.store_samples import ACCOUNT, GRANT, LINK, SIGHTING, Stores, insert_grant, insert_link, open_stores

SECRET = "canary-visit-of-32-characters---"
VISIT = {f"latchkey-{Purpose.HOUSEHOLD}-default": SECRET}


@pytest.fixture
async def stores(sqlite_url: str) -> AsyncIterator[Stores]:
    async with open_stores(sqlite_url) as stores:
        yield stores


@pytest.fixture
async def alone(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Alone]:
    async with standing_alone(tmp_path, sqlite_url) as alone:
        yield alone


@pytest.fixture
async def operator(alone: Alone) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Asks the operator page."""
    app = web.Application()
    app.router.add_route("*", page.PATH, page.OperatorPage(alone.context).answer)
    async with TestClient(TestServer(app)) as http:
        yield http


async def visit(stores: Stores, *, systems: int, events: int) -> None:
    """Let somebody with so many systems sign in, to whom so much has happened."""
    for number in range(systems):
        name = f"grant-{number}"
        await insert_grant(stores, replace(GRANT, grant_id=name, household_id=name, used_at=number))
    happened = AuditEvent(kind="link.linked", service="default", account_id=ACCOUNT.account_id)
    visit_hash = visits.hash_of(SECRET, service="default", purpose=Purpose.HOUSEHOLD)
    async with stores.auth.transaction() as transaction:
        await transaction.audit_all([happened] * events)
        opened = visits.opened(
            visit_hash=visit_hash,
            service="default",
            purpose=Purpose.HOUSEHOLD,
            account_id=ACCOUNT.account_id,
            now=transaction.now,
        )
        assert await transaction.insert_visit(opened)


async def ask_for_links(stores: Stores, count: int, now: int, household_id: str = LINK.household_id) -> None:
    """Write links that were asked for in the last minutes, the one with the highest number last, and that people signed in to."""
    for number in range(count):
        at = now - 60 * (count - number)
        link = replace(
            LINK,
            link_id=f"{number:032x}",
            household_id=household_id,
            requested_at=at,
            expires_at=at + 30,
        )
        await insert_link(stores.auth, link)
        sent = replace(SIGHTING, link_id=link.link_id, sight=Sight.SENT, first_at=at, last_at=at)
        judged = AuditEvent(kind="login.refused", service="default", link_id=link.link_id)
        async with stores.auth.transaction() as transaction:
            await transaction.put_sightings([sent])
            await transaction.audit(judged)


async def test_household_page_shows_so_many(
    alone: Alone, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The systems used last, and what happened last."""
    monkeypatch.setattr(household, "MOST_SYSTEMS", 2)
    monkeypatch.setattr(household, "MOST_EVENTS", 3)
    await visit(stores, systems=3, events=4)
    async with alone.http.get("/household/default", cookies=VISIT) as response:
        text = await response.text()

    assert ["grant-2", "grant-1", "all"] == re.findall(r'name="grant" value="(.*?)"', text)
    assert 3 == text.count("A Sonos system was linked")


async def test_download_holds_so_many(alone: Alone, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the page shows, and not without end."""
    monkeypatch.setattr(household_data, "MOST", 2)
    await visit(stores, systems=3, events=3)
    async with alone.http.get("/household/default/download", cookies=VISIT) as response:
        content = await response.json()

    assert (["grant-2", "grant-1"], 2) == (
        [system["id"] for system in content["systems"]],
        len(content["events"]),
    )


async def test_links_of_a_household_are_told_of_up_to_a_number(
    alone: Alone,
    stores: Stores,
    operator: TestClient[web.Request, web.Application],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last ones."""
    monkeypatch.setattr(lookup, "MOST_LINKS", 2)
    await ask_for_links(stores, 3, alone.clock.now())
    async with operator.post(page.PATH, data={"household": LINK.household_id}) as response:
        text = await response.text()

    assert [f"{number:032x}" for number in (2, 1)] == re.findall(r"Link <code>([0-9a-f]{32})</code>", text)


async def test_overview_looks_at_so_many_links(
    alone: Alone,
    stores: Stores,
    operator: TestClient[web.Request, web.Application],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For why they stopped, and for how long workers took; each with a number of its own."""
    monkeypatch.setattr(page, "MOST_STOPPED", 3)
    monkeypatch.setattr(page, "MOST_TIMED", 2)
    await ask_for_links(stores, 4, alone.clock.now())
    async with operator.get(page.PATH) as response:
        text = await response.text()
    timed = re.search(r'auth_worker, to judge</th><td class="number">(\d+)<', text)

    assert "Of the last 3 links that did not get through" in text
    assert timed is not None
    assert "2" == timed.group(1)


async def test_what_is_looked_up_is_cut(
    alone: Alone, stores: Stores, operator: TestClient[web.Request, web.Application]
) -> None:
    """To the length of which something may be on record here; one character less is another name."""
    household_id, statuses = "x" * page.LONGEST_NAME, []
    await ask_for_links(stores, 1, alone.clock.now(), household_id)
    for asked in (household_id + "y", household_id, household_id[:-1]):
        async with operator.post(page.PATH, data={"household": asked}) as response:
            statuses.append(response.status)

    assert [200, 200, 404] == statuses
