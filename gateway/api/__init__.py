"""The API under `/api/`: for the service's own back end, and for its app. It speaks JSON; every operation is described.

It is there as far as the settings give anybody a key or a service an app; pages may call it where the settings name them.
"""

from aiohttp import web

from gateway.api.answering import answering
from gateway.api.back_end import BackEndApi
from gateway.api.cors import preflight, readable
from gateway.api.document import document
from gateway.api.links import LinkApi
from gateway.context import GatewayContext


def add_to(app: web.Application, context: GatewayContext) -> None:
    """Add what the settings ask for."""
    has_keys = bool(context.settings.api_keys)
    has_apps = any(service.app is not None for service in context.settings.services.values())
    if not has_keys and not has_apps:
        return
    content = document(context.settings.public_url, back_end=has_keys)

    async def describe(_: web.Request) -> web.StreamResponse:
        return web.json_response(body=content)

    app.add_routes([web.get("/api/openapi.json", describe)])
    if has_keys:
        back_end = BackEndApi(context)
        app.add_routes(
            [
                web.post("/api/links", answering(back_end.create_link, 201)),
                web.post("/api/users/hash", answering(back_end.hash_user, 200)),
            ]
        )
    _add_links(app, context)


def _add_links(app: web.Application, context: GatewayContext) -> None:
    links = LinkApi(context)
    origins = frozenset(
        origin
        for service in context.settings.services.values()
        if service.app is not None
        for origin in service.app.origins
    )
    for method, path, handle in (
        ("GET", "/api/links/{code}", links.show),
        ("POST", "/api/links/{code}/approve", links.approve),
        ("POST", "/api/links/{code}/decline", links.decline),
    ):
        app.router.add_route(method, path, readable(answering(handle, 200), origins))
        if origins:
            app.router.add_route("OPTIONS", path, preflight(method, origins))
