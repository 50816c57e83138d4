"""The service's own app on a phone, or its back end: what it asks, and whether the answer is as the description promises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.play.schema import problems_of


@dataclass(frozen=True, kw_only=True)
class Told:
    """An answer that was held against `/api/openapi.json`."""

    status: int
    json: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def state(self) -> object:
        """Return where the link stands, if the answer says so."""
        return self.json.get("state")


class App:
    """One app, aimed at one gateway."""

    def __init__(self, http: aiohttp.ClientSession, gateway: str) -> None:
        self.http = http
        self.gateway = gateway

    async def look(self, code: str) -> Told:
        """Ask what to show."""
        return await self._ask("get", "/api/links/{linkCode}", code)

    async def approve(
        self,
        code: str,
        bearer: str | None = None,
        body: Mapping[str, object] | bytes | None = None,
        **headers: str,
    ) -> Told:
        """Allow the link."""
        sent = headers | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        return await self._ask("post", "/api/links/{linkCode}/approve", code, body, sent)

    async def decline(self, code: str) -> Told:
        """Decline the link."""
        return await self._ask("post", "/api/links/{linkCode}/decline", code)

    async def _ask(
        self,
        method: str,
        path: str,
        code: str,
        body: Mapping[str, object] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        content: dict[str, Any] = (
            {"data": body} if isinstance(body, bytes) else {"json": body} if body else {}
        )
        url = self.gateway + path.replace("{linkCode}", code)
        async with self.http.request(method, url, headers=headers, **content) as response:
            answer = await response.json(content_type=None)
            status, media_type, sent = response.status, response.content_type, response.headers
        async with self.http.get(f"{self.gateway}/api/openapi.json") as response:
            described = await response.json()
        promised = described["paths"][path][method]["responses"][str(status)]["content"]
        assert [media_type] == list(promised)
        assert [] == problems_of(answer, promised[media_type]["schema"], described)
        assert "no-store" == sent["Cache-Control"]
        return Told(status=status, json=answer, headers=sent)
