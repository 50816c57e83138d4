"""The browser on the other side: one random cookie, and what is derived from it.

The cookie holds a secret and nothing else. Stored with a link is only a hash of it, and the token in each form is a MAC of
it, so that no session has to be kept anywhere.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from shared.context import Random

_SHAPE = re.compile(r"[A-Za-z0-9_-]{32}")
_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser, known by the secret in its cookie."""

    secret: str
    is_new: bool

    def id_for(self, link_id: str) -> str:
        """Return the hash under which a link remembers this browser; another one for each link."""
        return hmac.digest(self.secret.encode(), f"browser\0{link_id}".encode(), "sha256").hex()[:32]

    def place_for(self, service: str) -> str:
        """Return what stands for this browser among the places in which accounts of a service were signed in to."""
        return self.id_for(f"sign in {service}")

    def form_token(self, key: bytes, link_id: str) -> str:
        """Return what a form of this browser for this link has to carry (CSRF)."""
        return hmac.digest(key, f"form\0{self.secret}\0{link_id}".encode(), "sha256").hex()

    def accepts(self, form_token: str, keys: Sequence[bytes], link_id: str) -> bool:
        """Tell whether a form was served to this browser, for this link."""
        accepted = False
        for key in keys:
            expected = self.form_token(key, link_id)
            accepted |= hmac.compare_digest(expected.encode(), form_token.encode())
        return accepted and not self.is_new

    def __repr__(self) -> str:
        return f"Browser(is_new={self.is_new})"


def recognise(request: web.Request, random: Random, *, secure: bool) -> Browser:
    """Return the browser a request comes from; one without our cookie gets a new secret."""
    secret = request.cookies.get(cookie_name(secure=secure), "")
    if _SHAPE.fullmatch(secret):
        return Browser(secret=secret, is_new=False)
    fresh = base64.urlsafe_b64encode(random.token_bytes(_BYTES)).decode()
    return Browser(secret=fresh, is_new=True)


def remember(
    response: web.StreamResponse, browser: Browser, *, secure: bool, seconds: int | None = None
) -> None:
    """Set the cookie in a browser that did not have it; it ends with the browser's session.

    With *seconds* it is set anew and lasts for so long: somebody has signed in here, who shall not have to wait one day because
    others guess (docs/limits.md).
    """
    if browser.is_new or seconds:
        response.set_cookie(
            cookie_name(secure=secure),
            browser.secret,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=secure,
        )


def cookie_name(*, secure: bool) -> str:
    """Return the cookie's name; the `__Host-` prefix binds it to this host, but exists on https only."""
    return "__Host-latchkey" if secure else "latchkey"
