"""The settings of how accounts live on: what cannot work is said at start."""

from typing import Any

import pytest

from shared import settings
from shared.settings import SettingsError
from tests.unit.shared.test_settings import GOOD

OIDC: dict[str, Any] = {
    "type": "oidc",
    "issuer": "https://id.example.com",
    "client_id": "latchkey",
    "keep_tokens": True,
}
SECRET = "canary-webhook-secret-of-32-characters"


def problems_of(**given: Any) -> list[str]:
    basics = {name.removeprefix("LATCHKEY_").lower(): value for name, value in GOOD.items()}
    try:
        settings.load(**basics, **given)
    except SettingsError as error:
        return error.problems
    return []


def test_off_by_default() -> None:
    """Nobody is asked again, and nobody may say that an account has ended."""
    assert [] == problems_of()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"providers": {"acme": OIDC}, "recheck": {"acme": {"every": 12}}}, None),
        (
            {"providers": {"acme": OIDC}, "recheck": {"amce": {}}},
            "recheck.amce: there is no such provider; there is acme",
        ),
        (
            {"providers": {"acme": OIDC | {"keep_tokens": False}}, "recheck": {"acme": {}}},
            "recheck.acme: there is nothing to ask with; set providers.acme.keep_tokens = true",
        ),
        ({"recheck": {"local": {}}}, "recheck.local: such a provider cannot be asked later"),
        ({"providers": {"acme": OIDC}, "recheck": {"acme": {"every": 0}}}, "LATCHKEY_RECHECK__ACME__EVERY"),
        ({"providers": {"acme": OIDC}, "account_events": {"backchannel_logout": ["acme"]}}, None),
        ({"account_events": {"backchannel_logout": ["local"]}}, "'local' is no provider of the type `oidc`"),
        ({"account_events": {"backchannel_logout": ["acme"]}}, "'acme' is no provider of the type `oidc`"),
        ({"account_events": {"secrets": [SECRET]}}, None),
        ({"account_events": {"secrets": ["short"]}}, "LATCHKEY_ACCOUNT_EVENTS__SECRETS__0"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], complaint: str | None) -> None:
    """And what is right is not."""
    problems = problems_of(**given)

    assert (complaint is None) == (not problems)
    assert (complaint or "") in "".join(problems)
