"""What is logged of calls and requests: a line for each, unless somebody makes many that are refused.

Anybody may send forged codes, as many as the network carries. A line for each would cost more than its answer, and fill the disk;
so of each kind of refusal the first few of a second are told one by one, and the others are counted and told together.
"""

import asyncio
from collections import Counter

import structlog

from gateway.smapi import faults
from shared import lines

ONE_BY_ONE = 20
"""Lines a second for one kind of refusal."""
SECONDS = 1.0

OK = "ok"
_LOGGER = "gateway.endpoint"
_PROBES = {"/livez", "/readyz"}
"""Routes that load balancers ask every few seconds."""

log = structlog.get_logger(_LOGGER)


class CallLog:
    """The log of one gateway's calls."""

    def __init__(self) -> None:
        self._refused: Counter[tuple[str, str]] = Counter()

    def tell(
        self, *, method: str, outcome: str, service: str, correlation_id: str, duration_ms: float
    ) -> None:
        """Write a line, or count.

        Args:
            method: as SMAPI spells it, or as it was sent; empty if the call could not be read.
            outcome: `OK`, or the fault's code.
        """
        if outcome == faults.NotLinkedRetry.code:
            # What every waiting household says every five seconds.
            log.debug(
                "smapi call",
                method=method,
                outcome=outcome,
                service=service,
                correlation_id=correlation_id,
                duration_ms=duration_ms,
            )
        elif outcome == OK or self._is_told("smapi calls refused", outcome):
            values = (("method", method), ("outcome", outcome), ("service", service))
            lines.info(
                (_LOGGER, "smapi call", values), correlation_id=correlation_id, duration_ms=duration_ms
            )

    def tell_request(self, *, method: str, route: str, status: int, duration_ms: float) -> None:
        """Write a line about a request that is no SMAPI call, or count.

        Args:
            route: the pattern of its path, never the path itself: that may hold a link code.
        """
        if route in _PROBES:
            log.debug("http request", method=method, route=route, status=status, duration_ms=duration_ms)
        elif status < 400 or self._is_told("http requests refused", str(status)):
            log.info("http request", method=method, route=route, status=status, duration_ms=duration_ms)

    def _is_told(self, words: str, outcome: str) -> bool:
        if not self._refused:
            asyncio.get_running_loop().call_later(SECONDS, self._sum_up)
        self._refused[words, outcome] += 1
        return self._refused[words, outcome] <= ONE_BY_ONE

    def _sum_up(self) -> None:
        refused, self._refused = self._refused, Counter()
        for (words, outcome), calls in refused.items():
            if calls > ONE_BY_ONE:
                log.info(words, outcome=outcome, calls=calls, told=ONE_BY_ONE)
