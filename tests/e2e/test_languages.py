"""Pages speak the language of whoever asks, and what belongs to them is kept by browsers."""

import re

import aiohttp
import pytest

from tests.play.operator import System
from tests.play.person import Person

PAGE = "/link/nobody"


async def opened(
    system: System, path: str, person: Person, **headers: str
) -> tuple[str, aiohttp.ClientResponse]:
    async with person.http.get(f"{system.gateways[0]}{path}", headers=headers) as response:
        return await response.text(), response


async def test_browser_is_understood_and_overruled(running: System, person: Person) -> None:
    """By its header, until another language is chosen; then by the cookie, which says that and nothing else."""
    accepted = {"Accept-Language": "de-AT, en;q=0.5"}
    german, answer = await opened(running, PAGE, person, **accepted)
    chosen, _ = await opened(running, f"{PAGE}?lang=sv", person, **accepted)
    later, _ = await opened(running, PAGE, person, **accepted)
    cookies = {cookie.key: cookie.value for cookie in person.http.cookie_jar}

    assert ["de", "sv", "sv"] == [
        re.findall('<html lang="(.*?)"', text)[0] for text in (german, chosen, later)
    ]
    assert "de" == answer.headers["Content-Language"]
    assert {"latchkey-language": "sv"} == cookies


@pytest.mark.parametrize("chosen", ["xx", "", "../../etc", "de;Path=/x"])
async def test_what_is_no_language_changes_nothing(running: System, person: Person, chosen: str) -> None:
    """The page comes as it would have, and no cookie is set."""
    text, _ = await opened(running, f"{PAGE}?lang={chosen}", person)

    assert '<html lang="en"' in text
    assert not list(person.http.cookie_jar)


async def test_other_languages_keep_the_place_and_nothing_else(running: System, person: Person) -> None:
    """Of the address only what our own pages put there: anything else may be a secret of somebody's."""
    text, _ = await opened(running, f"{PAGE}?with=local&code=secret&state=x", person)
    links = re.findall(r'<a href="([^"]+)" lang="(\S+)"', text)

    assert 12 == len(links)
    assert all(address == f"{PAGE}?with=local&amp;lang={tag}" for address, tag in links)


async def test_answer_to_a_form_offers_no_other_language(running: System, person: Person) -> None:
    """Its address cannot be opened; a bare error is a page in the person's language all the same."""
    address = f"{running.gateways[0]}/household/default/sign-out"
    async with person.http.post(address, data={"x": "y"}, headers={"Accept-Language": "it"}) as response:
        text = await response.text()

    assert 403 == response.status
    assert "Questo modulo non proviene da questo browser" in text
    assert "?lang=" not in text


async def test_style_is_kept_for_a_year_under_the_name_of_its_content(
    running: System, person: Person
) -> None:
    """Another gateway's style sheet is answered with ours, not to be kept; any other unknown file is not there."""
    text, _ = await opened(running, PAGE, person)
    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text)
    (sign,) = re.findall(r'<link rel="icon" href="([^"]+)"', text)
    content, kept = await opened(running, style, person)
    same, not_kept = await opened(running, "/static/0123456789abcdef.css", person)
    _, icon = await opened(running, sign, person)
    _, unknown = await opened(running, "/static/0123456789abcdef.png", person)

    assert content == same
    assert ["public, max-age=31536000, immutable", "no-cache"] == [
        answer.headers["Cache-Control"] for answer in (kept, not_kept)
    ]
    assert ("text/css", "image/svg+xml", 404) == (kept.content_type, icon.content_type, unknown.status)
    assert "sandbox" in icon.headers["Content-Security-Policy"]
