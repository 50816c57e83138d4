"""OpenID Connect, against a provider that does whatever a test wants it to."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from auth_worker.providers import discovery
from auth_worker.providers.base import Gone, Identity, Rechecked, RedirectProvider, Surroundings
from auth_worker.providers.id_tokens import LOGOUT_EVENT
from auth_worker.providers.opening import OPENERS
from auth_worker.providers.web import ProviderUnavailable, Web
from gateway.pages.round_trip import challenge_of
from shared.boxes import CodeEvidence
from shared.domain.account import AccountTier
from shared.domain.errors import SignInIncomplete, TokenRefused
from shared.settings import SettingsError, load
from tests.contract.conftest import PATIENCE
from tests.play.forger import Claims, Forger, forging
from tests.store_samples import Stores

REDIRECT_URI = "http://127.0.0.1/callback/corp"
VERIFIER = "canary-verifier-canary-verifier-canary-verifier"
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "first"})


class FakeClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.moved = 0.0

    def now(self) -> int:
        return int(time.time() + self.moved)

    def monotonic(self) -> float:
        return time.monotonic() + self.moved


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    """What these tests store is tested elsewhere, on every database."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    async with forging() as forger:
        yield forger


@dataclass(kw_only=True)
class Bench:
    """A provider opened as auth_worker opens it, and the person who goes there."""

    forger: Forger
    stores: Stores
    clock: FakeClock
    folder: Path
    told: list[str] = field(default_factory=list)
    """What became of each request, as it is counted."""

    @asynccontextmanager
    async def opened(self, **settings: object) -> AsyncIterator[RedirectProvider]:
        corp = {
            "type": "oidc",
            "issuer": self.forger.issuer,
            "client_id": "latchkey",
            "client_secret": "canary-client-secret",
            **settings,
        }
        loaded = load(
            database_url="sqlite+aiosqlite:///unused",
            broker_url="memory://",
            keys_dir=self.folder,
            public_url="http://127.0.0.1",
            providers={"corp": corp},
        )
        async with Web.open() as web:
            within = Surroundings(
                settings=loaded,
                name="corp",
                store=self.stores.auth,
                web=web.telling(lambda _, outcome: self.told.append(outcome)),
                clock=self.clock,
            )
            section = loaded.providers["corp"]
            async with OPENERS[type(section)](section, within) as provider:
                assert isinstance(provider, RedirectProvider)
                yield provider

    def came_back(self, subject: str = "ann", nonce: str = "n-1", **changed: str) -> CodeEvidence:
        """Return what a browser brings back from the provider."""
        asked = {
            "redirect_uri": REDIRECT_URI,
            "nonce": nonce,
            "code_challenge": challenge_of(VERIFIER),
        }
        evidence = {
            "code": self.forger.code_for(asked, subject),
            "verifier": VERIFIER,
            "nonce": nonce,
            "redirect_uri": REDIRECT_URI,
        }
        return CodeEvidence(**(evidence | changed))

    async def sign_in(self, **settings: object) -> Identity:
        async with self.opened(**settings) as provider:
            return await provider.exchange(self.came_back())

    async def refusal(self, evidence: CodeEvidence | None = None, **settings: object) -> str:
        """Return why a sign-in was refused."""
        async with self.opened(**settings) as provider:
            with pytest.raises(SignInIncomplete) as refused:
                await provider.exchange(evidence or self.came_back())
        return str(refused.value)


@pytest.fixture
def bench(forger: Forger, stores: Stores, tmp_path: Path) -> Bench:
    return Bench(forger=forger, stores=stores, clock=FakeClock(), folder=tmp_path)


async def test_person_is_who_the_provider_says(bench: Bench) -> None:
    """Subject and nickname from the ID token, what it does not say from userinfo."""
    claims = {"tier": "plan", "tiers": {"gold": "paidPremium", "silver": "paidLimited"}}
    identity = await bench.sign_in(claims=claims)

    assert Identity(subject="ann", nickname="ann of the forger", tier=AccountTier.PAID_PREMIUM) == identity


async def test_userinfo_is_asked_only_for_what_is_missing(bench: Bench) -> None:
    """An ID token that says everything saves the person a round trip."""
    await bench.sign_in()

    assert [] == bench.forger.asked("/userinfo")


def bent(**claims: object) -> Callable[[Claims], Claims]:
    """Return what replaces claims, or takes out those that are None."""

    def bend(honest: Claims) -> Claims:
        return {name: value for name, value in (honest | claims).items() if value is not None}

    return bend


NOW = int(time.time())
FORGERIES: dict[str, tuple[Callable[[Claims], Claims], str]] = {
    "another browser's nonce": (bent(nonce="n-2"), "nonce"),
    "no nonce": (bent(nonce=None), "nonce"),
    "a nonce that is no text": (bent(nonce=["n-1"]), "nonce"),
    "another issuer": (bent(iss="https://evil.example.com"), "iss"),
    "no issuer": (bent(iss=None), "iss"),
    "another audience": (bent(aud="another-client"), "aud"),
    "no audience": (bent(aud=None), "aud"),
    "several audiences, authorized nobody": (bent(aud=["latchkey", "another"]), "azp"),
    "several audiences, authorized another": (bent(aud=["latchkey", "another"], azp="another"), "azp"),
    "one audience, authorized another": (bent(azp="another"), "azp"),
    "expired": (bent(exp=NOW - 3600), "exp"),
    "no expiry": (bent(exp=None), "exp"),
    "from the future": (bent(iat=NOW + 3600), "issued in the future"),
    "not valid yet": (bent(nbf=NOW + 3600), "not yet valid"),
    "no time of issue": (bent(iat=None), "iat"),
    "nobody": (bent(sub=None), "sub"),
    "a subject that is no text": (bent(sub=17), "sub"),
    "another access token's hash": (bent(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "at_hash"),
}


@pytest.mark.parametrize(("bend", "reason"), FORGERIES.values(), ids=FORGERIES)
async def test_id_token_that_says_something_wrong(bench: Bench, bend: Any, reason: str) -> None:
    """Refused, however well it is signed."""
    bench.forger.bend = bend

    assert reason in await bench.refusal()


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def unsigned(claims: Claims) -> str:
    return ".".join([*(encoded(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)), ""])


def with_public_key_as_secret(forger: Forger, secret: bytes) -> Callable[[Claims], str]:
    def sign(claims: Claims) -> str:
        text = ".".join(
            encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "first"}, claims)
        )
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), 'sha256'))}"

    return sign


def tampered(forger: Forger) -> Callable[[Claims], str]:
    def sign(claims: Claims) -> str:
        header, _, signature = forger.token(claims).split(".")
        payload = encoded(json.dumps(claims | {"sub": "eve"}).encode())
        return f"{header}.{payload}.{signature}"

    return sign


SIGNATURES: dict[str, Callable[[Forger], Callable[[Claims], str]]] = {
    "unsigned": lambda _: unsigned,
    "the public key as a secret, PEM": lambda forger: with_public_key_as_secret(
        forger, forger.key.as_pem(private=False)
    ),
    "the public key as a secret, modulus": lambda forger: with_public_key_as_secret(
        forger, str(forger.key.as_dict(private=False)["n"]).encode()
    ),
    "another key under the same id": lambda forger: lambda claims: forger.token(claims, key=OTHER_KEY),
    "a key that nobody published": lambda forger: lambda claims: forger.token(claims, kid="second"),
    "a changed payload": tampered,
    "a logout token": lambda forger: lambda claims: forger.token(claims, typ="logout+jwt"),
    "an access token": lambda forger: lambda claims: forger.token(claims, typ="at+jwt"),
    "a key of its own in the header": lambda forger: (
        lambda claims: forger.token(claims, key=OTHER_KEY, jwk=OTHER_KEY.as_dict(private=False))
    ),
    "no token at all": lambda _: lambda _: "nothing",
}


@pytest.mark.parametrize("sign", SIGNATURES.values(), ids=SIGNATURES)
async def test_id_token_that_is_signed_wrongly(bench: Bench, sign: Any) -> None:
    """Refused, however right it is otherwise."""
    bench.forger.sign = sign(bench.forger)

    assert await bench.refusal()


@pytest.mark.parametrize(
    "key",
    [
        RSAKey.generate_key(2048, {"kid": "other"}),
        ECKey.generate_key("P-256", {"kid": "other"}),
        OKPKey.generate_key("Ed25519", {"kid": "other"}),
    ],
    ids=["RS256", "ES256", "Ed25519"],
)
async def test_every_kind_of_key(bench: Bench, key: Any) -> None:
    """Signatures of each kind are taken, beside keys that mean nothing here."""
    bench.forger.key = key
    bench.forger.published = [OTHER_KEY, OctKey.generate_key(256, {"kid": "other"}), key]

    assert "ann" == (await bench.sign_in()).subject


async def test_code_counts_once(bench: Bench) -> None:
    """Whoever replays a code, or brings another's verifier, proves nothing."""
    async with bench.opened() as provider:
        evidence = bench.came_back()
        await provider.exchange(evidence)
        replays = [evidence, bench.came_back(verifier="another-verifier-of-another-browser-than-this")]
        for replay in replays:
            with pytest.raises(SignInIncomplete, match="invalid_grant"):
                await provider.exchange(replay)


async def test_code_of_another_provider_is_shown_to_nobody(bench: Bench) -> None:
    """What came back to another provider's address does not reach this one (mix-up)."""
    evidence = bench.came_back(redirect_uri="http://127.0.0.1/callback/evil")
    reason = await bench.refusal(evidence)

    assert "another provider's address" in reason
    assert [] == bench.forger.asked("/token")


async def test_userinfo_about_somebody_else(bench: Bench) -> None:
    """An access token that was swapped on the way names nobody."""
    bench.forger.answers["/userinfo"] = (200, {"sub": "eve", "plan": "gold"})

    assert "somebody else" in await bench.refusal(claims={"tier": "plan"})


async def test_person_who_signed_in_too_long_ago(bench: Bench) -> None:
    """With max_age, the provider has to say when, and it has to be recent."""
    reasons = [await bench.refusal(max_age=60)]
    bench.forger.bend = bent(auth_time=NOW - 3600)
    reasons.append(await bench.refusal(max_age=60))
    bench.forger.bend = bent(auth_time=int(time.time()))

    assert ["max_age" in reason for reason in reasons] == [True, True]
    assert "ann" == (await bench.sign_in(max_age=60)).subject


@pytest.mark.parametrize(("settings", "asked"), [(None, 300), (3600, 300), (300, 3600), (300, None)])
async def test_stricter_limit_of_settings_and_purpose_holds(
    bench: Bench, settings: int | None, asked: int | None
) -> None:
    """Whoever erases proves anew who they are, whatever the settings ask of everybody."""
    results = []
    for seconds_ago in (10, 1800):
        bench.forger.bend = bent(auth_time=int(time.time()) - seconds_ago)
        async with bench.opened(**({"max_age": settings} if settings else {})) as provider:
            try:
                results.append((await provider.exchange(bench.came_back(), max_age=asked)).subject)
            except SignInIncomplete as refused:
                results.append("max_age" if "max_age" in str(refused) else str(refused))

    assert ["ann", "max_age"] == results


async def test_new_key_is_fetched_once_a_minute(bench: Bench) -> None:
    """A provider may change its key; who makes up key ids makes nobody ask for more than that."""
    async with bench.opened() as provider:
        await provider.exchange(bench.came_back())
        bench.forger.key = RSAKey.generate_key(2048, {"kid": "second"})
        fetched = len(bench.forger.asked("/jwks"))
        for _ in range(3):
            with pytest.raises(SignInIncomplete, match="not published"):
                await provider.exchange(bench.came_back())
        too_early = len(bench.forger.asked("/jwks"))
        bench.clock.moved += 61
        identity = await provider.exchange(bench.came_back())

    assert fetched == too_early
    assert ("ann", fetched + 1) == (identity.subject, len(bench.forger.asked("/jwks")))


async def test_provider_that_failed_is_left_in_peace(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to sign in meanwhile is told the same; afterwards it is asked again."""
    monkeypatch.setattr(discovery, "FAILED_SECONDS", 1000.0)
    bench.forger.answers["/jwks"] = (500, {})
    asked = []
    async with bench.opened() as provider:
        for seconds in (0, 970, 30):
            bench.clock.moved += seconds
            with pytest.raises(ProviderUnavailable, match="answered 500"):
                await provider.exchange(bench.came_back())
            asked.append(len(bench.forger.asked("/jwks")))

    assert [1, 1, 2] == asked


async def test_provider_is_asked_again_and_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that it has withdrawn is trusted until then, and nobody has to sign in for it."""
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0.01)
    withdrawn = bench.forger.key
    async with bench.opened() as provider:
        await provider.exchange(bench.came_back())
        bench.forger.key = RSAKey.generate_key(2048, {"kid": "second"})
        before = len(bench.forger.asked("/jwks"))
        async with asyncio.timeout(PATIENCE):
            while len(bench.forger.asked("/jwks")) < before + 2:
                await asyncio.sleep(0.01)
        bench.forger.sign = lambda claims: bench.forger.token(claims, key=withdrawn)
        with pytest.raises(SignInIncomplete, match="not published"):
            await provider.exchange(bench.came_back())


@pytest.mark.parametrize(
    ("status", "error", "counted"),
    [(401, "invalid_client", "refused"), (400, "invalid_grant", "answered"), (503, "server_error", "failed")],
)
async def test_who_is_refused_is_counted(bench: Bench, status: int, error: str, counted: str) -> None:
    """A secret that has run out keeps everybody out, and is what an alert has to see; a code that is used up is a person's."""
    bench.forger.answers["/token"] = (status, {"error": error})
    async with bench.opened() as provider:
        with pytest.raises((ProviderUnavailable, SignInIncomplete)):
            await provider.exchange(bench.came_back())

    # Metadata and keys came before it; asking for them once more may be broken off in the end.
    assert {counted, "answered"} == {*bench.told} - {"unavailable"}


UNAVAILABLE: dict[str, tuple[str, tuple[int, Any], str]] = {
    "token endpoint broken": ("/token", (503, {}), "answered 503"),
    "client unknown": ("/token", (401, {"error": "invalid_client"}), "client_secret"),
    "an error that RFC 6749 does not know": ("/token", (400, {"error": "canary-code"}), "does not know"),
    "no tokens": ("/token", (200, {"hello": "world"}), "no tokens"),
    "tokens of another type": ("/token", (200, {"access_token": "a", "token_type": "mac"}), "type"),
    "metadata broken": ("/.well-known/openid-configuration", (500, {}), "answered 500"),
    "metadata of another": (
        "/.well-known/openid-configuration",
        (200, {"issuer": "https://other.example.com"}),
        "set `issuer` to exactly that",
    ),
    "keys broken": ("/jwks", (200, {"keys": [{"kty": "oct", "k": "AAAA"}]}), "no key"),
    "userinfo broken": ("/userinfo", (502, {}), "answered 502"),
}


@pytest.mark.parametrize(("path", "answer", "reason"), UNAVAILABLE.values(), ids=UNAVAILABLE)
async def test_provider_that_cannot_be_asked(
    bench: Bench, path: str, answer: tuple[int, Any], reason: str
) -> None:
    """Says nothing about the person; the log says what is wrong, and not what was sent."""
    bench.forger.answers[path] = answer
    async with bench.opened(claims={"tier": "plan"}) as provider:
        with pytest.raises(ProviderUnavailable) as unavailable:
            await provider.exchange(bench.came_back())

    assert reason in str(unavailable.value)
    assert "canary" not in str(unavailable.value)


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"]
)
@pytest.mark.parametrize("address", ["http://login.example.com/x", None, "file:///etc/passwd"])
async def test_endpoint_that_no_secret_may_travel_to(bench: Bench, name: str, address: str | None) -> None:
    """Metadata that names such an address is not used."""
    bench.forger.metadata = {name: address}
    async with bench.opened() as provider:
        with pytest.raises(ProviderUnavailable, match=name):
            await provider.exchange(bench.came_back())


async def test_gateways_are_told_where_it_is(bench: Bench) -> None:
    """Issuer, authorization endpoint, and whether `iss` comes back, without anybody signing in."""
    async with bench.opened():
        async with asyncio.timeout(PATIENCE):
            while not (view := await bench.stores.read.provider_metadata("corp")):
                await asyncio.sleep(0.01)

    assert (bench.forger.issuer, f"{bench.forger.issuer}/authorize", True) == (
        view.metadata.issuer,
        view.metadata.authorization_endpoint,
        view.metadata.iss_parameter,
    )


async def test_secret_goes_in_a_header_or_in_the_form(bench: Bench) -> None:
    """As the settings say; encoded as for a form first, since ids and secrets may hold colons."""
    await bench.sign_in(client_secret="se:cret/ü")
    await bench.sign_in(client_secret="se:cret/ü", client_auth="post")
    await bench.sign_in(client_secret=None)
    asked = [(form, headers) for path, form, headers in bench.forger.requests if path == "/token"]
    basic = base64.b64encode(b"latchkey:se%3Acret%2F%C3%BC").decode()

    assert [f"Basic {basic}", None, None] == [headers.get("Authorization") for _, headers in asked]
    assert [None, "se:cret/ü", None] == [form.get("client_secret") for form, _ in asked]
    assert [None, "latchkey", "latchkey"] == [form.get("client_id") for form, _ in asked]


async def test_secret_from_a_file(bench: Bench) -> None:
    """Without the line break at its end."""
    file = bench.folder / "secret"
    file.write_text("from a file\n")
    await bench.sign_in(client_secret=None, client_secret_file=str(file))
    (headers,) = [headers for path, _, headers in bench.forger.requests if path == "/token"]

    assert f"Basic {base64.b64encode(b'latchkey:from+a+file').decode()}" == headers["Authorization"]


@pytest.mark.parametrize(
    ("key", "form", "algorithm"),
    [
        (RSAKey.generate_key(2048, {"kid": "own"}), "jwk", "RS256"),
        (RSAKey.generate_key(2048), "pem", "RS256"),
        (ECKey.generate_key("P-256"), "pem", "ES256"),
        (OKPKey.generate_key("Ed25519", {"kid": "own"}), "jwk", "EdDSA"),
    ],
)
async def test_private_key_in_place_of_a_secret(bench: Bench, key: Any, form: str, algorithm: str) -> None:
    """A fresh, short-lived proof made out to the issuer (RFC 7523)."""
    file = bench.folder / "key"
    file.write_bytes(
        key.as_pem(private=True) if form == "pem" else json.dumps(key.as_dict(private=True)).encode()
    )
    for _ in range(2):
        await bench.sign_in(client_secret=None, private_key_file=str(file))
    proofs = [sent["client_assertion"] for sent in bench.forger.asked("/token")]
    header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in proofs[0].split(".")[:2])
    first, second = proofs

    assert (algorithm, "own" if form == "jwk" else None) == (header["alg"], header.get("kid"))
    assert ("latchkey", "latchkey", bench.forger.issuer, 60) == (
        payload["iss"],
        payload["sub"],
        payload["aud"],
        payload["exp"] - payload["iat"],
    )
    assert first != second
    assert [True] * 2 == ["client_secret" not in sent for sent in bench.forger.asked("/token")]


@pytest.mark.parametrize("content", ["", "not a key", '{"kty": "oct", "k": "AAAA"}'])
async def test_key_file_that_holds_no_key(bench: Bench, content: str) -> None:
    """Told at the start, with the name of the setting and of the file, and nothing of its content."""
    file = bench.folder / "key"
    file.write_text(content)
    with pytest.raises(SettingsError, match=r"providers\.corp\.private_key_file") as error:
        await bench.sign_in(client_secret=None, private_key_file=str(file))

    assert "AAAA" not in str(error.value)


async def test_files_that_are_not_there(bench: Bench) -> None:
    """Told at the start."""
    for setting in ("client_secret_file", "private_key_file"):
        with pytest.raises(SettingsError, match=f"providers.corp.{setting}: /nowhere/file cannot be read"):
            await bench.sign_in(**{"client_secret": None, setting: "/nowhere/file"})


class TestRecheck:
    async def kept(self, bench: Bench, provider: RedirectProvider) -> bytes:
        tokens = (await provider.exchange(bench.came_back())).tokens
        assert tokens is not None
        return tokens

    async def test_tokens_are_kept_only_if_wanted(self, bench: Bench) -> None:
        """Not without the setting, and not where there are none that last."""
        without = await bench.sign_in()
        bench.forger.refreshes = False
        nothing = await bench.sign_in(keep_tokens=True)

        assert (None, None) == (without.tokens, nothing.tokens)

    async def test_person_is_still_there(self, bench: Bench) -> None:
        """With new tokens to keep, which work the next time, while the old are used up; and with what changed."""
        async with bench.opened(keep_tokens=True) as provider:
            tokens = await self.kept(bench, provider)
            bench.forger.bend = bent(nickname="Ann, renamed")
            first = await provider.recheck(tokens)
            assert isinstance(first, Rechecked)
            second = await provider.recheck(first.tokens)
            used_up = await provider.recheck(tokens)

        assert isinstance(second, Rechecked)
        assert "Ann, renamed" == (second.identity and second.identity.nickname)
        assert Gone(reason="invalid_grant") == used_up

    async def test_outage_says_nothing(self, bench: Bench) -> None:
        """A provider that is down, or does not know us, does not end anybody's account."""
        async with bench.opened(keep_tokens=True) as provider:
            tokens = await self.kept(bench, provider)
            for answer in ((503, {}), (401, {"error": "invalid_client"}), (429, {})):
                bench.forger.answers["/token"] = answer
                with pytest.raises(ProviderUnavailable):
                    await provider.recheck(tokens)
            del bench.forger.answers["/token"]

            assert isinstance(await provider.recheck(tokens), Rechecked)

    @pytest.mark.parametrize(
        "trouble",
        [
            lambda forger: forger.answers.update({"/userinfo": (503, {})}),
            lambda forger: setattr(forger, "bend", bent(aud="another-client")),
            lambda forger: setattr(forger, "bend", bent(sub="eve")),
        ],
    )
    async def test_new_tokens_survive_whatever_follows(self, bench: Bench, trouble: Any) -> None:
        """The old are used up by then; the person is only not described anew."""
        async with bench.opened(keep_tokens=True, claims={"tier": "plan"}) as provider:
            tokens = await self.kept(bench, provider)
            trouble(bench.forger)
            rechecked = await provider.recheck(tokens)
            assert isinstance(rechecked, Rechecked)
            again = await provider.recheck(rechecked.tokens)

        assert rechecked.identity is None
        assert isinstance(again, Rechecked)


def logout_claims(forger: Forger, **changed: object) -> Claims:
    claims = {
        "iss": forger.issuer,
        "aud": "latchkey",
        "iat": int(time.time()),
        "exp": int(time.time()) + 120,
        "jti": "one",
        "sub": "ann",
        "sid": "session-1",
        "events": {LOGOUT_EVENT: {}},
    }
    return bent(**changed)(claims)


class TestLoggedOut:
    async def test_genuine_token(self, bench: Bench) -> None:
        """Says who, and which of their sessions."""
        async with bench.opened() as provider:
            told = [
                await provider.logged_out(bench.forger.token(logout_claims(bench.forger), typ=typ))
                for typ in ("logout+jwt", "application/logout+jwt", "JWT")
            ]
            session = await provider.logged_out(
                bench.forger.token(logout_claims(bench.forger, sub=None, exp=None), typ="logout+jwt")
            )

        assert [("ann", "session-1", "one")] * 3 == [(each.subject, each.sid, each.token_id) for each in told]
        assert (None, "session-1") == (session.subject, session.sid)

    @pytest.mark.parametrize(
        "changed",
        [
            {"iss": "https://evil.example.com"},
            {"aud": "another-client"},
            {"events": None},
            {"events": {"something else": {}}},
            {"events": {LOGOUT_EVENT: "yes"}},
            {"nonce": "n-1"},
            {"jti": None},
            {"iat": None},
            {"iat": NOW - 3600},
            {"exp": NOW - 3600},
            {"sub": None, "sid": None},
        ],
        ids=lambda changes: " ".join(map(str, changes)) or "nothing",
    )
    async def test_token_that_says_something_wrong(self, bench: Bench, changed: Claims) -> None:
        """Ends nobody's account."""
        async with bench.opened() as provider:
            token = bench.forger.token(logout_claims(bench.forger, **changed), typ="logout+jwt")
            with pytest.raises(TokenRefused):
                await provider.logged_out(token)

    async def test_token_that_is_none(self, bench: Bench) -> None:
        """An ID token, one that another key signed, one that nobody signed."""
        claims = logout_claims(bench.forger)
        tokens = [
            bench.forger.token(claims, typ="at+jwt"),
            bench.forger.token(claims, typ="logout+jwt", key=OTHER_KEY),
            unsigned(claims),
            "",
        ]
        async with bench.opened() as provider:
            for token in tokens:
                with pytest.raises(TokenRefused):
                    await provider.logged_out(token)


GITHUB = {
    "type": "oauth2",
    "claims": {"subject": "id", "nickname": ["name", "login"]},
    "keep_tokens": True,
}


class TestOAuth2:
    def settings(self, forger: Forger) -> dict[str, Any]:
        endpoints = {
            f"{name}_endpoint": f"{forger.issuer}/{path}"
            for name, path in {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}.items()
        }
        return {**GITHUB, **endpoints, "issuer": ""}

    async def test_person_is_who_the_endpoint_says(self, bench: Bench) -> None:
        """A number is taken as it is written; a name that is empty gives way to the next."""
        bench.forger.userinfo = {"id": 583231, "login": "octocat", "name": None}
        identity = await bench.sign_in(**self.settings(bench.forger))

        assert ("583231", "octocat") == (identity.subject, identity.nickname)

    @pytest.mark.parametrize("status", [200, 400])
    async def test_code_that_is_used_up(self, bench: Bench, status: int) -> None:
        """In GitHub's words and with GitHub's status, too."""
        bench.forger.answers["/token"] = (status, {"error": "bad_verification_code"})

        assert "bad_verification_code" == await bench.refusal(**self.settings(bench.forger))

    async def test_answer_without_a_person(self, bench: Bench) -> None:
        """Settings that do not fit the provider are told as such, by the names of the claims."""
        bench.forger.userinfo = {"login": "octocat"}
        with pytest.raises(ProviderUnavailable, match=r"no 'id' in login, sub; correct claims.subject"):
            await bench.sign_in(**self.settings(bench.forger))

    async def test_access_token_that_lasts_is_kept(self, bench: Bench) -> None:
        """Where there are no refresh tokens; it is good until the provider says 401, and an outage says nothing."""
        bench.forger.answers["/token"] = (200, {"access_token": "lasting", "token_type": "bearer"})
        bench.forger.userinfo = {"id": 1, "login": "octocat"}
        async with bench.opened(**self.settings(bench.forger)) as provider:
            tokens = (await provider.exchange(bench.came_back())).tokens
            assert tokens is not None
            there = await provider.recheck(tokens)
            bench.forger.answers["/userinfo"] = (500, {})
            with pytest.raises(ProviderUnavailable):
                await provider.recheck(tokens)
            bench.forger.answers["/userinfo"] = (401, {})
            gone = await provider.recheck(tokens)

        assert isinstance(there, Rechecked)
        assert "octocat" == (there.identity and there.identity.nickname)
        assert Gone(reason="access token revoked") == gone

    async def test_refresh(self, bench: Bench) -> None:
        """As with OpenID Connect."""
        bench.forger.userinfo = {"id": 1, "login": "octocat"}
        async with bench.opened(**self.settings(bench.forger)) as provider:
            tokens = (await provider.exchange(bench.came_back())).tokens
            assert tokens is not None
            bench.forger.userinfo["login"] = "renamed"
            there = await provider.recheck(tokens)
            gone = await provider.recheck(tokens)

        assert isinstance(there, Rechecked)
        assert "renamed" == (there.identity and there.identity.nickname)
        assert Gone(reason="invalid_grant") == gone

    async def test_logout_tokens_are_not_known(self, bench: Bench) -> None:
        """There is nothing to verify them with."""
        async with bench.opened(**self.settings(bench.forger)) as provider:
            with pytest.raises(TokenRefused):
                await provider.logged_out(bench.forger.token(logout_claims(bench.forger)))


async def test_nothing_secret_shows(bench: Bench) -> None:
    """Neither evidence nor tokens nor what holds the client secret."""
    async with bench.opened(keep_tokens=True) as provider:
        evidence = bench.came_back()
        identity = await provider.exchange(evidence)
        assert identity.tokens is not None
        rechecked = await provider.recheck(identity.tokens)
        shown = repr([evidence, identity, rechecked, provider, vars(provider)])

    assert "canary" in msgspec.json.encode(evidence).decode()
    assert "canary" not in shown
