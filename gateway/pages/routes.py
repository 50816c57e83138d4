"""Which address shows what to people."""

from collections.abc import Mapping

from aiohttp import web

from gateway.context import GatewayContext
from gateway.pages.departures import ProviderPages
from gateway.pages.entry import EntryPages
from gateway.pages.household import HouseholdPages
from gateway.pages.household_departures import HouseholdDepartures
from gateway.pages.looks import Asset
from gateway.pages.rendering import Handler, for_people, open_pages
from gateway.pages.views import LinkPages


def add_to(app: web.Application, context: GatewayContext) -> None:
    """Add the pages.

    Raises:
        SettingsError: a logo or a template of the operator's own cannot be used.
    """
    links, entry, departures = LinkPages(context), EntryPages(context), HouseholdDepartures(context)
    providers = ProviderPages(context, departures)
    pages = open_pages(context.settings)
    routes = [
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
    ]
    routes += _household(HouseholdPages(context), departures)
    app.add_routes(
        web.route(each.method, each.path, for_people(each.handler, pages, context.settings))
        for each in routes
    )
    app.add_routes([web.get("/static/{name}", _static(pages.assets))])


def _household(household: HouseholdPages, departures: HouseholdDepartures) -> list[web.RouteDef]:
    return [
        web.get("/household", household.front),
        web.get("/household/{service}", household.show),
        web.post("/household/{service}/sign-in", household.sign_in),
        web.get("/household/{service}/with/{provider}", departures.leave),
        web.post("/household/{service}/sign-out", household.sign_out),
        web.post("/household/{service}/unlink", household.unlink),
        web.get("/household/{service}/download", household.download),
        web.get("/household/{service}/erase", household.show_erase),
        web.post("/household/{service}/erase", household.erase),
        web.post("/household/{service}/erase/sign-in", household.sign_in_to_erase),
        web.get("/household/{service}/erase/with/{provider}", departures.leave_to_erase),
    ]


_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""A file is shown on our pages, and as a page of its own it may do nothing."""


def _static(assets: Mapping[str, Asset]) -> Handler:
    style = next(asset for asset in assets.values() if asset.extension == "css")

    async def answer(request: web.Request) -> web.StreamResponse:
        asset = assets.get(request.path)
        if asset is None and not request.path.endswith(".css"):
            raise web.HTTPNotFound
        # While a new version is rolled out, the page may have come from one gateway and ask another for its style.
        caching = "public, max-age=31536000, immutable" if asset else "no-cache"
        found = asset or style
        return web.Response(
            body=found.content,
            content_type=found.content_type,
            charset="utf-8" if found.content_type.startswith(("text/", "image/svg")) else None,
            headers={"Cache-Control": caching, "Content-Security-Policy": _POLICY},
        )

    return answer
