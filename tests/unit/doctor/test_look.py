"""What is seen of things that answer, of things that do not, and of files."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey

from deploy.doctor.lines import State
from deploy.doctor.look import _public, look
from deploy.doctor.look_keys import look_at_keys
from deploy.doctor.look_providers import look_at_providers
from deploy.doctor.render import as_json, findings
from deploy.doctor.seen import KeyFacts, ProviderFacts, Told, Unseen
from deploy.doctor.table import lines
from shared import keys
from shared.context import SystemRandom
from tests.play.ports import free_port
from tests.unit.check.test_tls import nothing, serving
from tests.unit.doctor.samples import HEALTHY, settings_with

CLIENT = "latchkey"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A key folder."""
    keys.write(keys.create(SystemRandom().token_bytes), tmp_path / "keys")
    return tmp_path / "keys"


def other(folder: Path) -> None:
    """Put the public keys of another set into a folder."""
    (folder / "public.json").unlink()
    for name in ("gateway", "auth_worker", "token_worker"):
        (folder / f"{name}.json").rename(folder / f"{name}.kept")
    keys.write(keys.create(SystemRandom().token_bytes), folder)
    for name in ("gateway", "auth_worker", "token_worker"):
        (folder / f"{name}.kept").replace(folder / f"{name}.json")


def test_key_folder_is_as_it_was_made(folder: Path) -> None:
    """All four files, their modes, and halves that fit; none of the keys is in what was seen."""
    seen = look_at_keys(folder)
    assert isinstance(seen, KeyFacts)
    secrets = json.loads((folder / "token_worker.json").read_text())

    assert {"gateway": 0o600, "auth_worker": 0o600, "token_worker": 0o600, "public": 0o644} == {
        name: file.mode for name, file in seen.files.items()
    }
    assert ((), 0o700) == (seen.unmatched, seen.folder_mode)
    assert secrets["derivation"][0]["secret"] not in repr(seen)


def test_halves_of_two_sets_do_not_fit(folder: Path) -> None:
    """Each role's file is told from the public keys of another set."""
    other(folder)
    seen = look_at_keys(folder)
    assert isinstance(seen, KeyFacts)

    assert ["gateway.json", "gateway.json", "auth_worker.json", "token_worker.json"] == [
        said.split()[0] for said in seen.unmatched
    ]


def test_key_that_is_only_accepted_may_lack_its_half(folder: Path) -> None:
    """An earlier one is kept for what was sealed before; what matters is the one in use."""
    token_worker = keys.read(folder, keys.TokenWorkerKeys)
    older = keys.create(SystemRandom().token_bytes).token_worker.signing
    keys._replace(
        folder / "token_worker.json",
        keys.TokenWorkerKeys(signing=token_worker.signing + older, derivation=token_worker.derivation),
    )
    seen = look_at_keys(folder)

    assert isinstance(seen, KeyFacts)
    assert () == seen.unmatched


def test_damaged_key_file_is_a_problem_of_its_own(folder: Path) -> None:
    """Said without a word of what is in it."""
    (folder / "gateway.json").write_text('{"canary": 1}')
    os.utime(folder / "gateway.json", (1000, 1000))
    seen = look_at_keys(folder)
    assert isinstance(seen, KeyFacts)

    assert "is damaged" in seen.files["gateway"].problem
    assert 1000 == seen.files["gateway"].written
    assert "canary" not in repr(seen)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """The reason names it."""
    seen = look_at_keys(tmp_path / "nowhere")

    assert isinstance(seen, Unseen)
    assert "nowhere" in seen.reason


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    """A provider of OpenID Connect that knows one redirect URI of one client."""
    app, own = web.Application(), {"redirect_uri": "https://link.example.com/callback/sso"}
    key = ECKey.generate_key("P-256", {"kid": "1", "use": "sig"})
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def discovery(_: web.Request) -> web.Response:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return web.json_response({"issuer": own["url"]} | {name: f"{own['url']}/{name}" for name in names})

    async def jwks(_: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False)]})

    async def authorize(request: web.Request) -> web.Response:
        known = own["redirect_uri"], CLIENT
        given = request.query["redirect_uri"], request.query["client_id"]
        return web.Response(status=200 if known == given else 400)

    app.router.add_get("/.well-known/openid-configuration", discovery)
    app.router.add_get("/jwks_uri", jwks)
    app.router.add_get("/authorization_endpoint", authorize)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    own["url"] = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    yield own["url"]
    await runner.cleanup()


async def test_provider_that_knows_us(provider: str, tmp_path: Path) -> None:
    """It answers, says who it is, and lets a browser in that comes from us; one it does not know it refuses."""
    url = provider
    settings = settings_with(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/none.db",
        providers={
            "sso": {"type": "oidc", "issuer": url, "client_id": CLIENT},
            "named": {"type": "oidc", "issuer": f"{url}/", "client_id": CLIENT},
            "bare": {
                "type": "oauth2",
                "client_id": "stranger",
                **{
                    name: f"{url}/{name}"
                    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
                },
            },
            "home": {"type": "subsonic", "url": url},
            "gone": {"type": "jellyfin", "url": f"http://127.0.0.1:{free_port()}"},
        },
    )
    seen = {each.name: each for each in await look_at_providers(settings)}

    assert (
        ProviderFacts(
            name="sso", failure="", redirect_uri="https://link.example.com/callback/sso", refusal=""
        )
        == seen["sso"]
    )
    assert "set `issuer` to exactly that" in seen["named"].failure
    assert ("", "it answers 400") == (seen["bare"].failure, seen["bare"].refusal)
    assert ("", "") == (seen["home"].failure, seen["home"].redirect_uri)
    assert "does not answer (ClientConnectorError)" in seen["gone"].failure


async def test_nothing_answers_anywhere(tmp_path: Path) -> None:
    """Everything that should be there is found to be away, at once and without a password in a word of it."""
    closed = free_port()
    settings = settings_with(
        database_url=f"postgresql+asyncpg://ann:canary-database@127.0.0.1:{closed}/latchkey",
        broker_url=f"amqp://ann:canary-broker@127.0.0.1:{closed}",
        public_url=f"http://127.0.0.1:{closed}",
        keys_dir=tmp_path / "nowhere",
    )
    told: list[str] = []
    seen = await look(settings, Told(), told.append)
    found = lines(seen)

    assert {"public.reachable", "database.reachable", "broker.reachable", "keys.files"} == {
        line.check_id for line in findings(found)
    }
    assert "canary" not in as_json(found) + repr(seen)
    assert "the database" in told


async def test_embedded_installation_is_seen_without_servers(sqlite_url: str, folder: Path) -> None:
    """Its database is there and at the head; what only servers have is skipped."""
    settings = settings_with(
        database_url=sqlite_url,
        broker_url="memory://",
        keys_dir=folder,
        public_url=f"http://127.0.0.1:{free_port()}",
    )
    seen = await look(settings, Told())
    states = {line.check_id: line.state for line in lines(seen)}

    assert [State.OK, State.OK, State.OK, State.SKIPPED, State.SKIPPED] == [
        states[name]
        for name in (
            "database.reachable",
            "database.schema",
            "database.clock",
            "database.rights",
            "broker.topology",
        )
    ]


async def test_what_is_behind_a_doubtful_certificate_is_seen_too(tmp_path: Path) -> None:
    """Days that run out and a root that nobody knows are lines of their own, and SMAPI is asked all the same."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    async with serving(tmp_path, key, key, name="127.0.0.1", days=10, prepare=nothing) as endpoint:
        settings = settings_with(public_url=endpoint.removesuffix("/smapi"))
        doubtful = replace(HEALTHY, settings=settings, public=await _public(settings, Told()))
        told = Told(ca_file=str(tmp_path / "root.pem"))
        trusted = replace(HEALTHY, settings=settings, public=await _public(settings, told))
    found = [
        {line.check_id for line in findings(lines(seen)) if line.check_id != "public.registered"}
        for seen in (doubtful, trusted)
    ]

    # That server has no keys to show.
    assert [{"tls.chain", "tls.days", "public.ours"}, {"tls.days", "public.ours"}] == found
