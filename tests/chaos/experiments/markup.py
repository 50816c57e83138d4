"""XML that is made to hurt, while honest households live beside it."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from lxml import etree

from tests.chaos.cluster import Cluster
from tests.chaos.experiments.base import experiment
from tests.play.sonos import SMAPI
from tests.play.xml_abuse import MARK, XmlAbuse, cases

ROUNDS = 5
MOST_SECONDS = 0.05
"""For a refusal, above what a request takes that needs no thought; of each kind the fastest counts, since a busy machine
makes answers slower and never faster."""
CANARY = "canary-of-a-file-that-nobody-may-read"
PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


@experiment(
    28,
    "XML made to hurt: entities of every kind, bombs, depth, size, encodings, two readings; households live beside it.",
    gate=True,
)
async def xml_abuse(cluster: Cluster) -> None:
    file = cluster.system.folder / "canary.txt"
    file.write_text(CANARY)
    async with _listening() as (port, visitors), aiohttp.ClientSession() as http:
        every = cases(file=str(file), port=port)
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        with cluster.fault():
            for number in range(ROUNDS):
                gateway = cluster.system.gateways[number % 2]
                for name, abuse in every.items():
                    seconds[name].append(await _commit(cluster, http, gateway, name, abuse))
        refused = [name for name, abuse in every.items() if abuse.fault]
        slowest = max(refused, key=lambda name: min(seconds[name]))
        cluster.ledger.facts.append(
            f"{ROUNDS * len(every)} abuses of {len(every)} kinds; the slowest kind, {slowest}, "
            f"took {min(seconds[slowest]) * 1000:.0f} ms; {len(visitors)} connections to the forbidden port"
        )
        if min(seconds[slowest]) > MOST_SECONDS:
            cluster.ledger.surprise(f"{slowest} took {min(seconds[slowest]) * 1000:.0f} ms")
        if visitors:
            cluster.ledger.surprise("a parser connected to where a request told it to")
    logs = b"".join(log.read_bytes() for log in Path(cluster.system.folder).glob("*.log"))
    if CANARY.encode() in logs:
        cluster.ledger.surprise("a parser read a file, and a log has it")


async def _commit(
    cluster: Cluster, http: aiohttp.ClientSession, gateway: str, name: str, abuse: XmlAbuse
) -> float:
    """Send one request, judge the answer, and return how many seconds it took."""
    headers = {"SOAPAction": f'"{SMAPI}#getAppLink"', "Content-Type": "text/xml; charset=utf-8"}
    started = time.perf_counter()
    async with http.get(f"{gateway}/livez") as response:
        await response.read()
    thoughtless = time.perf_counter() - started
    started = time.perf_counter()
    async with http.post(f"{gateway}/smapi", data=abuse.body, headers=headers) as response:
        raw = await response.read()
    took = time.perf_counter() - started - thoughtless
    fault = etree.fromstring(raw, PARSER).findtext(".//faultcode")
    # What is as good as any other request may meet whatever befalls honest ones.
    allowed = {abuse.fault} if abuse.fault else {None, "Server.ServiceUnavailable"}
    if fault not in allowed or (response.status == 200) != (fault is None):
        cluster.ledger.surprise(f"{name} was answered {response.status} {fault}")
    if CANARY.encode() in raw or (abuse.fault and MARK.encode() in raw):
        cluster.ledger.surprise(f"{name}: what was sent, or a file, stands in the answer")
    return took


@contextlib.asynccontextmanager
async def _listening() -> AsyncIterator[tuple[int, list[object]]]:
    """Listen on a port; yield it, and the visitors that come."""
    visitors: list[object] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visitors.append(writer.get_extra_info("peername"))
        writer.transport.abort()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], visitors
