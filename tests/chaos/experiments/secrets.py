"""What a thief finds: logs, dead letters, disks, pages, metrics and memories are searched for every secret of a run with faults in it."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import aiohttp

from tests.canaries import Canaries, forms, key_material, workers_key_material
from tests.chaos.cluster import ACCOUNTS, CLIENT_SECRET, DATABASE_PASSWORD, WITH_PROVIDER, Cluster, account
from tests.chaos.experiments.base import experiment
from tests.chaos.experiments.identity import known, sign_in_despite
from tests.chaos.households import new_http, sign_in_page
from tests.play.database import execute
from tests.play.person import Person
from tests.play.sonos import Sonos

WRONG_PASSWORD = "canary-of-a-wrong-password"
SHORTEST = 16
"""Characters; what is shorter stands somewhere by chance."""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"


async def _search(cluster: Cluster) -> None:
    """Search everything a thief could get for every secret, and find what is no secret as a proof that the search works."""
    secrets = _all_secrets(cluster)
    with tempfile.TemporaryDirectory(prefix="latchkey-thief-") as name:
        loot = Path(name)
        await _steal(cluster, loot)
        await _read_memories(cluster)
        # What is on a disk is all there when the server has stopped.
        await asyncio.gather(asyncio.to_thread(cluster.rabbit.stop), asyncio.to_thread(cluster.postgres.stop))
        places = [loot, *cluster.system.folder.glob("*.log"), *_disks(cluster)]
        households = {household: {household.encode()} for household in sorted(cluster.ledger.attempted)[:3]}
        proofs = await asyncio.to_thread(_found, households, places)
        found = await asyncio.to_thread(_found, secrets, places)
        size = sum(file.stat().st_size for place in places for file in _files(place)) >> 20
        await asyncio.gather(
            asyncio.to_thread(cluster.rabbit.start), asyncio.to_thread(cluster.postgres.start)
        )
    cluster.ledger.facts.append(
        f"{len(secrets)} secrets searched for in {size} MB, {len(found)} places with one"
    )
    for place, what in found.items():
        cluster.ledger.surprise(f"{place} holds {', '.join(sorted(what))[:300]}")
    for part in ("dump", str(cluster.postgres.data), str(cluster.rabbit.data)):
        if not any(part in place for place in proofs):
            cluster.ledger.surprise(f"the search does not even find a household in {part}")


@experiment(
    30,
    "Sign-ins go wrong, servers and workers die, a message is given up; then everything a thief could get is searched for secrets.",
    gate=True,
    stage=WITH_PROVIDER,
    buries=1,
    check=_search,
    seconds=900,
)
async def stolen_secrets(cluster: Cluster) -> None:
    await known(cluster)
    async with new_http() as http:
        for number, name in enumerate(("500", "invalid_grant", "another nonce")):
            sonos = Sonos(http, cluster.system.endpoint, f"Sonos_of_secrets{number}")
            pair = await sign_in_despite(cluster, sonos, name)
            cluster.ledger.note(pair.token, pair.key)
        await _mistype(cluster, Sonos(http, cluster.system.endpoint, "Sonos_mistyped"))
    with cluster.fault():
        await _have_a_message_given_up(cluster)
        await asyncio.to_thread(cluster.rabbit.kill)
        cluster.postgres_cable.reset()
        cluster.kill(cluster.places("token_worker")[0])
        await asyncio.to_thread(cluster.rabbit.start)


async def _mistype(cluster: Cluster, sonos: Sonos) -> None:
    """Type a wrong password, and look whether the page shows it."""
    link = await sonos.get_app_link()
    cluster.ledger.note(link.code, link.device_id)
    async with Person() as person:
        form = await sign_in_page(person, link.reg_url)
        page = await person.press(form, "Sign in", name=account(0)[0], password=WRONG_PASSWORD)
        if WRONG_PASSWORD in page.text or "Sign in" not in page.buttons:
            cluster.ledger.surprise(f"after a wrong password a page says {page.text[:200]}")


async def _have_a_message_given_up(cluster: Cluster) -> None:
    """Let a sign-in come to a worker that cannot read it, with everything in it that a true one has."""
    places = cluster.places("auth_worker")
    async with new_http() as http, Person() as person:
        sonos = Sonos(http, cluster.system.endpoint, "Sonos_given_up")
        link = await sonos.get_app_link()
        cluster.ledger.note(link.code, link.device_id)
        page = await sign_in_page(person, link.reg_url)
        while "Sign in" not in page.buttons:
            page = await sign_in_page(person, link.reg_url)
        for index in places:
            cluster.system.processes[index].kill()
        # Nobody is there to answer; the page that waits is of no interest here.
        waiting = asyncio.create_task(
            person.press(page, "Sign in", name=account(0)[0], password=account(0)[1])
        )
        await _copy_of_a_sign_in(cluster)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    for index in places:
        cluster.system.processes[index] = cluster.restarted(index)


async def _copy_of_a_sign_in(cluster: Cluster) -> None:
    async with await aio_pika.connect(cluster.rabbit.url) as connection, asyncio.timeout(60):
        channel = await connection.channel()
        queue = await channel.get_queue("auth.login", ensure=False)
        while (message := await queue.get(fail=False)) is None:
            await asyncio.sleep(0.05)
        body = json.dumps(json.loads(message.body) | {"v": 999}).encode()
        await (await channel.get_exchange("latchkey", ensure=False)).publish(
            aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), str(message.routing_key)
        )
        # The true one goes back where it was.
        await message.reject(requeue=True)


def _all_secrets(cluster: Cluster) -> dict[str, set[bytes]]:
    """Return every secret by a name that may be told, in all the forms in which it could be written down."""
    plain = {
        "a secret of a household or a browser": cluster.ledger.secrets,
        "a secret of the identity provider": {*cluster.forger.said, CLIENT_SECRET},
        "a state": {*cluster.forger.states},
        "a code verifier": {form.get("code_verifier", "") for form in cluster.forger.asked("/token")},
        "a password": {WRONG_PASSWORD, *(account(number)[1] for number in range(ACCOUNTS))},
        "the password of the database": {DATABASE_PASSWORD},
    }
    named = {
        f"{what}, no. {number}": {*forms(secret.encode())}
        for what, secrets in plain.items()
        for number, secret in enumerate(sorted(secrets), 1)
        if len(secret) >= SHORTEST
    }
    keys = key_material(cluster.system.keys_dir)
    return named | {f"the {name}": {*forms(secret)} for name, secret in keys.items()}


async def _steal(cluster: Cluster, loot: Path) -> None:
    """Dump the database, list the dead letters, and fetch what is open to everybody."""
    tables = [str(name) for (name,) in await execute(cluster.database_url, _TABLES)]
    dump = [await execute(cluster.database_url, f'SELECT t::text FROM "{table}" t') for table in tables]
    (loot / "dump").write_text("\n".join(str(row) for rows in dump for row in rows))
    async with await aio_pika.connect(cluster.rabbit.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue("latchkey.dead", ensure=False)
        letters = []
        while (message := await queue.get(fail=False)) is not None:
            letters.append(message.body + str(message.headers).encode())
        (loot / "dead letters").write_bytes(b"\n".join(letters))
        await channel.close()
    async with aiohttp.ClientSession() as http:
        for gateway in cluster.system.gateways:
            for path in ("/readyz", "/livez", "/link", "/link/none", "/callback/corp?error=x", "/smapi"):
                async with http.get(f"{gateway}{path}") as response:
                    with (loot / "pages").open("ab") as pages:
                        pages.write(await response.read())
        for process in cluster.system.processes:
            for path in ("/metrics", "/livez", "/readyz", "/startupz", "/links"):
                async with http.get(f"{process.admin}{path}") as response:
                    with (loot / "admin addresses").open("ab") as pages:
                        pages.write(await response.read())
    # It finds fault with a deployment in which everybody may do everything, which is the more to be told.
    (loot / "doctor").write_text(await cluster.system.run("doctor", may_fail=True))


async def _read_memories(cluster: Cluster) -> None:
    """Look in the memory of each gateway, as a core dump would hold it, for what only workers may have."""
    search = Canaries(workers_key_material(cluster.system.keys_dir))
    for index in cluster.places("gateway"):
        process = cluster.system.processes[index]
        await asyncio.to_thread(search.in_memory, f"the memory of {process.name}", process.popen.pid)
    for place, what in search.found.items():
        cluster.ledger.surprise(f"{place} holds {', '.join(sorted(what))}")


def _disks(cluster: Cluster) -> list[Path]:
    found = [cluster.postgres.data, cluster.postgres.log, cluster.rabbit.data, cluster.rabbit.logs]
    return [place for place in found if place is not None]


def _files(place: Path) -> Iterator[Path]:
    return (file for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file())


def _found(secrets: dict[str, set[bytes]], places: list[Path]) -> dict[str, set[str]]:
    """Return the files with a secret in them, and which; `grep` is the only search that is fast enough for thousands."""
    named = {form: name for name, written in secrets.items() for form in written if b"\n" not in form}
    with tempfile.NamedTemporaryFile(prefix="latchkey-patterns-") as patterns:
        patterns.write(b"\n".join(named))
        patterns.flush()
        done = subprocess.run(
            ["grep", "-rlaF", "-f", patterns.name, *map(str, places)],
            check=False,
            capture_output=True,
            text=True,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )
    assert done.returncode < 2, done.stderr
    return {
        place: {name for form, name in named.items() if form in content}
        for place in done.stdout.splitlines()
        for content in [Path(place).read_bytes()]
    }
