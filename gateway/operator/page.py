"""The operator page: how links fare, where they stop and why, and what became of one of them. For the admin address alone.

Reads only, with the gateway's own role, each read bounded. What is looked up comes by POST, so that no code stands in an address
or a log.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from gateway.context import GatewayContext
from gateway.operator import figures, lookup, plots, readings
from gateway.operator.figures import WINDOWS
from shared.domain.stops import WORKS, Story
from shared.domain.words import after, counted, moment
from shared.storage.base import StoreUnavailable

PATH = "/links"
MOST_COUNTED = 50_000
"""Links in the funnel: the last ones of the window."""
MOST_STOPPED = 300
"""Links whose reason is looked for: the last that did not get through."""
MOST_TIMED = 100
"""Links by which it is told how long workers take: the last ones."""
LONGEST_NAME = 300
"""Characters of what is looked up."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_CODE = Markup("<code>{}</code>")
_HERE = Path(__file__).parent
_STYLES = (_HERE.parent / "pages" / "static" / "style.css", _HERE / "static" / "operator.css")


class OperatorPage:
    """Answers at `PATH`."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Show the overview, or what became of the link that was asked about."""
        if request.path != PATH:
            raise web.HTTPNotFound
        try:
            if request.method == "POST":
                return await self._found(request)
            return await self._overview(request)
        except StoreUnavailable as error:
            return _page("problem.html", {"problem": f"The database does not answer: {error}"}, status=503)

    async def _overview(self, request: web.BaseRequest) -> web.StreamResponse:
        window = WINDOWS.get(request.query.get("window", ""), WINDOWS["day"])
        store, now = self._context.store, self._context.clock.now()
        since = window.begins(now)
        reached = await store.funnel(since=since, span=window.span, most=MOST_COUNTED)
        latest = await store.trails(await store.latest(since=since, most=MOST_TIMED))
        await self._context.metrics.look()
        stopped = await lookup.told(await store.unfinished(since=since, most=MOST_STOPPED), store)
        values = {
            "window": window,
            "windows": WINDOWS.values(),
            "funnel": figures.funnel(reached),
            "plot": plots.columns(
                figures.columns(reached, window, now=now), title=f"Links of {window.title}"
            ),
            "causes": figures.causes(stopped),
            "looked_at": len(stopped),
            "is_cut": sum(each.links for each in reached) >= MOST_COUNTED,
            "lags": figures.lags(latest),
            "readings": readings.of(self._context.metrics),
        }
        return _page("overview.html", values)

    async def _found(self, request: web.BaseRequest) -> web.StreamResponse:
        form = await request.post()
        name, household = (str(form.get(field, "")).strip()[:LONGEST_NAME] for field in ("name", "household"))
        if bool(name) == bool(household):
            return _page(
                "problem.html", {"problem": "Fill in one of the two: a link, or a household."}, status=400
            )
        try:
            stories = await self._stories(name, household)
        except ValueError as error:
            return _page("problem.html", {"problem": f"Not a link: {error}."}, status=400)
        if not stories:
            return _page("problem.html", {"problem": "Nothing is on record under that."}, status=404)
        return _page("link.html", {"stories": stories})

    async def _stories(self, name: str, household: str) -> tuple[Story, ...]:
        store = self._context.store
        if household:
            return await lookup.of_household(household, store)
        keys, services = self._context.link_code_keys, list(self._context.settings.services)
        return await lookup.named(name, store, link_code_keys=keys, services=services)


def _with_code(text: str) -> Markup:
    """Return words of ours as HTML, with what stands between backticks as code."""
    return Markup("").join(
        _CODE.format(part) if index % 2 else escape(part) for index, part in enumerate(text.split("`"))
    )


def _page(template: str, values: Mapping[str, object], *, status: int = 200) -> web.Response:
    text = _environment().get_template(template).render(values)
    return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.operator"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "style": "".join(path.read_text() for path in _STYLES),
        "path": PATH,
        "works": WORKS,
    }
    environment.filters |= {
        "counted": counted,
        "after": after,
        "moment": moment,
        "latency": readings.spelt,
        "with_code": _with_code,
    }
    return environment
