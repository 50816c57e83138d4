"""Templates to answers, each with the headers that keep a page to itself."""

from collections.abc import Mapping

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from shared.settings import ServiceSettings

_HEADERS = {
    "Cache-Control": "no-store",
    # No script anywhere; the one style sheet is ours; nobody may frame a page on which a password is typed.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}

_TEMPLATES = Environment(
    loader=PackageLoader("gateway.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    name: str, service: ServiceSettings, values: Mapping[str, object], *, status: int = 200
) -> web.Response:
    """Return the page of that name; *values* are what its template asks for."""
    text = _TEMPLATES.get_template(f"{name}.html").render(values, service=service)
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)


def see_other(location: str) -> web.Response:
    """Send the browser on after a form, so that going back or reloading does not send the form again."""
    return web.Response(status=303, headers={**_HEADERS, "Location": location})
