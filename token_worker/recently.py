"""Which accounts this process has asked a look for lately, so that not every refresh becomes an event."""

from collections import OrderedDict
from collections.abc import Iterable

from shared.settings import RecheckSettings

REMEMBERED = 100_000
"""Accounts; the longest not asked for are forgotten, which costs one read each."""
PER_INTERVAL = 4
"""How often an account may come up while one answer is good: rarely enough to cost nothing, often enough after an outage."""


class Rechecks:
    """When accounts were last asked for, in monotonic seconds."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._asked: OrderedDict[str, float] = OrderedDict()

    def is_due(self, account_id: str, policy: RecheckSettings, *, now: float) -> bool:
        """Tell whether an account may be asked for again."""
        asked = self._asked.get(account_id)
        return asked is None or now - asked >= policy.every * 3600 / PER_INTERVAL

    def asked(self, account_ids: Iterable[str], *, now: float) -> None:
        """Note that accounts were asked for."""
        for account_id in account_ids:
            self._asked[account_id] = now
            self._asked.move_to_end(account_id)
        while len(self._asked) > self._most:
            self._asked.popitem(last=False)
