"""Does the time until an answer tell whether somebody has an account? Unknown names against wrong passwords, in turns.

    python -m tests.measure.enumeration [--tries 2000]

Each try is a whole `link.login_submitted` in auth_worker, from the sealed evidence to the judged row, on SQLite: what a person at the
page waits for, without the noise of HTTP. The order within each pair is random, so that whatever the machine does meanwhile hits both.
"""

import argparse
import asyncio
import math
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from auth_worker.__main__ import open_context
from auth_worker.context import AuthContext
from auth_worker.handlers import sign_in
from auth_worker.new_links import open_links
from deploy import accounts, embedded
from gateway import counting
from shared import bootstrap
from shared.boxes import LoginEvidence, evidence_identity
from shared.messages import LinkLoginSubmitted, LinkRequested
from shared.sealing import seal
from shared.settings import load

KNOWN, UNKNOWN = "ann", "nobody"
LINK_TRIES = 50
"""Tries on one link: few enough that its list of attempts stays short."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Milliseconds of each try."""

    unknown: list[float]
    wrong: list[float]

    @property
    def median_difference(self) -> float:
        return abs(statistics.median(self.unknown) - statistics.median(self.wrong))

    @property
    def paired_difference(self) -> float:
        """Return the median over all pairs, which were measured one right after the other."""
        return statistics.median(a - b for a, b in zip(self.unknown, self.wrong, strict=True))

    @property
    def z(self) -> float:
        """Return the standard score of the Mann-Whitney rank test: beyond 3 the two can be told apart."""
        n, m = len(self.unknown), len(self.wrong)
        ranked = sorted([(value, 0) for value in self.unknown] + [(value, 1) for value in self.wrong])
        ranks = sum(rank for rank, (_, group) in enumerate(ranked, 1) if group == 0)
        return (ranks - n * (n + m + 1) / 2) / math.sqrt(n * m * (n + m + 1) / 12)


@asynccontextmanager
async def auth_worker(folder: Path) -> AsyncIterator[AuthContext]:
    """Open auth_worker on a new SQLite database with one account, and budgets that nobody uses up."""
    plenty = {"place_tries": 100, "account_tries": 1000, "network_tries": 100_000, "memory": 60}
    settings = load(
        **embedded.settings_for(folder, listen="127.0.0.1:1", public_url=None),
        limits=plenty,
        link={"max_password_failures": 100},
    )
    await asyncio.to_thread(embedded.prepare, settings)
    assert await accounts.add(settings, service="default", name=KNOWN, password="a password of ann")
    async with bootstrap.open_bus(settings) as bus, open_context(settings, bus) as context:
        yield context


async def measure(context: AuthContext, tries: int) -> Measured:
    """Offer a wrong password to both names, *tries* times each."""
    measured: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for number in range(tries):
        if number % (LINK_TRIES // 2) == 0:
            link_id = f"link-{number}"
            asked = LinkRequested(service="default", link_id=link_id, lifetime=3600, household_id="Sonos_1")
            await open_links([asked], context)
        for name in random.sample([KNOWN, UNKNOWN], 2):
            message = _offer(context, link_id, f"{name}-{number}", name, f"wrong {number}")
            started = time.perf_counter()
            await sign_in(message, context)
            measured[name].append((time.perf_counter() - started) * 1000)
    return Measured(unknown=measured[UNKNOWN], wrong=measured[KNOWN])


def _offer(
    context: AuthContext, link_id: str, submission_id: str, name: str, password: str
) -> LinkLoginSubmitted:
    evidence = LoginEvidence(name=name, password=password)
    return LinkLoginSubmitted(
        service="default",
        link_id=link_id,
        submission_id=submission_id,
        browser="browser",
        provider="local",
        evidence=seal(
            msgspec.json.encode(evidence),
            recipient=context.public_keys.auth_worker_box[0].public,
            bound_to=evidence_identity(link_id, submission_id),
        ),
        # Every try from a place of its own: it is the answer that is measured here, not the wait.
        counted=counting.counted(
            evidence,
            service=submission_id,
            provider="local",
            network=submission_id,
            place=submission_id,
            key=b"k" * 32,
        ),
    )


def report(measured: Measured) -> str:
    """Return the numbers, for people."""
    lines = [f"{'':16}{'median':>10}{'p10':>10}{'p90':>10}  ms"]
    for title, values in (("unknown name", measured.unknown), ("wrong password", measured.wrong)):
        tenths = statistics.quantiles(values, n=10)
        lines.append(f"{title:16}{statistics.median(values):10.2f}{tenths[0]:10.2f}{tenths[-1]:10.2f}")
    lines.append(
        f"{len(measured.wrong)} tries each; medians differ by {measured.median_difference:.2f} ms, "
        f"median within pairs {measured.paired_difference:+.2f} ms, rank test z = {measured.z:+.2f}"
    )
    return "\n".join(lines)


async def main(tries: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        async with auth_worker(Path(folder) / "data") as context:
            print(report(await measure(context, tries)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=2000, help="tries of each kind")
    asyncio.run(main(parser.parse_args().tries))
