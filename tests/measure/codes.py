"""Does the time until a poll's answer tell anything about a link? Codes and hidden halves that are wrong in different ways, in turns.

    python -m tests.measure.codes [--tries 10000]

Each try is a poll from its bytes to the bytes of its answer, in a gateway on SQLite, without the noise of HTTP. All of them are answered
with NOT_LINKED_FAILURE. docs/decisions/0028 says which differences matter.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gateway.context import GatewayContext
from gateway.endpoint import Asked, answer
from gateway.operations import linking
from shared.domain.link_code import VerifiedCode
from shared.messages import LinkRequested
from tests.fuzz.door import opened
from tests.measure.pairs import Pairs
from tests.unit.smapi.soap import action, envelope

LINKS = 16
"""Codes of each kind, so that no single one is measured."""
Poll = tuple[str, str]
"""Link code and hidden half."""


def changed(text: str, place: int) -> str:
    """Return *text* with another character at a place."""
    return text[:place] + ("b" if text[place] == "a" else "a") + text[place + 1 :]


def forged(code: VerifiedCode) -> Poll:
    """A code that no gateway has made."""
    return changed(code.code, 20), changed(code.link_device_id, 9)


def wrong_half(code: VerifiedCode) -> Poll:
    """A genuine code with somebody else's half."""
    return code.code, changed(code.link_device_id, 9)


def wrong_at_the_end(code: VerifiedCode) -> Poll:
    """A genuine code whose half is right but for its last character."""
    return code.code, changed(code.link_device_id, 31)


def wrong_at_the_beginning(code: VerifiedCode) -> Poll:
    """A genuine code whose half is wrong from its second character on; the first is the same in all."""
    return code.code, changed(code.link_device_id, 1)


async def linked_codes(context: GatewayContext, *, stored: bool) -> list[VerifiedCode]:
    """Return genuine codes, with or without a row of theirs."""
    codes = [linking.new_code("default", context).verified for _ in range(LINKS)]
    if stored:
        await context.bus.publish(
            [
                LinkRequested(
                    service="default", link_id=code.link_id, lifetime=600, household_id=f"Sonos_{number}"
                )
                for number, code in enumerate(codes)
            ]
        )
        async with asyncio.timeout(30):
            for code in codes:
                while await context.store.poll(code.link_id) is None:
                    await asyncio.sleep(0.01)
    return codes


async def measure(context: GatewayContext, tries: int) -> list[Pairs]:
    """Measure each pair of kinds, *tries* times."""
    live, unknown = await linked_codes(context, stored=True), await linked_codes(context, stored=False)
    return [
        await _measured(context, tries, ("forged", live, forged), ("genuine, wrong half", live, wrong_half)),
        await _measured(
            context,
            tries,
            ("wrong half, no row", unknown, wrong_half),
            ("wrong half, live row", live, wrong_half),
        ),
        await _measured(
            context,
            tries,
            ("half wrong at the beginning", live, wrong_at_the_beginning),
            ("half wrong at the end", live, wrong_at_the_end),
        ),
    ]


Kind = tuple[str, list[VerifiedCode], Callable[[VerifiedCode], Poll]]


async def _measured(context: GatewayContext, tries: int, one: Kind, other: Kind) -> Pairs:
    taken: dict[str, list[float]] = {one[0]: [], other[0]: []}
    for number in range(tries):
        for title, codes, spoilt in random.sample([one, other], 2):
            taken[title].append(await _poll(context, *spoilt(codes[number % LINKS])))
    return Pairs(one=one[0], other=other[0], of_one=taken[one[0]], of_other=taken[other[0]])


async def _poll(context: GatewayContext, code: str, half: str) -> float:
    body = envelope(
        f"<getDeviceAuthToken><householdId>Sonos_1</householdId><linkCode>{code}</linkCode>"
        f"<linkDeviceId>{half}</linkDeviceId></getDeviceAuthToken>"
    )
    asked = Asked(
        service="default",
        body=body,
        soap_action=action("getDeviceAuthToken"),
        authorization=None,
        accept_language=None,
    )
    started = time.perf_counter()
    answered = await answer(asked, context)
    took = (time.perf_counter() - started) * 1000
    assert b"NOT_LINKED_FAILURE" in answered.body
    return took


async def main(tries: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as context:
            for pairs in await measure(context, tries):
                print(pairs.report(), end="\n\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=10_000, help="tries of each kind")
    asyncio.run(main(parser.parse_args().tries))
