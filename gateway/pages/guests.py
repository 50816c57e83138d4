"""Who asks for the household page: the browser, the visit it has the secret of, and the cookies that carry both."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from gateway.context import GatewayContext
from gateway.network import network_of
from gateway.pages import browser as browsers
from gateway.pages.browser import Browser
from shared.context import Random
from shared.domain import visit as visits
from shared.domain.account import Account, AccountStatus
from shared.domain.visit import Purpose, Visit
from shared.settings import ProviderSettings, ServiceSettings
from shared.storage.visits import VisitView

_SECRET = re.compile(r"[A-Za-z0-9_-]{32}")
_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One request for the household page of one service, for one purpose, by one browser."""

    service: str
    settings: ServiceSettings
    providers: Mapping[str, ProviderSettings]
    purpose: Purpose
    browser: Browser
    secret: str
    """Of the visit; empty without one."""
    network: str
    """The address prefix it comes from."""
    correlation_id: str

    @property
    def visit_hash(self) -> str:
        """Return the key of the visit's row."""
        return visits.hash_of(self.secret, service=self.service, purpose=self.purpose)

    @property
    def form(self) -> str:
        """Return what forms are made out to: a form from before signing in is worth nothing after it."""
        return f"household {self.service} {self.purpose} {self.visit_hash if self.secret else ''}"

    @property
    def place(self) -> str:
        """Return what stands for this browser where an account is signed in to from it again, here or for a link."""
        return self.browser.place_for(self.service)

    @property
    def home(self) -> str:
        """Return the path of the household page."""
        return f"/household/{self.service}"

    @property
    def path(self) -> str:
        """Return the path of the page for this purpose."""
        return self.home if self.purpose is Purpose.HOUSEHOLD else f"{self.home}/erase"

    def address(self, **query: str) -> str:
        """Return the address of the page for this purpose."""
        return self.path + (f"?{urlencode(query)}" if query else "")

    def takes_password(self, provider: str) -> bool:
        """Tell whether people sign in there with a name and a password on our page."""
        return provider in self.providers and self.providers[provider].takes_password

    def leaving(self, provider: str) -> str:
        """Return what the token in the way to a provider is made out to."""
        return f"{self.form} {provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A visit that is open, and whose it is."""

    visit: Visit
    account: Account
    now: int


def new_secret(random: Random) -> str:
    """Return the secret of a new visit: 192 unguessable bits."""
    return base64.urlsafe_b64encode(random.token_bytes(_SECRET_BYTES)).decode()


def guest_of(
    request: web.Request, purpose: Purpose, context: GatewayContext, *, service: str | None = None
) -> Guest:
    """Return who asks.

    Raises:
        HTTPNotFound: there is no such service, or nobody signs in for it on a page.
    """
    service = request.match_info["service"] if service is None else service
    settings = context.settings.services.get(service)
    if settings is None:
        raise web.HTTPNotFound
    providers = context.settings.providers_of(service)
    if not providers:
        raise web.HTTPNotFound
    secure = context.settings.secure
    secret = request.cookies.get(_cookie_name(purpose, service, secure=secure), "")
    return Guest(
        service=service,
        settings=settings,
        providers=providers,
        purpose=purpose,
        browser=browsers.recognise(request, context.random, secure=secure),
        secret=secret if _SECRET.fullmatch(secret) else "",
        network=network_of(
            peer=request.remote,
            forwarded_for=request.headers.getall("X-Forwarded-For", ()),
            trusted_proxies=context.settings.trusted_proxies,
        ),
        correlation_id=context.new_id(),
    )


def entered(view: VisitView | None) -> Entered | None:
    """Return the visit if it is open for an account that may be used."""
    if view is None or view.account is None or not visits.is_open(view.visit, now=view.now):
        return None
    if view.account.status is AccountStatus.DISABLED:
        return None
    return Entered(visit=view.visit, account=view.account, now=view.now)


def welcome(guest: Guest, secret: str, response: web.Response, *, secure: bool) -> web.Response:
    """Let the browser keep the secret of a visit until it is closed."""
    name = _cookie_name(guest.purpose, guest.service, secure=secure)
    response.set_cookie(name, secret, path="/", httponly=True, samesite="Lax", secure=secure)
    return response


def see_off(guest: Guest, response: web.Response, *, secure: bool) -> web.Response:
    """Let the browser forget all its visits to this service."""
    for purpose in Purpose:
        # With all its attributes: a browser ignores a `__Host-` cookie that lacks one, also one that ends it.
        name = _cookie_name(purpose, guest.service, secure=secure)
        response.del_cookie(name, path="/", httponly=True, samesite="Lax", secure=secure)
    return response


def _cookie_name(purpose: Purpose, service: str, *, secure: bool) -> str:
    return f"{'__Host-' if secure else ''}latchkey-{purpose}-{service}"
