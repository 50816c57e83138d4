"""API clients: who may be who, in which of the two ways."""

import base64
import hashlib

import pytest

from gateway.api_clients import LONGEST_SECRET, ClientRefused, TwoWays, authenticate
from shared.settings import ApiClientSettings

SECRET = "a secret: with % and +"
CLIENTS = {
    "backend": ApiClientSettings(
        secret_sha256=hashlib.sha256(SECRET.encode()).hexdigest(), roles=frozenset({"revoke"})
    )
}


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("authorization", "form"),
    [
        (basic("backend:a+secret%3A+with+%25+and+%2B"), {}),
        (basic("backend:a%20secret:%20with%20%25%20and%20%2B", "basic"), {}),
        (None, {"client_id": "backend", "client_secret": SECRET}),
    ],
    ids=["Basic", "basic, other encoding", "form"],
)
def test_right_secret_is_known(authorization: str | None, form: dict[str, str]) -> None:
    """Form-encoded inside HTTP Basic, as RFC 6749 wants it, or as fields."""
    assert "backend" == authenticate(CLIENTS, authorization=authorization, form=form).name


@pytest.mark.parametrize(
    ("authorization", "form"),
    [
        (None, {}),
        (None, {"client_id": "backend"}),
        (None, {"client_id": "backend", "client_secret": "wrong"}),
        (None, {"client_id": "nobody", "client_secret": SECRET}),
        (basic("backend"), {}),
        (basic("backend:"), {}),
        (basic("backend:a+secret%3A+with+%25+and+%2B", "Digest"), {}),
        ("Basic", {}),
        ("Basic ////", {}),
        ("Basic /w==", {}),
        ("Basic \u00e9", {}),
    ],
)
def test_everything_else_is_refused(authorization: str | None, form: dict[str, str]) -> None:
    """Wrong, unknown, missing, or nothing that could be read."""
    with pytest.raises(ClientRefused):
        authenticate(CLIENTS, authorization=authorization, form=form)


def test_two_ways_at_once_are_none() -> None:
    """Of two secrets, two readers could each take another."""
    with pytest.raises(TwoWays):
        authenticate(CLIENTS, authorization=basic("backend:x"), form={"client_secret": "x"})


@pytest.mark.parametrize("is_basic", [True, False], ids=["Basic", "form"])
def test_secret_has_a_limit(*, is_basic: bool) -> None:
    """The longest that there can be is known; whoever has a longer one is nobody, also where it begins with the right one."""
    seen = []
    for known, more in ((0, 0), (1, 1), (0, 1)):
        secret = "x" * (LONGEST_SECRET + more)
        digest = hashlib.sha256(b"x" * (LONGEST_SECRET + known)).hexdigest()
        clients = {"backend": ApiClientSettings(secret_sha256=digest, roles=frozenset({"revoke"}))}
        authorization = basic(f"backend:{secret}") if is_basic else None
        form = {} if is_basic else {"client_id": "backend", "client_secret": secret}
        try:
            seen.append(authenticate(clients, authorization=authorization, form=form).name)
        except ClientRefused:
            seen.append("refused")

    assert ["backend", "refused", "refused"] == seen
