"""Fills a database with households at every stage, and writes the requests that they would send."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from shared import keys
from shared.boxes import Pair
from shared.context import SystemRandom, random_id
from shared.domain import link_code
from shared.domain.grant import Grant, GrantStatus
from shared.domain.token import TokenClaims
from shared.keys import GatewayKeys, PublicKeys, TokenWorkerKeys
from shared.sealing import seal
from shared.settings import Settings
from shared.tokens import sign
from token_worker.minting import Mint

SMAPI = "http://www.sonos.com/Services/1.1"
HOUR = 3600
_LIFETIME = 2 * HOUR
_DEVICE = "00-0E-58-AA-BB-CC:7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What Sonos knows of a link, and what it is stored under."""

    code: str
    device_id: str
    link_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a household holds."""

    auth_token: str
    private_key: str
    grant_id: str


class Stock:
    """Makes rows, codes and tokens with the installation's own keys."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = SystemRandom()
        folder = settings.keys_dir
        self._gateway = keys.read(folder, GatewayKeys)
        self._public = keys.read(folder, PublicKeys)
        self._worker = keys.read(folder, TokenWorkerKeys)
        self._mint = Mint.of(self._worker, settings)
        self.database_url = settings.database_url.get_secret_value().replace("+asyncpg", "")

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """Open a connection that may do everything."""
        connection = await asyncpg.connect(self.database_url)
        try:
            yield connection
        finally:
            await connection.close()

    def codes(self, count: int) -> list[Link]:
        """Make genuine codes that nobody has stored."""
        links = []
        for _ in range(count):
            code, verified = link_code.issue(
                key=self._gateway.link_code[0].secret,
                service="default",
                lifetime=_LIFETIME,
                now=int(time.time()),
                random=self._random.token_bytes(link_code.RANDOM_BYTES),
            )
            links.append(Link(code=code, device_id=verified.link_device_id, link_id=verified.link_id))
        return links

    async def pending(self, count: int) -> list[Link]:
        """Store links that nobody has signed in for."""
        links = self.codes(count)
        await self._store_links(links, state="requested")
        return links

    async def signed_in(self, count: int, *, account_id: str, browser: str) -> list[Link]:
        """Store links that wait for the approval of *browser*; each of a household of its own."""
        links = self.codes(count)
        await self._store_links(links, state="authenticated", account_id=account_id, browser=browser)
        return links

    async def linked(self, count: int) -> list[Link]:
        """Store links that are done, with the pair they deliver."""
        links, tokens = self.codes(count), await self.tokens(count)
        await self._store_links(links, state="linked")
        recipient, expires_at = self._public.gateway_box[0].public, int(time.time()) + _LIFETIME
        rows = []
        for link, token in zip(links, tokens, strict=True):
            pair = Pair(
                auth_token=token.auth_token,
                private_key=token.private_key,
                user_id_hash_code=token.grant_id,
                nickname="ann",
            )
            sealed = seal(msgspec.json.encode(pair), recipient=recipient, bound_to=link.link_id)
            rows.append((link.link_id, "default", sealed, expires_at))
        await self._copy("deliveries", ("delivery_id", "service", "sealed", "expires_at"), rows)
        return links

    async def account(self) -> str:
        """Store an account and return its id."""
        (account_id,) = await self._accounts(1)
        return account_id

    async def tokens(self, count: int, *, age: int = 0) -> list[Token]:
        """Store accounts with a grant each, whose tokens were made *age* seconds ago."""
        account_ids = await self._accounts(count)
        current, now = self._mint.current, int(time.time())
        grants = [
            Grant(
                grant_id=random_id(self._random),
                service="default",
                account_id=account_id,
                household_id=f"Sonos_{account_id}",
                status=GrantStatus.ACTIVE,
                family=1,
                generation=1,
                signing_key_id=current.signing_key_id,
                derivation_key_id=current.derivation_key_id,
                issued_at=now - age,
                expires_at=now - age + HOUR,
                seen_generation=1,
                family_started_at=now - age,
                used_at=now - age,
            )
            for account_id in account_ids
        ]
        columns = (
            "grant_id service account_id household_id status family generation signing_key_id derivation_key_id "
            "issued_at expires_at seen_generation family_started_at used_at version"
        ).split()
        rows = [tuple(getattr(grant, column) for column in columns) for grant in grants]
        await self._copy("grants", columns, rows)
        return [self._token(grant) for grant in grants]

    def _token(self, grant: Grant) -> Token:
        claims = TokenClaims(
            issuer=self._settings.issuer,
            service=grant.service,
            account_id=grant.account_id,
            grant_id=grant.grant_id,
            family=grant.family,
            generation=grant.generation,
            issued_at=grant.issued_at,
            expires_at=grant.expires_at,
        )
        return Token(
            auth_token=sign(claims, self._worker.signing[0]),
            private_key=self._mint._private_key(grant),
            grant_id=grant.grant_id,
        )

    async def _accounts(self, count: int) -> list[str]:
        ids = [random_id(self._random) for _ in range(count)]
        columns = ("account_id", "service", "provider", "subject", "nickname", "status")
        await self._copy("accounts", columns, [(i, "default", "local", i, "ann", "active") for i in ids])
        return ids

    async def _store_links(self, links: Sequence[Link], *, state: str, **columns: str) -> None:
        now = int(time.time())
        names = (
            "link_id service state household_id hardware os_version app_name callback_path requested_at expires_at "
            "version"
        ).split()
        rows = [
            (
                *(link.link_id, "default", state, f"Sonos_{link.link_id}", "iPhone17,5", "Version 26.2"),
                *("ICRU_iPhone17,5", "", now, now + _LIFETIME, 1),
                *columns.values(),
            )
            for link in links
        ]
        await self._copy("links", [*names, *columns], rows)

    async def _copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        async with self.connected() as connection:
            await connection.copy_records_to_table(table, records=rows, columns=list(columns))
            await connection.execute(f"ANALYZE {table}")


def poll(link: Link) -> bytes:
    """Return a poll as Sonos sends it, some 900 bytes."""
    return _smapi(
        "getDeviceAuthToken",
        {
            "householdId": "Sonos_2ZLtEJUN38KttgBMoESCwBpBHD_7d55e99",
            "linkCode": link.code,
            "linkDeviceId": link.device_id,
        },
    )


def app_link(number: int) -> bytes:
    """Return the beginning of a link."""
    return _smapi(
        "getAppLink",
        {
            "householdId": f"Sonos_2ZLtEJUN38KttgBMoESCwBpBHD_{number:08}",
            "hardware": "iPhone17,5",
            "osVersion": "Version 26.2 (Build 23C55)",
            "sonosAppName": "ICRU_iPhone17,5",
            "callbackPath": "sonos-2://x-callback-url/addAccount?state=intId%3Dnet%2Eexample%26x%3D%2F",
        },
    )


def guarded(token: Token, method: str = "getLastUpdate") -> bytes:
    """Return a call with a token."""
    return _smapi(method, {}, token)


def refresh(token: Token) -> bytes:
    """Return a request for the successor of a token."""
    return _smapi("refreshAuthToken", {}, token)


def verify(token: Token) -> bytes:
    """Return what a proxy asks about a token."""
    return http("GET", "/verify", {"Authorization": f"Bearer {token.auth_token}"})


def http(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return a whole HTTP request."""
    lines = {"Host": "127.0.0.1", **headers}
    if body or method == "POST":
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _smapi(method: str, arguments: dict[str, str], token: Token | None = None) -> bytes:
    login = ""
    if token:
        login = (
            f"<loginToken><token>{token.auth_token}</token><key>{token.private_key}</key>"
            "<householdId>Sonos_2ZLtEJUN38KttgBMoESCwBpBHD_7d55e99</householdId></loginToken>"
        )
    values = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Header><credentials xmlns="{SMAPI}"><deviceId>{_DEVICE}</deviceId>'
        f"<deviceProvider>Sonos</deviceProvider>{login}</credentials></s:Header>"
        f'<s:Body><{method} xmlns="{SMAPI}">{values}</{method}></s:Body></s:Envelope>'
    ).encode()
    headers = {
        "Content-Type": "text/xml; charset=utf-8",
        "User-Agent": "Linux UPnP/1.0 Sonos/90.0-77070 (ICRU_iPhone17,5)",
        "Accept-Language": "en-US,en;q=0.9",
        "SOAPAction": f'"{SMAPI}#{method}"',
    }
    return http("POST", "/smapi", headers, body)
