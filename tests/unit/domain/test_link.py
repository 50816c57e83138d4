"""Links, rule by rule: who may move one, from where, to what."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.domain import errors, link
from shared.domain.link import ORDER_SECONDS, Device, Link, LinkState

NOW = 1_790_000_000
PHONE = Device(hardware="iPhone17,5", os_version="18", app_name="ICRU_iPhone17,5")
REQUESTED = Link(
    link_id="link",
    service="default",
    state=LinkState.REQUESTED,
    household_id="Sonos_1",
    device=PHONE,
    callback_path="/addAccount",
    requested_at=NOW - 60,
    expires_at=NOW + 540,
    version=3,
)
AUTHENTICATED = replace(REQUESTED, state=LinkState.AUTHENTICATED, account_id="ann", browser="b", version=4)
LINKED = replace(AUTHENTICATED, state=LinkState.LINKED, grant_id="grant", version=5)
DECLINED, FAILED, GIVEN_WAY = (
    replace(REQUESTED, state=state, version=4)
    for state in (LinkState.DECLINED, LinkState.FAILED, LinkState.EXPIRED)
)
OVER = {
    DECLINED: errors.LinkDeclined,
    FAILED: errors.LinkBurnt,
    GIVEN_WAY: errors.LinkExpired,
    replace(REQUESTED, expires_at=NOW): errors.LinkExpired,
    replace(AUTHENTICATED, expires_at=NOW): errors.LinkExpired,
}


def authenticate(row: Link, *, account_id: str = "ann", browser: str = "b") -> Link:
    return link.authenticate(row, account_id=account_id, browser=browser, now=NOW)


def approve(row: Link, *, browser: str = "b") -> Link:
    return link.approve(row, browser=browser, grant_id="grant", now=NOW)


def decline(row: Link, *, browser: str = "b") -> Link:
    return link.decline(row, browser=browser, now=NOW)


@pytest.mark.parametrize(
    ("move", "row", "expected"),
    [
        (authenticate, REQUESTED, AUTHENTICATED),
        (lambda row: authenticate(row, account_id="bob"), AUTHENTICATED, ("bob", 5)),
        (approve, AUTHENTICATED, LINKED),
        (decline, REQUESTED, DECLINED),
        (decline, AUTHENTICATED, replace(AUTHENTICATED, state=LinkState.DECLINED, version=5)),
        (lambda row: link.fail(row, now=NOW), REQUESTED, FAILED),
        (
            lambda row: link.fail(row, now=NOW),
            AUTHENTICATED,
            replace(AUTHENTICATED, state=LinkState.FAILED, version=5),
        ),
        (lambda row: link.burn(row, failures=5, limit=5, now=NOW), REQUESTED, FAILED),
        (link.supersede, REQUESTED, GIVEN_WAY),
    ],
)
def test_link_moves_on(move: Callable[[Link], Link], row: Link, expected: Link | tuple[str, int]) -> None:
    """Each change is the next version, and changes nothing else."""
    if isinstance(expected, tuple):
        expected = replace(row, account_id=expected[0], version=expected[1])

    assert expected == move(row)


@pytest.mark.parametrize(
    ("move", "row"),
    [
        (authenticate, AUTHENTICATED),
        (approve, LINKED),
        (decline, DECLINED),
        (lambda row: link.fail(row, now=NOW), LINKED),
        (lambda row: link.fail(row, now=NOW), DECLINED),
        (lambda row: link.fail(row, now=NOW), replace(REQUESTED, expires_at=NOW)),
        (lambda row: link.burn(row, failures=4, limit=5, now=NOW), REQUESTED),
        (lambda row: link.polled(row, now=NOW), LINKED),
    ],
)
def test_what_is_known_already_changes_nothing(move: Callable[[Link], Link], row: Link) -> None:
    """The same object: the event came twice."""
    assert row is move(row)


@pytest.mark.parametrize("move", [authenticate, approve, lambda row: link.polled(row, now=NOW)])
@pytest.mark.parametrize(("row", "refusal"), OVER.items(), ids=[str(number) for number in range(len(OVER))])
def test_what_is_over_says_how(
    move: Callable[[Link], Link], row: Link, refusal: type[errors.Refusal]
) -> None:
    """Declined, burnt, or its time is over, to the second."""
    with pytest.raises(refusal):
        move(row)


@pytest.mark.parametrize(
    ("move", "row", "refusal"),
    [
        (authenticate, LINKED, errors.LinkTaken),
        (lambda row: authenticate(row, browser="other"), AUTHENTICATED, errors.LinkTaken),
        (approve, REQUESTED, errors.LinkPending),
        (lambda row: approve(row, browser="other"), AUTHENTICATED, errors.LinkTaken),
        (lambda row: approve(row, browser="other"), LINKED, errors.LinkTaken),
        (decline, LINKED, errors.LinkTaken),
        (lambda row: decline(row, browser="other"), AUTHENTICATED, errors.LinkTaken),
        (decline, FAILED, errors.LinkBurnt),
        (decline, replace(REQUESTED, expires_at=NOW), errors.LinkExpired),
        (lambda row: link.polled(row, now=NOW), REQUESTED, errors.LinkPending),
        (lambda row: link.polled(row, now=NOW), AUTHENTICATED, errors.LinkPending),
        (lambda row: link.polled(None, now=NOW), LINKED, errors.LinkPending),
        (lambda row: link.polled(row, now=NOW), replace(LINKED, expires_at=NOW), errors.LinkExpired),
    ],
)
def test_nobody_else_moves_a_link(
    move: Callable[[Link], Link], row: Link, refusal: type[errors.Refusal]
) -> None:
    """Another browser, too early, too late."""
    with pytest.raises(refusal):
        move(row)


NEWER = replace(REQUESTED, link_id="newer", requested_at=REQUESTED.requested_at + ORDER_SECONDS)


@pytest.mark.parametrize(
    ("old", "new", "seconds", "expected"),
    [
        (REQUESTED, NEWER, 0, True),
        (REQUESTED, NEWER, ORDER_SECONDS - 1, True),
        (REQUESTED, NEWER, 1 - ORDER_SECONDS, True),
        (REQUESTED, NEWER, ORDER_SECONDS, False),
        (REQUESTED, NEWER, -ORDER_SECONDS, False),
        (REQUESTED, replace(NEWER, requested_at=NEWER.requested_at - 1), 0, False),
        (AUTHENTICATED, NEWER, 0, False),
        (replace(REQUESTED, service="other"), NEWER, 0, False),
        (replace(REQUESTED, household_id="Sonos_2"), NEWER, 0, False),
        (replace(REQUESTED, device=Device(hardware="iPad")), NEWER, 0, False),
        (replace(REQUESTED, device=Device()), replace(NEWER, device=Device()), 0, False),
    ],
)
def test_newer_link_of_the_same_device(old: Link, new: Link, seconds: int, expected: bool) -> None:
    """Its order is beyond doubt, and nobody has signed in to the older one."""
    assert expected is link.supersedes(new, old, asked_seconds_ago=seconds)
