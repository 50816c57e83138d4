"""How long what workers write is good, and how much of it goes at a time, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from auth_worker import legacy
from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity
from shared import keys
from shared.boxes import LoginEvidence, UpgradeEvidence, evidence_identity, upgrade_delivery_id
from shared.bus.memory import MemoryBus
from shared.context import SystemClock, SystemRandom
from shared.messages import CredentialsJudged, Event, GrantRequested, UpgradeRequested, Verdict
from shared.sealing import seal
from shared.storage import auth, sql
from shared.storage.base import TokenTransaction
from shared.storage.tries import TryOutcome
from tests.play.database import execute
from tests.play.operator import free_port
from tests.store_samples import COUNTED, Stores, put_delivery
from token_worker import deliveries, retention, upgrades
from token_worker.context import TokenContext
from token_worker.minting import Mint

A_WHILE = 60
"""Seconds that a test may take."""


class Source:
    """An identity source in which everybody may come in."""

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        return Identity(subject=evidence.name, nickname=evidence.name)


@pytest.fixture
async def worker(stores: Stores, context: AuthContext, tmp_path: Path) -> AsyncIterator[TokenContext]:
    """token_worker, on the database of auth_worker."""
    made = keys.create(SystemRandom().token_bytes)
    async with MemoryBus() as bus:
        yield TokenContext(
            settings=context.settings,
            bus=bus,
            store=stores.token,
            keys=made.token_worker,
            public_keys=made.public,
            clock=SystemClock(),
            random=SystemRandom(),
            mint=Mint.of(made.token_worker, context.settings),
        )


async def pass_by(database_url: str, table: str, seconds: int) -> None:
    """Let time pass for the rows of a table."""
    await execute(database_url, f"UPDATE {table} SET expires_at = expires_at - {seconds}")


async def upgrade(context: AuthContext) -> GrantRequested:
    """Have auth_worker find an upgrade good."""
    services = {
        "default": context.settings.services["default"].model_copy(update={"upgrade_from": ("stateless",)})
    }
    allowed = replace(
        context,
        settings=context.settings.model_copy(update={"services": services}),
        providers={"local": Source()},
    )
    evidence = seal(
        msgspec.json.encode(UpgradeEvidence(login=LoginEvidence(name="ann", password="right"))),
        recipient=context.public_keys.auth_worker_box[0].public,
        bound_to=evidence_identity("upgrade", "request-1"),
    )
    values = {"service": "default", "request_id": "request-1", "gateway": "gateway-1"}
    await legacy.upgrade(
        UpgradeRequested(household_id="Sonos_1", provider="local", evidence=evidence, **values), allowed
    )
    return GrantRequested(**values)


async def verdict(asked: GrantRequested, worker: TokenContext) -> Verdict:
    """Have token_worker act on it."""
    heard: list[Event] = []
    await worker.bus.listen("gateway-1", heard.append)
    await upgrades.issue(asked, worker)
    await asyncio.sleep(0)
    (judged,) = heard
    assert isinstance(judged, CredentialsJudged)
    return judged.verdict


async def test_word_of_auth_worker_is_good_for_a_while(
    context: AuthContext, worker: TokenContext, database_url: str
) -> None:
    """token_worker acts on it until then; whoever still wants the pair afterwards asks again."""
    asked = await upgrade(context)
    await pass_by(database_url, "upgrades", legacy.WORD_SECONDS - A_WHILE)
    in_time = await verdict(asked, worker)
    await pass_by(database_url, "upgrades", A_WHILE)

    assert (Verdict.ACCEPTED, Verdict.UNAVAILABLE) == (in_time, await verdict(asked, worker))


async def test_delivery_can_be_read_for_a_while(
    stores: Stores, context: AuthContext, worker: TokenContext, database_url: str
) -> None:
    """Then it is as if there had been none, and can be made again."""
    asked = await upgrade(context)
    await verdict(asked, worker)
    delivery_id = upgrade_delivery_id(asked.request_id)
    await pass_by(database_url, "deliveries", deliveries.DELIVERY_SECONDS - A_WHILE)
    in_time = await stores.read.delivery(delivery_id)
    await pass_by(database_url, "deliveries", A_WHILE)
    later = await stores.read.delivery(delivery_id)
    await verdict(asked, worker)
    again = await stores.read.delivery(delivery_id)

    assert (True, None, True) == (in_time is not None, later, again is not None)


@pytest.mark.parametrize("outcome", [TryOutcome.REPEATED, TryOutcome.LIMITED, TryOutcome.OVER])
async def test_try_that_does_not_count_is_forgotten_soon(
    stores: Stores, worker: TokenContext, database_url: str, outcome: TryOutcome
) -> None:
    """A redelivery finds it until then, however long tries are remembered that count."""
    async with stores.auth.transaction() as transaction:
        await transaction.insert_try("try-1", service="default", counted=COUNTED, memory=30 * 86400)
        await transaction.end_try("try-1", outcome)
    gone = []
    for seconds in (auth._FORGET_SECONDS - A_WHILE, A_WHILE):
        await pass_by(database_url, "sign_in_tries", seconds)
        gone.append(await retention.delete_expired(worker))

    assert [0, 1] == gone


class Watched:
    """token_worker's store; how many deliveries are left is counted after each transaction."""

    def __init__(self, stores: Stores, database_url: str) -> None:
        self._stores, self._database_url = stores, database_url
        self.left: list[object] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[TokenTransaction]:
        async with self._stores.token.transaction() as transaction:
            yield transaction
        ((count,),) = await execute(self._database_url, "SELECT count(*) FROM deliveries")
        self.left.append(count)


async def test_retention_deletes_in_parts(
    stores: Stores, worker: TokenContext, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction deletes more rows of a kind than it may, and in the end all are gone."""
    monkeypatch.setattr(retention, "ROWS_AT_A_TIME", 2)
    for number in range(5):
        await put_delivery(stores.token, f"delivery-{number}", lifetime=-1)
    watched = Watched(stores, database_url)
    deleted = await retention.delete_expired(replace(worker, store=watched))

    assert (5, [3, 1, 0]) == (deleted, watched.left)


async def test_postponed_retention_says_why(worker: TokenContext) -> None:
    """An operator reads from the line what to mend, be it an address or a right."""
    stop = asyncio.Event()
    async with sql.open_token_store(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none") as away:
        with capture_logs() as lines:
            running = asyncio.create_task(retention.run(replace(worker, store=away), stop=stop))
            async with asyncio.timeout(A_WHILE):
                while not lines:
                    await asyncio.sleep(0.01)
            stop.set()
            await running

    assert "retention postponed" == lines[0]["event"]
    assert "Connect call failed" in lines[0]["reason"]
