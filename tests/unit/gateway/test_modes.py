"""Which methods a mode has, and by which mode a call is judged."""

import pytest

from gateway.logins import Logins, Remembered
from gateway.operations import OPERATIONS, modes
from gateway.smapi.credentials import Credentials
from gateway.smapi.faults import MethodNotSupported
from shared.domain.errors import ReauthorizationNeeded
from shared.settings import Auth, ServiceSettings

TOKEN, SESSION = Credentials(token="t"), Credentials(session_id="s")
LOGIN, NOTHING = Credentials(username="u", password="p"), Credentials()


@pytest.mark.parametrize("auth", modes.METHODS)
def test_a_mode_answers_what_its_table_says(auth: Auth) -> None:
    """Methods about accounts are refused where they are not listed; all others pass."""
    settings = ServiceSettings(auth=auth)
    refused = set()
    for method in OPERATIONS:
        try:
            modes.check(method, settings)
        except MethodNotSupported:
            refused.add(method)

    assert modes.ABOUT_ACCOUNTS - modes.METHODS[auth] == refused


def test_new_sessions_of_a_migrated_service_start_the_upgrade() -> None:
    """getSessionId then asks for a new authorization, as Sonos documents it."""
    with pytest.raises(ReauthorizationNeeded):
        modes.check("getSessionId", ServiceSettings(upgrade_from=("session_id",)))


@pytest.mark.parametrize(
    ("credentials", "upgrade_from", "expected"),
    [
        (TOKEN, ("session_id",), "link"),
        (SESSION, (), "link"),
        (SESSION, ("session_id",), "session_id"),
        (LOGIN, ("stateless",), "stateless"),
        (NOTHING, ("session_id",), "link"),
    ],
)
def test_a_migrated_service_goes_on_with_what_it_had(
    credentials: Credentials, upgrade_from: tuple[modes.Legacy, ...], expected: Auth
) -> None:
    """Only kinds of credentials that it really had count beside its tokens."""
    assert expected == modes.kind_of(credentials, ServiceSettings(upgrade_from=upgrade_from))


@pytest.mark.parametrize("auth", ["session_id", "stateless", "anonymous"])
def test_other_modes_judge_every_call_by_their_own(auth: Auth) -> None:
    """Whatever came with it."""
    kinds = {modes.kind_of(came, ServiceSettings(auth=auth)) for came in (TOKEN, SESSION, LOGIN, NOTHING)}

    assert {auth} == kinds


def test_logins_are_forgotten_in_time_and_for_room() -> None:
    """A judgement counts until its time is over, and the longest unused makes room."""
    logins = Logins(b"k" * 32, most=2)
    for name in ("a", "b"):
        logins.remember(name, Remembered(session_hash=name, until=10.0))
    logins.recall("a", now=9.0)
    logins.remember("c", Remembered(session_hash=None, until=5.0))

    known = [logins.recall(name, now=4.0) is not None for name in ("a", "b", "c")]

    assert [True, False, True] == known
    assert logins.recall("c", now=5.0) is None


def test_fingerprints_keep_parts_apart() -> None:
    """What moves from one part to the next is another login, and so it is in another process."""
    logins = Logins(b"k" * 32)

    assert logins.fingerprint("ab", "c") != logins.fingerprint("a", "bc")
    assert logins.fingerprint("a") != Logins(b"j" * 32).fingerprint("a")
