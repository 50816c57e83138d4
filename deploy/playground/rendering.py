"""Templates to HTML, and the headers that go with a page that runs one script of ours and nothing else."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
STATIC = {
    "playground.css": "text/css",
    "playground.js": "text/javascript",
    "playground.svg": "image/svg+xml",
}

_TEMPLATES = Environment(
    loader=PackageLoader("deploy.playground"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(name: str, **values: object) -> str:
    """Return the template of that name, filled in."""
    return _TEMPLATES.get_template(f"{name}.html").render(values)


def static(name: str) -> bytes:
    """Return a file that goes out as it is."""
    return (files("deploy.playground") / "static" / name).read_bytes()
