"""What a gateway sees of links reaches the timeline, and `latchkey links show` tells it."""

import json
from dataclasses import replace
from typing import Any

from tests.play.database import execute
from tests.play.operator import System
from tests.play.person import Person
from tests.play.sights import until_seen
from tests.play.sonos import Link, Sonos, pair_of


async def story_of(system: System, name: str) -> dict[str, Any]:
    """Return what the command tells of a link."""
    (story,) = json.loads(await system.run("links", "show", name, "--json"))
    found: dict[str, Any] = story
    return found


def kinds_of(story: dict[str, Any]) -> list[str]:
    return [step["kind"] for step in story["steps"]]


async def fruitless(sonos: Sonos, person: Person) -> Link:
    """A person who gives up after a wrong password."""
    link = await sonos.get_app_link()
    await sonos.poll(link)
    await person.sign_in(link.reg_url, password="wrong")
    return link


async def test_a_link_from_beginning_to_end(embedded: System, sonos: Sonos, person: Person) -> None:
    """Each step with what saw it; by code for whoever has the key file, by household, and long after its time."""
    stopped = await fruitless(sonos, person)
    link = await sonos.get_app_link()
    await sonos.poll(link)
    await sonos.poll(link, linkDeviceId="d" + "0" * 31)
    await person.complete(link.reg_url)
    answer = await sonos.poll(link, householdId="Sonos_other")
    await sonos.root(pair_of(answer))
    seen = {
        "seen.page",
        "seen.sent",
        "seen.allowed",
        "seen.retry",
        "seen.wrong_device",
        "seen.delivered",
        "seen.used",
    }
    await until_seen(embedded, *(kind.removeprefix("seen.") for kind in seen))
    story = await story_of(embedded, link.code)
    await execute(
        embedded.database_url,
        "UPDATE links SET expires_at = expires_at - 86400, requested_at = requested_at - 86400"
        # Both may be of one second; one of them is to be the earlier.
        " - CASE WHEN grant_id IS NULL THEN 60 ELSE 0 END",
    )
    late, fruitless_story = await story_of(embedded, link.code), await story_of(embedded, stopped.code)
    # Wide enough that no line is broken, however long the steps took.
    wide = replace(embedded, environment=embedded.environment | {"COLUMNS": "200"})
    text = await wide.run("links", "show", "--household", sonos.household)

    assert seen | {"link.requested", "login.authenticated", "link.linked"} == set(kinds_of(story))
    assert ("works", "Linked, and in use.") == (story["stop"], story["headline"])
    assert "works" == late["stop"]
    assert ("wrong_password", False) == (fruitless_story["stop"], fruitless_story["open"])
    assert all(words in text for words in ("Linked, and in use.", "first call with the token", "Sonos_other"))
    assert "Stopped: wrong name or password." in " ".join(text.split())
    assert not any(secret in text for secret in (link.code, link.device_id, answer["authToken"]))
