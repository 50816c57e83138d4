"""What comes from outside has a length up to which it is taken: a gateway that stands alone, with the one character more."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request

from auth_worker.providers import local
from gateway.account_events import LONGEST_LOGOUT_TOKEN
from gateway.api import bearers
from gateway.bodies import LONGEST_TYPED
from gateway.operations import linking
from gateway.operations.linking import LONGEST_CALLBACK
from gateway.operations.request import Request
from gateway.pages import household_entry, views
from gateway.smapi.credentials import Credentials
from gateway.smapi.envelope import Call
from shared.boxes import EndEvidence, LoginEvidence, end_identity, evidence_identity
from shared.domain.visit import Purpose
from shared.messages import AccountEndSubmitted, HouseholdLoginSubmitted, LinkLoginSubmitted, LinkRequested
from tests.play.alone import Alone, standing_alone

ACME = {"type": "oidc", "issuer": "https://acme.example", "client_id": "latchkey"}


@pytest.fixture
async def alone(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Alone]:
    async with standing_alone(
        tmp_path,
        sqlite_url,
        providers={"local": {"type": "local"}, "acme": ACME},
        account_events={"backchannel_logout": ["acme"]},
    ) as alone:
        yield alone


async def test_logout_token_has_a_limit(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest one goes to auth_worker as it is; a longer one goes nowhere."""
    monkeypatch.setattr("gateway.account_events.RESULT_SECONDS", 0)
    statuses = []
    for more in (0, 1):
        form = {"logout_token": "x" * (LONGEST_LOGOUT_TOKEN + more)}
        async with alone.http.post("/backchannel/acme", data=form) as response:
            statuses.append(response.status)
    (event,) = alone.bus.sent

    assert isinstance(event, AccountEndSubmitted)
    told = alone.unsealed(event.evidence, end_identity(event.request_id))
    assert [503, 400] == statuses
    assert "x" * LONGEST_LOGOUT_TOKEN == msgspec.json.decode(told, type=EndEvidence).logout_token


@pytest.mark.parametrize(
    ("bearer", "is_taken"),
    [
        ("x" * bearers.LONGEST, True),
        ("x" * (bearers.LONGEST + 1), False),
        ("x" * (bearers.LONGEST - 1) + "=", True),
        ("x" * bearers.LONGEST + "=", False),
        ("x" + "=" * bearers.LONGEST, False),
    ],
    ids=["longest", "longer", "longest, padded", "longer, padded", "padding alone is longer"],
)
def test_bearer_has_a_limit(bearer: str, *, is_taken: bool) -> None:
    """With what pads it."""
    request = make_mocked_request("GET", "/", {"Authorization": f"Bearer {bearer}"})

    assert (bearer if is_taken else None) == bearers.bearer_of(request)


async def test_callback_that_is_too_long_is_none(alone: Alone) -> None:
    """One that was cut would lead nowhere."""
    for more in (0, 1):
        call = Call(
            method="getAppLink",
            arguments={"householdId": "Sonos_1", "callbackPath": "x" * (LONGEST_CALLBACK + more)},
            credentials=Credentials(),
        )
        asked = Request(
            call=call,
            service="default",
            settings=alone.context.settings.services["default"],
            correlation_id="c",
        )
        await linking.issue(asked, alone.context)

    assert ["x" * LONGEST_CALLBACK, ""] == [
        event.callback_path for event in alone.bus.sent if isinstance(event, LinkRequested)
    ]


async def test_fields_of_a_link_are_cut(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name and a password so much is looked at, and no more sealed."""
    monkeypatch.setattr(views, "RESULT_SECONDS", 0)
    longest, new = "x" * LONGEST_TYPED, linking.new_code("default", alone.context)
    token = alone.form_token(new.verified.link_id)
    form = {"form_token": token, "provider": "local", "name": longest + "y", "password": longest + "z"}
    async with alone.http.post(f"/link/{new.code}/sign-in", data=form, allow_redirects=False) as response:
        assert 303 == response.status
    (event,) = alone.bus.sent

    assert LONGEST_TYPED > local.LONGEST_PASSWORD, (
        "one that is too long would be taken for the one it begins with"
    )
    assert isinstance(event, LinkLoginSubmitted)
    told = alone.unsealed(event.evidence, evidence_identity(event.link_id, event.submission_id))
    assert LoginEvidence(name=longest, password=longest) == msgspec.json.decode(told, type=LoginEvidence)


async def test_fields_of_the_household_page_are_cut(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a link."""
    monkeypatch.setattr(household_entry, "RESULT_SECONDS", 0)
    longest, token = (
        "x" * LONGEST_TYPED,
        alone.form_token(f"household default {Purpose.HOUSEHOLD} "),
    )
    form = {"form_token": token, "provider": "local", "name": longest + "y", "password": longest + "z"}
    async with alone.http.post("/household/default/sign-in", data=form, allow_redirects=False) as response:
        assert 303 == response.status
    (event,) = alone.bus.sent

    assert isinstance(event, HouseholdLoginSubmitted)
    told = alone.unsealed(event.evidence, evidence_identity(event.visit_hash, event.purpose))
    assert LoginEvidence(name=longest, password=longest) == msgspec.json.decode(told, type=LoginEvidence)
