"""Does the time until an answer tell whether somebody has an account? Unknown names against wrong passwords, in turns.

    python -m tests.measure.enumeration [--tries 10000]

Each try is a whole `link.login_submitted` in auth_worker, from the sealed evidence to the judged row, on SQLite: what a person at the
page waits for, without the noise of HTTP. The order within each pair is random, so that whatever the machine does meanwhile hits both.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from tests.measure.pairs import Pairs

KNOWN, UNKNOWN = "ann", "nobody"
LINK_TRIES = 50
"""Tries on one link: few enough that its list of attempts stays short."""


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


async def measure(context: AuthContext, tries: int) -> Pairs:
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
    return Pairs(
        one="unknown name", other="wrong password", of_one=measured[UNKNOWN], of_other=measured[KNOWN]
    )


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


async def main(tries: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        async with auth_worker(Path(folder) / "data") as context:
            print((await measure(context, tries)).report())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=10_000, help="tries of each kind")
    asyncio.run(main(parser.parse_args().tries))
