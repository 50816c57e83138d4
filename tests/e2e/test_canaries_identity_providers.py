"""Whoever steals the disks and the logs opens nothing of what came from identity providers, either."""

from pathlib import Path

import aiohttp

from tests.canaries import Canaries, files, places
from tests.e2e.conftest import start_separately
from tests.play.forger import forging
from tests.play.operator import deployment
from tests.play.person import Person
from tests.play.providers import known
from tests.play.sonos import Sonos, pair_of
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer

CLIENT_SECRET = "canary-secret-of-the-client"


async def test_stolen_disks_open_nothing_at_a_provider(
    own_postgres: PostgresServer,
    own_rabbit: RabbitServer,
    tmp_path: Path,
    person: Person,
    http: aiohttp.ClientSession,
) -> None:
    """Codes, verifiers, nonces, tokens, states, the client's secret: after a sign-in, one that failed, one that was replayed."""
    import json
    from urllib.parse import parse_qsl, urlsplit

    from shared.storage.migrate import upgrade
    from tests.services.postgres import aside

    database_url = own_postgres.migrated_database(upgrade)
    async with forging() as forger:
        corp = {
            "type": "oidc",
            "title": "Corp",
            "issuer": forger.issuer,
            "client_id": "latchkey",
            "client_secret": CLIENT_SECRET,
            "client_auth": "post",
            "keep_tokens": True,
            "claims": {"tier": "plan"},
        }
        extra = {"LATCHKEY_PROVIDERS": json.dumps({"corp": corp})}
        with deployment(
            tmp_path, database_url=database_url, broker_url=own_rabbit.url, extra=extra
        ) as system:
            start_separately(system)
            await system.ready()
            await known(system, ["corp"])
            sonos = Sonos(http, system.endpoint)
            link = await sonos.get_app_link()
            page = await person.open(link.reg_url)
            forger.answers["/token"] = (503, {"error_description": "canary of an error"})
            page = await person.follow(page, "Continue with Corp")
            del forger.answers["/token"]
            sent = await person.sent_to(page.links["Continue with Corp"])
            back = await person.sent_to(sent)
            confirm = await person.open(back)
            await person.open(back + "x")
            await person.press(confirm, "Allow")
            pair_of(await sonos.poll(link))
            secrets = {f"said {number}": said.encode() for number, said in enumerate(forger.said)}
            secrets |= {
                f"{path} {name} {number}": str(form[name]).encode()
                for number, (path, form, _) in enumerate(forger.requests)
                for name in form.keys() & {"code", "code_verifier", "client_secret"}
            }
            for name, value in parse_qsl(urlsplit(sent).query):
                if name in {"state", "nonce"}:
                    secrets[name] = value.encode()
            secrets |= {"client secret": CLIENT_SECRET.encode(), "error": b"canary of an error"}
            aside(own_postgres.stop)
            own_rabbit.stop()
            search = Canaries(secrets)
            search.in_files(places(own_postgres, own_rabbit, tmp_path))

            # The search itself works: what is no secret is there, and all kinds of secrets were looked for.
            assert any(forger.issuer.encode() in place.read_bytes() for place in files(own_postgres.data))
            assert any("code_verifier" in name for name in secrets)
            assert any(b"canary-refresh-token" in secret for secret in secrets.values())
            assert {"state", "nonce"} <= secrets.keys()
            assert {} == search.found
            for process in system.processes:
                process.kill()
            system.processes.clear()
