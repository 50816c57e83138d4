"""Which address shows what to people."""

from importlib.resources import files

from aiohttp import web

from gateway.context import GatewayContext
from gateway.pages.departures import ProviderPages
from gateway.pages.entry import EntryPages
from gateway.pages.views import LinkPages

_STYLE = (files("gateway.pages") / "static" / "style.css").read_bytes()


def add_to(app: web.Application, context: GatewayContext) -> None:
    """Add the pages."""
    links, entry, providers = LinkPages(context), EntryPages(context), ProviderPages(context)
    app.add_routes(
        [
            web.get("/link/{code}", links.show),
            web.post("/link/{code}/sign-in", links.sign_in),
            web.post("/link/{code}/approve", links.approve),
            web.post("/link/{code}/decline", links.decline),
            web.get("/link/{code}/with/{provider}", providers.leave),
            web.get("/callback/{provider}", providers.come_back),
            web.get("/enter", entry.show),
            web.post("/enter", entry.enter),
            web.get("/enter/{service}", entry.show),
            web.post("/enter/{service}", entry.enter),
            web.get("/static/style.css", _style),
        ]
    )


async def _style(_: web.Request) -> web.StreamResponse:
    return web.Response(
        body=_STYLE,
        content_type="text/css",
        charset="utf-8",
        headers={"Cache-Control": "public, max-age=3600"},
    )
