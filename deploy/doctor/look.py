"""Looks at everything there is to see. A failure is something seen, too, and ends nothing."""

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec

from deploy.check import tls_checks
from deploy.check.client import Client, SystemClock, Unanswered
from deploy.check.probe import Options
from deploy.check.report import Mode
from deploy.check.run import CannotRun, run, ssl_for
from deploy.doctor.look_keys import look_at_keys
from deploy.doctor.look_management import look_at_management
from deploy.doctor.look_providers import look_at_providers
from deploy.doctor.seen import PublicFacts, Seen, Told, Unseen
from shared import bootstrap
from shared.bus.base import BusUnavailable
from shared.bus.inspection import BrokerFacts
from shared.context import SystemClock as MachineClock
from shared.context import SystemRandom
from shared.settings import Settings
from shared.storage.base import StoreUnavailable
from shared.storage.inspection import DatabaseFacts

PATIENCE = aiohttp.ClientTimeout(total=20)
LARGEST_ANSWER = 1 << 18

Say = Callable[[str], None]
"""Is told what is looked at."""


async def look(settings: Settings, told: Told, say: Say = lambda what: None) -> Seen:
    """Look at an installation from here, with the settings of one of its processes."""
    say("the public address")
    public = await _public(settings, told)
    say("the database")
    database = await _database(settings)
    now = MachineClock().now()
    say("the broker")
    broker = await _broker(settings)
    say("the key files")
    key_facts = await asyncio.to_thread(look_at_keys, settings.keys_dir)
    say("identity providers")
    needed, head = bootstrap.schema_versions()
    return Seen(
        settings=settings,
        told=told,
        now=now,
        needed=needed,
        head=head,
        public=public,
        database=database,
        broker=broker,
        management=await look_at_management(told.management, settings.broker_url.get_secret_value()),
        keys=key_facts,
        providers=await look_at_providers(settings),
    )


async def _public(settings: Settings, told: Told) -> PublicFacts | Unseen:
    clock = SystemClock(MachineClock())
    endpoints = [settings.endpoint(name) for name in settings.services]
    try:
        report = await run(
            endpoints[0],
            tls_checks.CHECKS,
            options=Options(ca_file=told.ca_file),
            mode=Mode.ANONYMOUS,
            clock=clock,
            random=SystemRandom().token_bytes,
            sign_in=lambda _: None,
        )
    except CannotRun as error:
        return Unseen(reason=str(error), is_failure=True)
    # Whether the certificate holds is said by the checks of TLS; what is behind it is worth knowing all the same.
    trusted = await tls_checks.holds(endpoints[0], told.ca_file)
    way = ssl_for(endpoints[0], told.ca_file, trusted=trusted)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=way), timeout=PATIENCE) as http:
        return PublicFacts(
            key_ids=await _key_ids(http, f"{settings.public_url}/.well-known/jwks.json"),
            endpoints={endpoint: await _smapi(Client(http, endpoint, clock)) for endpoint in endpoints},
            tls=report.outcomes,
        )


async def _smapi(client: Client) -> str:
    try:
        answer = await client.call("getLastUpdate", {})
    except Unanswered as error:
        return str(error)
    return "" if answer.is_result or answer.fault is not None else answer.shown


class _Jwk(msgspec.Struct, frozen=True):
    kid: str


class _Jwks(msgspec.Struct, frozen=True):
    keys: tuple[_Jwk, ...]


async def _key_ids(http: aiohttp.ClientSession, address: str) -> frozenset[str] | None:
    try:
        async with http.get(address, allow_redirects=False) as answer:
            body = await answer.content.read(LARGEST_ANSWER)
        return frozenset(key.kid for key in msgspec.json.decode(body, type=_Jwks).keys)
    except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
        return None


async def _database(settings: Settings) -> DatabaseFacts | Unseen:
    try:
        return await bootstrap.inspect_database(settings)
    except StoreUnavailable as error:
        return Unseen(reason=str(error), is_failure=True)


async def _broker(settings: Settings) -> BrokerFacts | Unseen:
    if settings.broker_url.get_secret_value().startswith("memory://"):
        return Unseen(reason="the bus is inside the one process", is_failure=False)
    try:
        return await bootstrap.inspect_broker(settings)
    except BusUnavailable as error:
        return Unseen(reason=f"it does not answer, or does not let us in: {error}", is_failure=True)
