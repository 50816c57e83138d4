"""What each kind of server has of its own: codes, sessions, ids, signatures."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from aiohttp import web

from auth_worker.providers import audiobookshelf, jellyfin
from auth_worker.providers.http import HttpProvider, signature
from auth_worker.providers.web import ProviderUnavailable
from shared.domain.account import AccountTier
from shared.domain.errors import AccountDisabled, AccountUnsupported, SignInRefused
from shared.settings import SettingsError
from tests.contract.conftest import PATIENCE
from tests.play import server as play
from tests.play.endpoint import WINDOW
from tests.play.server import User
from tests.provider_samples import PASSWORD, WRONG, Opening, opening, real

__all__ = ["opening", "real"]

DOCS = Path(__file__).parents[2] / "docs" / "providers"


# Subsonic


@pytest.mark.parametrize(
    ("code", "refusal", "told"),
    [
        (0, ProviderUnavailable, "code 0"),
        (10, ProviderUnavailable, "misses a parameter"),
        (20, ProviderUnavailable, "newer client"),
        (30, ProviderUnavailable, "too old"),
        (40, SignInRefused, ""),
        (41, ProviderUnavailable, "code 41"),
        (42, ProviderUnavailable, "API keys only"),
        (43, ProviderUnavailable, "two kinds"),
        (44, SignInRefused, ""),
        (50, AccountUnsupported, ""),
        (60, ProviderUnavailable, "trial"),
        (70, ProviderUnavailable, "code 70"),
    ],
)
async def test_error_codes_are_told_apart(
    opening: Opening, code: int, refusal: type[Exception], told: str
) -> None:
    """Only what is about the person is taken for it; the rest is for the log."""
    source = await opening.open("subsonic", allow_password=True)
    source.server.refuses = code
    error = await source.refusal()

    assert refusal is type(error)
    assert told in str(error)


@pytest.mark.parametrize("code", [10, 30, 41, 42])
async def test_password_is_sent_only_where_that_is_allowed(opening: Opening, code: int) -> None:
    """To a server that takes no token: never by itself, and in the documented form if the settings say so."""
    careful, willing = await opening.open("subsonic"), await opening.open("subsonic", allow_password=True)
    for source in (careful, willing):
        source.server.refuses_tokens = code
    error = await careful.refusal()
    identity = await willing.ask()

    assert "set allow_password" in str(error)
    assert PASSWORD.encode().hex() not in str(careful.server.asked)
    assert "Ann" == identity.subject


async def test_ok_beside_an_error_is_no_success(opening: Opening) -> None:
    """Funkwhale has answered refusals like this."""
    source = await opening.open("subsonic")

    async def odd(request: web.Request) -> web.StreamResponse:
        if "getUser" in request.path:
            return web.Response(status=404)
        return web.json_response({"subsonic-response": {"status": "ok", "detail": "No credentials."}})

    source.server.instead = odd

    assert isinstance(await source.refusal(), ProviderUnavailable)


async def test_server_without_get_user(opening: Opening) -> None:
    """The name is then the one that was typed."""
    source = await opening.open("subsonic")
    source.server.has_get_user = False

    assert "Ann" == (await source.ask()).subject


async def test_failing_get_user_makes_no_second_account(opening: Opening) -> None:
    """A server that breaks between two answers has not said under which name it knows the person."""
    source = await opening.open("subsonic")

    async def breaks(request: web.Request) -> web.StreamResponse:
        if "getUser" in request.path:
            return web.Response(status=500)
        return await source.server.answer(request, source.server.asked[-1])

    source.server.instead = breaks

    assert isinstance(await source.refusal("ANN"), ProviderUnavailable)


async def test_get_user_of_somebody_else_is_not_believed(opening: Opening) -> None:
    """Whoever it is about, it is not the person who proved a password."""
    source = await opening.open("subsonic")

    async def confuses(request: web.Request) -> web.StreamResponse:
        if "getUser" in request.path:
            return web.json_response({"subsonic-response": {"status": "ok", "user": {"username": "admin"}}})
        return await source.server.answer(request, source.server.asked[-1])

    source.server.instead = confuses

    assert "somebody else" in str(await source.refusal())


# Jellyfin and Audiobookshelf


@pytest.mark.parametrize("name", ["jellyfin", "emby", "audiobookshelf"])
async def test_no_session_is_left_behind(opening: Opening, name: str) -> None:
    """What the check opens it closes, also for people who then may not play."""
    source = await opening.open(name)
    await source.ask()
    await source.refusal(password=WRONG)
    if name != "audiobookshelf":
        await source.refusal("nina")
    ends = [asked for asked in source.server.asked if asked.path.lower().endswith("logout")]

    assert not source.server.sessions
    assert (1 if name == "audiobookshelf" else 2) == len(ends)


@pytest.mark.parametrize("name", ["jellyfin", "audiobookshelf"])
@pytest.mark.parametrize("bad_day", [play.broken, play.never, play.elsewhere])
async def test_session_that_cannot_be_closed_keeps_nobody_out(
    opening: Opening, name: str, bad_day: play.Answers
) -> None:
    """Logging out is a courtesy."""
    source = await opening.open(name, answer=0.5 if bad_day is play.never else 30.0)

    async def only_signs_in(request: web.Request) -> web.StreamResponse:
        if request.path.lower().endswith("logout"):
            return await bad_day(request)
        return await source.server.answer(request, source.server.asked[-1])

    source.server.instead = only_signs_in

    assert "Ann" == (await source.ask()).nickname


@pytest.mark.parametrize("kind", [jellyfin, audiobookshelf])
async def test_nobody_waits_for_the_end_of_a_session(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, kind: ModuleType
) -> None:
    """A server that takes its time with it holds nobody up, however long it may take to let somebody in."""
    monkeypatch.setattr(kind, "LOGOUT_SECONDS", 0.05)
    source = await opening.open(kind.__name__.rpartition(".")[2], answer=3600)

    async def never_ends(request: web.Request) -> web.StreamResponse:
        if request.path.lower().endswith("logout"):
            return await play.never(request)
        return await source.server.answer(request, source.server.asked[-1])

    source.server.instead = never_ends
    async with asyncio.timeout(PATIENCE):
        assert "Ann" == (await source.ask()).nickname


async def test_device_is_always_the_same(opening: Opening) -> None:
    """Whichever worker asks: Jellyfin would list each as a device of its own."""
    first, second = await opening.open("jellyfin"), await opening.open("jellyfin")
    await first.ask()
    await second.ask()

    assert first.server.devices == second.server.devices


@pytest.mark.parametrize(
    "written", ["6EEC632AFF0D4D09AAD0BF9E90B14BC6", "6eec632a-ff0d-4d09-aad0-bf9e90b14bc6"]
)
async def test_id_of_a_jellyfin_user_has_one_form(opening: Opening, written: str) -> None:
    """Versions write it differently; the account stays the same."""
    source = await opening.open("jellyfin")
    source.server.users[:] = [User(name="Ann", password=PASSWORD, id=written)]

    assert "6eec632aff0d4d09aad0bf9e90b14bc6" == (await source.ask()).subject


async def test_jellyfin_refuses_the_disabled_whatever_they_type(opening: Opening) -> None:
    """So nothing about the password can be learnt from it."""
    source = await opening.open("jellyfin")
    refusals = [await source.refusal("dora"), await source.refusal("dora", WRONG)]

    assert [AccountDisabled] * 2 == [type(refusal) for refusal in refusals]


@pytest.mark.parametrize("name", ["jellyfin", "audiobookshelf"])
async def test_account_that_is_renamed_stays_the_same(opening: Opening, name: str) -> None:
    """The subject is the server's id, not the name."""
    source = await opening.open(name)
    source.server.users[:] = [User(name="Ann", password=PASSWORD, id="6eec632aff0d4d09aad0bf9e90b14bc6")]
    before = await source.ask()
    source.server.users[:] = [User(name="Anne", password=PASSWORD, id="6eec632aff0d4d09aad0bf9e90b14bc6")]
    after = await source.ask("Anne")

    assert before.subject == after.subject
    assert "Anne" == after.nickname


async def test_reader_of_many_books(opening: Opening) -> None:
    """Audiobookshelf's answer tells of each; two megabytes keep nobody out."""
    source = await opening.open("audiobookshelf")
    source.server.books = 4000

    assert "Ann" == (await source.ask()).nickname


async def test_answer_of_audiobookshelf_has_a_limit(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is as long as it may be is read, one that is longer is not."""
    monkeypatch.setattr(audiobookshelf, "LARGEST_ANSWER", 1000)
    source, more = await opening.open("audiobookshelf"), 0
    person = {"user": {"id": "ann-1", "username": "Ann"}}

    async def long(_: web.Request) -> web.StreamResponse:
        return web.Response(text=json.dumps(person).ljust(1000 + more))

    source.server.instead = long
    identity = await source.ask()
    more = 1
    refusal = await source.refusal()

    assert "ann-1" == identity.subject
    assert "answered more than 1000 bytes" in str(refusal)


async def test_token_of_audiobookshelf_has_a_limit(opening: Opening) -> None:
    """A session whose name is longer than any is left to end by itself."""
    source = await opening.open("audiobookshelf")
    tokens = [
        f"eyJ{'x' * (length - 3)}"
        for length in (audiobookshelf.LONGEST_TOKEN, audiobookshelf.LONGEST_TOKEN + 1)
    ]
    given = iter(tokens)

    async def names(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("logout"):
            return web.json_response({})
        return web.json_response({"user": {"id": "ann-1", "username": "Ann", "refreshToken": next(given)}})

    source.server.instead = names
    for _ in tokens:
        await source.ask()
    ended = [
        asked.headers["x-refresh-token"] for asked in source.server.asked if asked.path.endswith("logout")
    ]

    assert tokens[:1] == ended


async def test_pattern_is_nobodys_name(opening: Opening) -> None:
    """Audiobookshelf finds names by LIKE: `_nn` is not Ann, even with her password."""
    source = await opening.open("audiobookshelf")

    assert SignInRefused is type(await source.refusal("_nn"))


# http


async def test_tier_and_lasting_subject(opening: Opening) -> None:
    """What the endpoint says of a person."""
    source = await opening.open("http")
    source.server.tiers["Ann"] = "paidPremium"
    identity = await source.ask()

    assert ("number-0", "Ann", AccountTier.PAID_PREMIUM) == (
        identity.subject,
        identity.nickname,
        identity.tier,
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "'subject'"),
        ({"subject": ""}, "'subject'"),
        ({"subject": 4711}, "'subject'"),
        ({"subject": "x" * 256}, "'subject'"),
        ({"subject": "a\nb"}, "'subject'"),
        ({"subject": "1", "tier": "gold"}, '"tier"'),
        ({"subject": "1", "tier": 3}, '"tier"'),
        ({"subject": "1", "refused": "no idea"}, '"refused"'),
        ({"subject": "1", "refused": None}, '"refused"'),
    ],
)
async def test_answer_of_another_form_is_none(opening: Opening, content: object, told: str) -> None:
    """Nobody gets in by an answer that was not meant so; the log says which field it was."""
    source = await opening.open("http")

    async def odd(_: web.Request) -> web.StreamResponse:
        return web.json_response(content)

    source.server.instead = odd
    error = await source.refusal()

    assert isinstance(error, ProviderUnavailable)
    assert told in str(error)


async def test_nickname_that_cannot_be_read_is_replaced(opening: Opening) -> None:
    """By the name that was typed."""
    source = await opening.open("http")

    async def odd(_: web.Request) -> web.StreamResponse:
        return web.json_response({"subject": "1", "nickname": "\u202e\n"})

    source.server.instead = odd

    assert "Ann" == (await source.ask()).nickname


@pytest.mark.parametrize(
    ("secret", "off"), [("another secret", 0), (None, WINDOW + 60), (None, -WINDOW - 60)]
)
async def test_endpoint_that_does_not_believe_us(opening: Opening, secret: str | None, off: int) -> None:
    """Another secret, or a clock that is wrong: told as that, and not as a wrong password."""
    source = await opening.open("http")
    source.server.secret = secret or source.server.secret
    source.server.now += off
    error = await source.refusal()

    assert isinstance(error, ProviderUnavailable)
    assert "compare the secrets and the clocks" in str(error)


async def test_request_is_good_once(opening: Opening, http: aiohttp.ClientSession) -> None:
    """Whoever replays one, or changes a byte of it, is turned away by an endpoint that does what the page says."""
    source = await opening.open("http")
    await source.ask()
    (seen,) = source.server.asked
    changed = seen.body.replace(b"Ann", b"Bob")
    statuses = []
    for body in (seen.body, changed):
        async with http.post(source.server.url, data=body, headers=seen.headers) as response:
            statuses.append(response.status)

    assert [401, 401] == statuses


async def test_still_there(opening: Opening) -> None:
    """True, false, or no word at all."""
    source = await opening.open("http")
    provider = source.provider
    assert isinstance(provider, HttpProvider)
    answers = [await provider.recheck(subject) for subject in ("number-0", "number-1", "number-99")]

    assert [True, False, False] == answers


@pytest.mark.parametrize(
    "content", [{}, {"there": None}, {"there": "false"}, {"there": 0}, {"subject": "number-0"}]
)
async def test_no_word_is_not_gone(opening: Opening, content: object) -> None:
    """Access ends by a clear `false`, and by nothing else."""
    source = await opening.open("http")

    async def odd(_: web.Request) -> web.StreamResponse:
        return web.json_response(content)

    source.server.instead = odd
    with pytest.raises(ProviderUnavailable):
        await source.provider.recheck("number-0")


@pytest.mark.parametrize(
    "bad_day", [play.page, play.huge, play.elsewhere, play.guarded, play.overrun, play.broken, play.gone]
)
async def test_bad_day_is_not_gone(opening: Opening, bad_day: play.Answers) -> None:
    """Our households outlive every trouble of the endpoint."""
    source = await opening.open("http")
    source.server.instead = bad_day
    with pytest.raises(ProviderUnavailable):
        await source.provider.recheck("number-0")


def test_signature_of_the_documentation() -> None:
    """The page's example is what goes out."""
    example = signature(
        b"0123456789abcdef0123456789abcdef",
        timestamp="1790000000",
        nonce="000102030405060708090a0b0c0d0e0f",
        body=b'{"question":"still there","subject":"4711"}',
    )

    assert f"Latchkey-Signature: {example}\n" in (DOCS / "http.md").read_text()


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("short\n", "less than 32")])
async def test_secret_that_cannot_be_used(
    opening: Opening, tmp_path: Path, content: str | None, told: str
) -> None:
    """Said at start, with the command that makes one."""
    path = tmp_path / "other-secret"
    if content:
        path.write_text(content)
    with pytest.raises(SettingsError) as error:
        await opening.open("http", secret_file=path)

    (problem,) = error.value.problems
    assert problem.startswith("providers.home.secret_file: ")
    assert told in problem
    assert "openssl rand -hex 32" in problem


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
