"""A player of S1 lets a service be tried without the portal: by the form on its page `customsd`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from deploy.check.forms import read_page

PORT = 1400
"""Where players serve their pages."""
PATIENCE = aiohttp.ClientTimeout(total=20)
LARGEST_PAGE = 1 << 20
TOKEN = "csrfToken"  # noqa: S105 - the name of a field
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?")
_PORTAL = "S2 players have done away with it: register in the Developer Portal instead, see docs/sonos.md"


class NotRegistered(ValueError):
    """The player did not take it; the message says why, and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """Where a player's form is."""

    address: URL

    @property
    def page(self) -> URL:
        """Return the page with the form."""
        return self.address / "customsd.htm"

    @property
    def action(self) -> URL:
        """Return where the form goes."""
        return self.address / "customsd"


def player(address: str) -> Player:
    """Return the player at HOST or HOST:PORT.

    Raises:
        ValueError: that is not what was written.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r}: write the player's address alone, such as 192.168.1.20")
    url = URL(f"http://{address}")
    return Player(address=url.with_port(url.explicit_port or PORT))


async def submit(where: Player, fields: Mapping[str, object]) -> None:
    """Fill in the player's form and send it off; nothing is sent to any other address.

    Raises:
        NotRegistered: the player does not answer, has no such form, or refuses it.
    """
    async with aiohttp.ClientSession(timeout=PATIENCE, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        try:
            token = await _token(http, where)
            form = aiohttp.FormData([(TOKEN, token), *_pairs(fields)])
            async with http.post(where.action, data=form, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise NotRegistered(
                        f"{where.action} answered {answer.status}: it takes the service ids 240 to 253 and 255;"
                        " try another --sid, or reload the player's page and look what it says"
                    )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotRegistered(
                f"no player answers at {where.address} ({type(error).__name__}); is that its address, in this network?"
            ) from None


async def _token(http: aiohttp.ClientSession, where: Player) -> str:
    """Return the token in the form on the player's page: it refuses a form without one."""
    async with http.get(where.page, allow_redirects=False) as answer:
        if answer.status != 200:
            raise NotRegistered(f"{where.page} answered {answer.status}. {_PORTAL}")
        text = (await answer.content.read(LARGEST_PAGE)).decode(errors="replace")
    for form in read_page(text, str(where.page)).forms:
        if form.values.get(TOKEN):
            return form.values[TOKEN]
    raise NotRegistered(f"{where.page} has no form with a {TOKEN}. {_PORTAL}")


def _pairs(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return names and values, a list as one field for each of its values."""
    return [
        (name, str(each))
        for name, value in fields.items()
        for each in (value if isinstance(value, list) else [value])
    ]
