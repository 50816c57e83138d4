"""Tokens elsewhere, over HTTP: introspection (RFC 7662), revocation (RFC 7009), and forward-auth for a proxy."""

import re
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web

from gateway.api_clients import ApiClient, ClientRefused, TwoWays, authenticate
from gateway.bodies import BadForm, form_of
from gateway.context import GatewayContext
from gateway.identity import headers_of
from gateway.operations import revocation, tokens
from shared.bus.base import BusUnavailable
from shared.domain import errors
from shared.domain.token import TokenClaims
from shared.settings import DEFAULT_SERVICE, ApiRole
from shared.storage.base import StoreUnavailable
from shared.storage.records import TokenView
from shared.tokens import LONGEST

RETRY_SECONDS = 5

# RFC 6750, section 2.1; bounded before anything else looks at it.
_BEARER = re.compile(rf"(?i:bearer) +([A-Za-z0-9\-._~+/]{{1,{LONGEST}}}=*) *")

Answer = Callable[[ApiClient, str, str], Awaitable[web.Response]]

log = structlog.get_logger(__name__)


def add_to(app: web.Application, api: "TokenApi") -> None:
    """Add the addresses."""
    app.add_routes(
        [
            web.post("/oauth/introspect", api.introspect),
            web.post("/oauth/revoke", api.revoke),
            web.get("/verify", api.verify),
            web.get("/verify/{service}", api.verify),
        ]
    )


class TokenApi:
    """What content servers, proxies and the service's back end ask about tokens."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def introspect(self, request: web.Request) -> web.StreamResponse:
        """Say whose a token is, or that it is not active, and then nothing else (RFC 7662)."""

        async def answer(client: ApiClient, token: str, correlation_id: str) -> web.Response:
            try:
                claims = self._context.verifier.verify_for(token, services=client.settings.may_act_for)
                view = await tokens.living(claims, correlation_id=correlation_id, context=self._context)
            except errors.Refusal:
                return _json({"active": False})
            return _json(_description(claims, view))

        return await self._for_client(request, "introspect", answer)

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """End the grant behind a token, and say 200 also where there is nothing to end (RFC 7009)."""

        async def answer(client: ApiClient, token: str, correlation_id: str) -> web.Response:
            try:
                claims = self._context.verifier.verify_for(token, services=client.settings.may_act_for)
            except errors.TokenRefused:
                return _json({})
            await revocation.revoke(
                claims,
                reason=f"api client {client.name}",
                correlation_id=correlation_id,
                context=self._context,
            )
            return _json({})

        return await self._for_client(request, "revoke", answer)

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """Let a proxy's request through with the identity behind its token, or not."""
        service = request.match_info.get("service") or request.query.get("service", DEFAULT_SERVICE)
        if service not in self._context.settings.services:
            raise web.HTTPNotFound
        status, headers = await self.judge(service, request.headers.getall("Authorization", ()))
        return web.Response(status=status, headers=headers)

    async def judge(self, service: str, authorization: Sequence[str]) -> tuple[int, dict[str, str]]:
        """Return the answer to a proxy that asks about a request with these Authorization headers: status and headers."""
        status, headers = await self._judged(service, authorization)
        self._context.metrics.token_api.add("verify", str(status))
        return status, headers

    async def _judged(self, service: str, authorization: Sequence[str]) -> tuple[int, dict[str, str]]:
        try:
            claims = self._context.verifier.verify(_bearer(authorization), service=service)
            view = await tokens.living(claims, context=self._context)
        except StoreUnavailable:
            # Never 401 for our own outage: Sonos would take it for the token's.
            return 503, _UNAVAILABLE
        except errors.Refusal:
            return 401, {"WWW-Authenticate": "Bearer", **_NEVER_STORED}
        return 200, {**headers_of(tokens.caller_of(view)), **_NEVER_STORED}

    async def _for_client(self, request: web.Request, role: ApiRole, answer: Answer) -> web.Response:
        """Answer a client that may ask; one table from what went wrong to what it is told."""
        correlation_id, client = self._context.new_id(), None
        try:
            form = await _form(request)
            authorization = request.headers.get("Authorization")
            clients = self._context.settings.api_clients
            client = authenticate(clients, authorization=authorization, form=form)
            response = await self._allowed(client, role, form, answer, correlation_id)
        except (BadForm, TwoWays):
            response = _json({"error": "invalid_request"}, status=400)
        except ClientRefused:
            response = _json({"error": "invalid_client"}, status=401)
            response.headers["WWW-Authenticate"] = 'Basic realm="latchkey"'
        except (StoreUnavailable, BusUnavailable, errors.TryAgainLater):
            response = _unavailable()
        self._context.metrics.token_api.add(role, str(response.status))
        log.info(
            "token api call",
            call=role,
            client=client.name if client else "",
            status=response.status,
            correlation_id=correlation_id,
        )
        return response

    async def _allowed(
        self, client: ApiClient, role: ApiRole, form: dict[str, str], answer: Answer, correlation_id: str
    ) -> web.Response:
        if role not in client.settings.roles:
            return _json({"error": "unauthorized_client"}, status=403)
        if not form.get("token"):
            raise BadForm
        return await answer(client, form["token"], correlation_id)


_NEVER_STORED = {"Cache-Control": "no-store"}
_UNAVAILABLE = {"Retry-After": str(RETRY_SECONDS), **_NEVER_STORED}


async def _form(request: web.Request) -> dict[str, str]:
    if len(request.headers.getall("Authorization", ())) > 1:
        raise BadForm
    return await form_of(request)


def _bearer(values: Sequence[str]) -> str:
    match = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        raise errors.TokenRefused
    return match.group(1)


def _description(claims: TokenClaims, view: TokenView) -> dict[str, object]:
    return {
        "active": True,
        "sub": claims.account_id,
        "iss": claims.issuer,
        "aud": claims.service,
        "exp": claims.expires_at,
        "iat": claims.issued_at,
        "token_type": "Bearer",
        "username": view.account.nickname,
        "household_id": view.grant.household_id,
        "grant_id": claims.grant_id,
    }


def _json(content: dict[str, object], *, status: int = 200) -> web.Response:
    return web.json_response(content, status=status, headers=_NEVER_STORED)


def _unavailable() -> web.Response:
    return web.Response(status=503, headers=_UNAVAILABLE)
