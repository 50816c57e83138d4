"""The aiohttp application: routes, limits, and what every answer carries."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
from aiohttp import hdrs, web

from gateway import account_events, api, oauth
from gateway.bodies import body_of
from gateway.content import ContentUnavailable
from gateway.context import GatewayContext
from gateway.endpoint import Answered, Asked, answer, refused
from gateway.express import Express, Replies
from gateway.network import network_id, network_of
from gateway.nonstop import Nonstop
from gateway.pages import routes as pages
from shared import keys
from shared.admin import as_response
from shared.settings import DEFAULT_SERVICE

LARGEST_BODY = 64 * 1024
"""Bytes; SMAPI requests are below 4 KiB."""

log = structlog.get_logger(__name__)

CONTEXT = web.AppKey("context", GatewayContext)
STOPPING = web.AppKey("stopping", asyncio.Event)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(context: GatewayContext) -> web.Application:
    """Return the application; it serves nothing until it is run."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_nothing_leaks])
    app[CONTEXT] = context
    app[STOPPING] = asyncio.Event()
    app.on_response_prepare.append(_hardened)
    _watch(context, app[STOPPING])
    app.add_routes(
        [
            web.post("/smapi", _smapi),
            web.post("/smapi/{service}", _smapi),
            web.get("/smapi", _smapi_for_people),
            web.get("/smapi/{service}", _smapi_for_people),
            web.get("/.well-known/jwks.json", _jwks),
            web.get("/.well-known/content-jwks.json", _content_jwks),
            web.get("/livez", _livez),
            web.get("/readyz", _readyz),
        ]
    )
    oauth.add_to(app, oauth.TokenApi(context))
    pages.add_to(app, context)
    api.add_to(app, context)
    account_events.add_to(app, context)
    return app


def shorten(server: web.Server, context: GatewayContext) -> Nonstop:
    """Let ordinary calls go the short way, past routes and middleware; return the way of those that came in one piece."""
    services = context.settings.services
    endpoints = {f"/smapi/{service}": service for service in services}
    verifications = {f"/verify/{service}": service for service in services}
    if DEFAULT_SERVICE in services:
        endpoints["/smapi"] = verifications["/verify"] = DEFAULT_SERVICE
    replies, token_api = Replies(_hardening(context)), oauth.TokenApi(context)
    express = Express(
        context,
        server.request_handler,
        partial(_stream, context=context),
        token_api,
        replies=replies,
        network=partial(_network, context),
        endpoints=endpoints,
        verifications=verifications,
        largest_body=LARGEST_BODY,
    )
    server.request_handler = express.handle
    return Nonstop(
        context,
        token_api,
        replies=replies,
        network=partial(_network_of, context),
        endpoints=endpoints,
        verifications=verifications,
        largest_body=LARGEST_BODY,
    )


async def _smapi(request: web.Request) -> web.StreamResponse:
    context = request.app[CONTEXT]
    service = request.match_info.get("service", DEFAULT_SERVICE)
    if service not in context.settings.services:
        raise web.HTTPNotFound
    asked = Asked(
        service=service,
        body=await body_of(request),
        soap_action=_only(request, "SOAPAction"),
        authorization=_only(request, "Authorization"),
        accept_language=", ".join(request.headers.getall("Accept-Language", ())),
        network=partial(_network, context, request),
    )
    answered = await answer(asked, context)
    return _soap(answered) if answered.rest is None else await _stream(request, answered, context)


def _network(context: GatewayContext, request: web.BaseRequest) -> str | None:
    return _network_of(context, request.remote, request.headers.getall("X-Forwarded-For", ()))


def _network_of(context: GatewayContext, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
    network = network_of(
        peer=peer, forwarded_for=forwarded_for, trusted_proxies=context.settings.trusted_proxies
    )
    return network_id(network, context.cookie_keys[0])


def _only(request: web.Request, name: str) -> str | None:
    """Return a header that may come once: of two, we and a content server behind us could each read another."""
    values = request.headers.getall(name, ())
    if len(values) > 1:
        raise web.HTTPBadRequest(reason=f"{name} came twice")
    return values[0] if values else None


async def _smapi_for_people(request: web.Request) -> web.StreamResponse:
    title = request.app[CONTEXT].settings.services
    service = request.match_info.get("service", DEFAULT_SERVICE)
    if service not in title:
        raise web.HTTPNotFound
    return web.Response(
        text=(
            f"This is the Sonos Music API (SMAPI) endpoint of {title[service].title}.\n"
            "Sonos talks to it by SOAP over POST; there is nothing to see in a browser.\n"
        )
    )


async def _jwks(request: web.Request) -> web.StreamResponse:
    document = keys.jwks(request.app[CONTEXT].public_keys)
    return web.json_response(document, headers={"Cache-Control": "public, max-age=300"})


async def _content_jwks(request: web.Request) -> web.StreamResponse:
    document = keys.content_jwks(request.app[CONTEXT].public_keys)
    return web.json_response(document, headers={"Cache-Control": "public, max-age=300"})


def _watch(context: GatewayContext, stopping: asyncio.Event) -> None:
    """Say when nothing should be sent here, and when some of it cannot be done."""

    async def process() -> str | None:
        return "stopping" if stopping.is_set() else None

    async def broker() -> str | None:
        return None if context.bus.is_connected() else "not connected"

    context.health.fit["process"] = process
    # Polls and calls with a good token need no broker: a gateway that was taken away for it would answer none of them.
    context.health.whole["broker"] = broker


async def _livez(request: web.Request) -> web.StreamResponse:
    return as_response(await request.app[CONTEXT].health.livez())


async def _readyz(request: web.Request) -> web.StreamResponse:
    """Tell a load balancer whether to send anything here."""
    return as_response(await request.app[CONTEXT].health.readyz())


@web.middleware
async def _nothing_leaks(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong around a handler into an answer of ours, a SOAP fault or a plain line; and log the request."""
    context = request.app[CONTEXT]
    started, has_line = context.clock.monotonic(), _is_soap(request)
    response = await _answered(request, handler)
    if response.status >= 400 and has_line and not response.content_type.endswith("/xml"):
        # Refused before it became a call, which has its own line.
        response, has_line = _soap(refused(response.status)), False
    if not has_line:
        context.call_log.tell_request(
            method=request.method if request.method in hdrs.METH_ALL else "other",
            route=_route(request),
            status=response.status,
            duration_ms=round((context.clock.monotonic() - started) * 1000, 2),
        )
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _plain(error.status, error.reason)
    except web.RequestPayloadError:
        return _plain(400, "The body is not what its headers say")
    except (TimeoutError, ConnectionError):
        return _plain(408, "The request took too long")
    except Exception:
        log.exception("request failed", route=_route(request))
        return _plain(500, "Something went wrong here")


async def _hardened(request: web.Request, response: web.StreamResponse) -> None:
    """Add what every answer carries, a streamed one too, before its first byte leaves."""
    response.headers.update(_hardening(request.app[CONTEXT]))
    if not _is_for_programs(request):
        # Pages and files have policies of their own.
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


def _hardening(context: GatewayContext) -> dict[str, str]:
    headers = {"X-Content-Type-Options": "nosniff"}
    if context.settings.secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _is_for_programs(request: web.Request) -> bool:
    """Tell whether a request comes so often, and from no browser, that its answer goes without what browsers alone heed."""
    return _is_soap(request) or request.path.startswith("/verify")


def _is_soap(request: web.Request) -> bool:
    return request.path.startswith("/smapi") and request.method not in {"GET", "HEAD"}


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")


def _soap(answered: Answered) -> web.Response:
    return web.Response(
        status=answered.status, body=answered.body, headers={"Content-Type": answered.content_type}
    )


async def _stream(
    request: web.BaseRequest, answered: Answered, context: GatewayContext
) -> web.StreamResponse:
    """Send an answer while it comes in; one that breaks off takes the connection along, so that it looks like no whole one."""
    assert answered.rest is not None
    response = web.StreamResponse(
        status=answered.status, headers={"Content-Type": answered.content_type, **_hardening(context)}
    )
    response.content_length = answered.rest.length
    try:
        await response.prepare(request)
        await response.write(answered.body)
        await answered.rest.copy(response.write)
    except (ContentUnavailable, ConnectionError) as error:
        log.warning("answer cut", reason=str(error), correlation_id=answered.correlation_id)
        if request.transport is not None:
            request.transport.abort()
    finally:
        answered.rest.close()
    return response
