"""Templates to answers, each with the headers that keep a page to itself.

What a page needs beside its values is the same for all pages of a request: the language, and the addresses at which it can be had in
another. `for_people` puts it around a handler, and `page` finds it there.
"""

import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateSyntaxError,
)

from gateway.bodies import BadForm
from gateway.pages import icons, languages
from gateway.pages.languages import LANGUAGES
from gateway.pages.looks import Asset, Look, look_of, looks_of
from gateway.pages.samples import samples
from shared.settings import PREFIX, BrandSettings, ServiceSettings, Settings, SettingsError

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
_WAITING_SECONDS = 2
_KEPT = ("with", "attempt", "approved", "entry", "wrong", "said", "erased")
"""What a page's address keeps when the language is changed; anything else in a query may be a secret of somebody's."""
_COOKIE_SECONDS = 365 * 86400

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLanguage:
    """A language in which a page can be had, and where."""

    code: str
    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Pages:
    """The templates and looks of one gateway."""

    templates: Environment
    looks: Mapping[BrandSettings, Look] = field(default_factory=dict)

    @property
    def assets(self) -> dict[str, Asset]:
        """Return what the pages refer to, by address."""
        return {asset.address: asset for look in self.looks.values() for asset in look.assets}

    def render(
        self,
        name: str,
        service: ServiceSettings,
        values: Mapping[str, object],
        others: Sequence[OtherLanguage] = (),
    ) -> str:
        """Return a page in the language of this request."""
        language = languages.current()
        look = self.looks.get(service.brand) or look_of(service.brand)
        return self.templates.get_template(f"{name}.html").render(
            values,
            service=service,
            look=look,
            language=language,
            language_name=LANGUAGES[language],
            languages=others,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    pages: Pages
    others: tuple[OtherLanguage, ...] = ()


def open_pages(settings: Settings) -> Pages:
    """Return the pages that the settings describe; every one of an operator's own templates has been tried.

    Raises:
        SettingsError: with every logo and every template that cannot be used.
    """
    pages = Pages(templates=_environment(settings), looks=looks_of(settings))
    problems = list(_problems(pages, settings)) if settings.templates_dir else []
    if problems:
        raise SettingsError(problems)
    return pages


def page(
    name: str, service: ServiceSettings, values: Mapping[str, object], *, status: int = 200
) -> web.Response:
    """Return the page of that name; *values* are what its template asks for."""
    around = _around.get()
    response = web.Response(
        status=status,
        text=around.pages.render(name, service, values, around.others),
        content_type="text/html",
        headers={**_HEADERS, "Content-Language": languages.current()},
    )
    if refresh := _refresh(name, values):
        # A header, so that a page of an operator's own cannot forget it.
        response.headers["Refresh"] = refresh
    return response


def see_other(location: str) -> web.Response:
    """Send the browser on after a form, so that going back or reloading does not send the form again."""
    return web.Response(status=303, headers={**_HEADERS, "Location": location})


def for_people(handler: Handler, pages: Pages, settings: Settings) -> Handler:
    """Return *handler* with the language of whoever asks, and a page in place of a bare error."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = request.query.get("lang")
        cookie = _cookie_name(secure=settings.secure)
        language = languages.choose(
            asked=asked,
            remembered=request.cookies.get(cookie),
            accepted=", ".join(request.headers.getall("Accept-Language", ())),
        )
        around = _Surroundings(pages=pages, others=_others(request))
        token = _around.set(around)
        try:
            with languages.spoken(language):
                response = await _answered(handler, request, settings)
        finally:
            _around.reset(token)
        if asked == language:
            response.set_cookie(
                cookie,
                language,
                max_age=_COOKIE_SECONDS,
                path="/",
                httponly=True,
                samesite="Lax",
                secure=settings.secure,
            )
        return response

    return answer


async def _answered(handler: Handler, request: web.Request, settings: Settings) -> web.StreamResponse:
    try:
        return await handler(request)
    except (web.HTTPClientError, BadForm) as error:
        name = request.match_info.get("service", "")
        service = settings.services.get(name) or next(iter(settings.services.values()))
        status = 400 if isinstance(error, BadForm) else error.status
        return page("problem", service, {"status": status}, status=status)


def _others(request: web.Request) -> tuple[OtherLanguage, ...]:
    """Return where this page is in other languages; nowhere if it is the answer to a form."""
    if request.method != "GET":
        return ()
    kept = {name: request.query[name] for name in _KEPT if name in request.query}
    return tuple(
        OtherLanguage(code=code, name=name, address=str(request.rel_url.with_query(kept | {"lang": code})))
        for code, name in LANGUAGES.items()
    )


def _refresh(name: str, values: Mapping[str, object]) -> str:
    if name == "waiting":
        return str(_WAITING_SECONDS)
    way_back = values.get("way_back")
    return f"{_WAITING_SECONDS};url={way_back}" if name == "done" and way_back else ""


def _cookie_name(*, secure: bool) -> str:
    return "__Host-latchkey-language" if secure else "latchkey-language"


def _environment(settings: Settings | None = None) -> Environment:
    ours = PackageLoader("gateway.pages")
    own: tuple[BaseLoader, ...] = ()
    if settings is not None and settings.templates_dir is not None:
        own = (FileSystemLoader(settings.templates_dir),)
    environment = Environment(
        loader=ChoiceLoader([*own, ours, PrefixLoader({"latchkey": ours})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(icon=icons.icon, badge=icons.badge)
    environment.install_gettext_callables(  # type: ignore[attr-defined] # by the extension
        languages.in_templates, languages.in_templates_by_number, newstyle=True
    )
    return environment


def _problems(pages: Pages, settings: Settings) -> Iterator[str]:
    """Make every page once, with values like those it will have, and tell what keeps it from being made."""
    service = next(iter(settings.services.values()))
    for name, examples in samples().items():
        try:
            for values in examples:
                pages.render(name, service, values)
        except Exception as error:  # noqa: BLE001 - whatever a template of somebody else's does
            yield (
                f"{PREFIX}TEMPLATES_DIR: the page {name!r} cannot be made: {_place(error, settings.templates_dir)}: {error}; "
                "correct the template, or take it away to have ours"
            )


def _place(error: BaseException, folder: Path | None) -> str:
    """Return file and line of a template in which an error happened."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    inside = [place for place in frames if place[0].startswith(str(folder))]
    return "{}, line {}".format(*inside[-1]) if inside else str(folder)


_around: ContextVar[_Surroundings] = ContextVar(
    "around",
    default=_Surroundings(pages=Pages(templates=_environment())),  # noqa: B039 - nothing changes it
)
