"""The music service's own programs: a back end that asks about tokens, and a proxy that has them checked."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

SECRET = "canary-secret-of-a-client"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came back."""

    status: int
    json: object
    headers: Mapping[str, str]
    text: str


class Backend:
    """A program of the music service, with one client id."""

    def __init__(self, http: aiohttp.ClientSession, gateway: str, name: str = "backend") -> None:
        self.http, self.gateway, self.name = http, gateway, name

    async def ask(self, call: str, token: str, secret: str = SECRET) -> Said:
        """Authenticate by HTTP Basic and ask."""
        return await self.post(call, {"token": token}, Authorization=basic(self.name, secret))

    async def post(self, call: str, form: object, **headers: str) -> Said:
        """Send any form."""
        url = f"{self.gateway}/oauth/{call}"
        async with self.http.post(url, data=form, headers=headers) as response:
            return await _said(response)

    async def verify(self, *authorization: str, path: str = "/verify") -> Said:
        """Ask as a proxy does."""
        headers = [("Authorization", value) for value in authorization]
        async with self.http.get(self.gateway + path, headers=headers) as response:
            return await _said(response)


def basic(name: str, secret: str) -> str:
    """Return the header of HTTP Basic."""
    return aiohttp.encode_basic_auth(name, secret)


async def _said(response: aiohttp.ClientResponse) -> Said:
    content = await response.json() if response.content_type == "application/json" else None
    return Said(status=response.status, json=content, headers=response.headers, text=await response.text())
