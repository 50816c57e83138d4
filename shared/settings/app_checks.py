"""What the settings of a service's own app must be: a table of what is wrong, and the way out."""

import re
from collections.abc import Iterator

from shared.domain import deep_link
from shared.domain.account import VOUCHED
from shared.settings.apps import AppSettings
from shared.settings.sections import ENDPOINT, ServiceSettings

_ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")
_WEB_PAGE = re.compile(r"https?://[!-~]+")


def app_checks(name: str, service: ServiceSettings, providers: set[str]) -> Iterator[tuple[bool, str]]:
    """Yield a row for each rule: whether it is broken, and what to tell.

    Args:
        name: of the service.
        providers: the names of the service's providers.
    """
    app = service.app or AppSettings()
    here = f"services.{name}"
    sign_up = service.create_account.app_url if service.create_account else None
    templates = (
        ("app_url", service.app_url, True),
        ("app.ios_url", app.ios_url, True),
        ("app.android_url", app.android_url, True),
        ("create_account.app_url", sign_up, False),
    )
    for where, template, needs_code in templates:
        problem = deep_link.problem_of(template, needs_code=needs_code) if template else None
        yield problem is not None, f"{here}.{where}: {problem}"
    for where, endpoint in _endpoints(app):
        yield (
            not ENDPOINT.fullmatch(endpoint),
            f"{here}.app.{where}.url: write it like https://id.example.com/keys, without user, password and fragment",
        )
    for where, page in _pages(app):
        yield (
            not _WEB_PAGE.fullmatch(page),
            f"{here}.app.{where}: not a web address; write it like https://help.example.com",
        )
    yield (
        len(app.methods) > 1,
        f"{here}.app: has {' and '.join(app.methods)}; access tokens are verified in one way, remove the others",
    )
    yield (
        app.scope is not None and not (app.jwks or app.introspection),
        f"{here}.app.scope: only jwks and introspection tell the scope of a token; use one of them or remove it",
    )
    yield (
        app.provider not in {VOUCHED, *providers},
        f"{here}.app.provider: {app.provider!r} is no provider of this service; there is {', '.join(sorted({VOUCHED, *providers}))}",
    )
    for origin in app.origins:
        yield (
            not _ORIGIN.fullmatch(origin),
            f"{here}.app.origins: {origin!r} is no origin; write it like https://app.example.com, without a path",
        )


def _endpoints(app: AppSettings) -> Iterator[tuple[str, str]]:
    for where, section in (
        ("jwks", app.jwks),
        ("introspection", app.introspection),
        ("userinfo", app.userinfo),
    ):
        if section is not None:
            yield where, section.url


def _pages(app: AppSettings) -> Iterator[tuple[str, str]]:
    for where, url in (
        ("failure_url", app.failure_url),
        ("install.url", app.install.url if app.install else None),
        ("call_to_action.url", app.call_to_action.url if app.call_to_action else None),
    ):
        if url is not None:
            yield where, url
