"""How often token_worker brings up an account: seldom, and without growing."""

from shared.settings import RecheckSettings
from token_worker.recently import PER_INTERVAL, Rechecks

POLICY = RecheckSettings(every=8)
PART = 8 * 3600 / PER_INTERVAL


def test_account_is_due_once_in_a_part_of_the_interval() -> None:
    """At first, and then when the part is over; noted is only what was really asked."""
    rechecks = Rechecks()
    before = [rechecks.is_due("ann", POLICY, now=1.0) for _ in range(2)]
    rechecks.asked(["ann"], now=1.0)

    assert [True, True] == before
    assert [False, True, True] == [
        rechecks.is_due("ann", POLICY, now=PART),
        rechecks.is_due("ann", POLICY, now=PART + 1),
        rechecks.is_due("bob", POLICY, now=1.0),
    ]


def test_the_longest_not_asked_for_are_forgotten() -> None:
    """What is remembered has a bound."""
    rechecks = Rechecks(most=2)
    for now, account in enumerate(("ann", "bob", "ann", "eve")):
        rechecks.asked([account], now=float(now))

    assert {"ann": False, "bob": True, "eve": False} == {
        account: rechecks.is_due(account, POLICY, now=4.0) for account in ("ann", "bob", "eve")
    }
