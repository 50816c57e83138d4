"""Every provider that takes a password: the same answers to the same people, whatever the server says and however it fails."""

import base64
import hashlib
import logging
import traceback
from collections.abc import Iterator

import pytest
import structlog

from auth_worker.providers.web import ProviderUnavailable
from shared.boxes import LoginEvidence
from shared.domain.errors import AccountUnsupported, SignInRefused
from tests.play import server as play
from tests.play.endpoint import SECRET
from tests.play.ports import free_port
from tests.provider_samples import ASKED, KINDS, KNOWS_ROLES, PASSWORD, PLAYED, WRONG, Opening, opening, real

__all__ = ["opening", "real"]


@pytest.mark.parametrize("name", KINDS)
async def test_right_password(opening: Opening, name: str) -> None:
    """The same person each time, under the name that they have there."""
    source = await opening.open(name)
    identities = [await source.ask(), await source.ask(" Ann ")]

    assert identities[0] == identities[1]
    assert "Ann" == identities[0].nickname
    assert identities[0].subject


@pytest.mark.parametrize("name", [name for name in KINDS if name != "supysonic"])
async def test_name_in_any_case_is_one_person(opening: Opening, name: str) -> None:
    """Where the server takes a name in any case, it is one account, not two."""
    source = await opening.open(name)

    assert (await source.ask("Ann")).subject == (await source.ask("ANN")).subject


async def test_other_case_is_another_name_where_the_server_says_so(opening: Opening) -> None:
    """Supysonic tells cases apart."""
    source = await opening.open("supysonic")

    assert SignInRefused is type(await source.refusal("ANN"))


@pytest.mark.parametrize("name", KINDS)
async def test_wrong_password_and_unknown_name_are_the_same(opening: Opening, name: str) -> None:
    """Nobody learns who has an account."""
    source = await opening.open(name)
    refusals = [
        await source.refusal(password=WRONG),
        await source.refusal("nobody"),
        await source.refusal("%"),
    ]

    assert [SignInRefused] * 3 == [type(refusal) for refusal in refusals]
    assert 1 == len({str(refusal) for refusal in refusals})


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(
    ("who", "password"), [("", PASSWORD), ("  ", PASSWORD), ("Ann", ""), ("A" * 129, PASSWORD)]
)
async def test_what_is_nothing_is_not_asked_about(
    opening: Opening, name: str, who: str, password: str
) -> None:
    """An empty password opens some accounts: nobody gets in by one."""
    source = await opening.open(name)

    assert SignInRefused is type(await source.refusal(who, password))
    assert source.server is None or [] == source.server.asked


@pytest.mark.parametrize("name", PLAYED)
async def test_disabled_person(opening: Opening, name: str) -> None:
    """Told apart where the server does; never let in."""
    source = await opening.open(name)

    assert source.kind.disabled is type(await source.refusal("dora"))


@pytest.mark.parametrize("name", KNOWS_ROLES)
async def test_person_who_may_not_play(opening: Opening, name: str) -> None:
    """Is who they say, and is told that this is not allowed; only with the right password."""
    source = await opening.open(name)
    refusals = [await source.refusal("nina"), await source.refusal("nina", WRONG)]

    assert [AccountUnsupported, SignInRefused] == [type(refusal) for refusal in refusals]


@pytest.mark.parametrize("name", PLAYED)
async def test_server_that_is_down(opening: Opening, name: str) -> None:
    """The log gets its address, and what to look at."""
    address = f"http://127.0.0.1:{free_port()}"
    source = await opening.open(name, url=address)
    refusal = await source.refusal()

    assert isinstance(refusal, ProviderUnavailable)
    assert str(refusal).startswith(address)
    assert "is it up, and is this its address" in str(refusal)


@pytest.mark.parametrize("name", PLAYED)
async def test_server_that_takes_its_time(opening: Opening, name: str) -> None:
    """A person waits as long as was said, and no longer."""
    source = await opening.open(name, answer=0.2)
    source.server.instead = play.never

    assert isinstance(await source.refusal(), ProviderUnavailable)


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize(
    ("bad_day", "told"),
    [
        (play.page, ""),
        (play.rubbish, ""),
        (play.huge, "bytes"),
        (play.elsewhere, "set the address it redirects to"),
        (play.guarded, ""),
        (play.overrun, "raise its limit"),
        (play.broken, "answered 500"),
        (play.gone, "answered 404"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_server_on_a_bad_day(opening: Opening, name: str, bad_day: play.Answers, told: str) -> None:
    """Nothing that is no clear word about the person is taken for one; the log says where it came from."""
    source = await opening.open(name)
    source.server.instead = bad_day
    refusal = await source.refusal()

    assert isinstance(refusal, ProviderUnavailable), repr(refusal)
    assert str(refusal).startswith(source.server.url)
    assert told in str(refusal)
    assert not [asked for asked in source.server.asked if asked.path.startswith("/elsewhere")]


@pytest.mark.parametrize("name", PLAYED)
async def test_server_that_comes_back(opening: Opening, name: str) -> None:
    """A bad day leaves nothing behind."""
    source = await opening.open(name)
    source.server.instead = play.page
    await source.refusal()
    source.server.instead = None

    assert "Ann" == (await source.ask()).nickname


@pytest.mark.parametrize("name", KINDS)
async def test_password_is_nowhere(opening: Opening, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log line of ours or of a library, not in an exception or what led to it, not in a repr."""
    caplog.set_level(logging.DEBUG)
    source = await opening.open(name)
    with structlog.testing.capture_logs() as logs:
        identity = await source.ask()
        errors = [await source.refusal(password=WRONG)]
        if source.server:
            for bad_day in (play.page, play.rubbish, play.huge, play.elsewhere):
                source.server.instead = bad_day
                errors.append(await source.refusal())
        if source.server or name == "supysonic":
            away = await opening.open(name, url=f"http://127.0.0.1:{free_port()}")
            errors.append(await away.refusal())
    told = "".join(
        [
            caplog.text,
            str(logs),
            repr(source.provider),
            repr(vars(source.provider)),
            repr(identity),
            repr(LoginEvidence(name="Ann", password=PASSWORD)),
            *(line for error in errors for line in traceback.format_exception(error)),
            *(f"{each!r} {each} {vars(each)}" for error in errors for each in _led_to(error)),
        ]
    )

    assert not [form for secret in (PASSWORD, WRONG, SECRET) for form in _forms(secret) if form in told]


async def test_password_does_not_go_to_a_server_that_takes_tokens(opening: Opening) -> None:
    """Not even coded; and with forms, nothing that an access log would write down."""
    plain, forms = await opening.open("subsonic"), await opening.open("subsonic-forms")
    await plain.ask()
    await forms.ask()
    seen = b"".join(asked.all for source in (plain, forms) for asked in source.server.asked).decode()

    assert not [form for form in _forms(PASSWORD) if form in seen]
    assert ["GET", "POST", "POST"] == [asked.method for asked in forms.server.asked]
    assert {""} == {asked.query for asked in forms.server.asked[1:]}
    assert {"GET"} == {asked.method for asked in plain.server.asked}


def _led_to(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _forms(secret: str) -> list[str]:
    plain = secret.encode()
    return [
        secret,
        *(["wörd"] if secret is PASSWORD else []),
        plain.hex(),
        base64.b64encode(plain).decode().rstrip("=")[:-2],
        hashlib.md5(plain).hexdigest(),
    ]
