"""What goes along with a browser to an identity provider and back, so that nothing has to be kept here meanwhile.

`state` is a box that only gateways open, and only for the browser that was sent and the provider it was sent to. What the
provider must not learn before the end (the PKCE verifier) and what it has to sign (the nonce) follow from the browser's
secret: another browser that gets hold of a code has another verifier and another nonce.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError

from gateway.pages.browser import Browser
from shared.context import Random
from shared.domain.visit import Purpose

STATE_SECONDS = 900
"""How long a person may take at the provider. The link's own time ends earlier in most settings."""
LONGEST_STATE = 1024

_NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a browser brings back: either a link code, or all of service, purpose and visit."""

    code: str = ""
    """The link code."""
    service: str = ""
    """Whose household page it left."""
    purpose: Purpose | None = None
    """What for; None for a link."""
    visit: str = ""
    """The secret of the visit that is to be opened: the same one if the browser comes back twice."""
    submission_id: str
    expires_at: int

    def __repr__(self) -> str:
        return "State(***)"


def seal_state(state: State, *, key: bytes, browser: Browser, provider: str, random: Random) -> str:
    """Return the `state` parameter for a browser that is sent to a provider."""
    nonce = random.token_bytes(_NONCE_BYTES)
    box = crypto_aead_xchacha20poly1305_ietf_encrypt(
        msgspec.json.encode(state), _bound_to(browser, provider), nonce, _derived(key)
    )
    return base64.urlsafe_b64encode(nonce + box).rstrip(b"=").decode()


def open_state(
    value: str, *, keys: Sequence[bytes], browser: Browser, provider: str, now: int
) -> State | None:
    """Return what was sealed for this browser and this provider, if its time is not over."""
    try:
        box = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(value) > LONGEST_STATE or browser.is_new:
        return None
    for key in keys:
        try:
            content = crypto_aead_xchacha20poly1305_ietf_decrypt(
                box[_NONCE_BYTES:], _bound_to(browser, provider), box[:_NONCE_BYTES], _derived(key)
            )
        except (CryptoError, ValueError):
            continue
        state = msgspec.json.decode(content, type=State)
        return state if now < state.expires_at else None
    return None


def verifier_of(browser: Browser, submission_id: str) -> str:
    """Return the PKCE verifier of one attempt: 43 characters (RFC 7636 4.1)."""
    return _from_secret(browser, "verifier", submission_id)


def challenge_of(verifier: str) -> str:
    """Return what a provider is told of a verifier beforehand (S256)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def nonce_of(browser: Browser, submission_id: str) -> str:
    """Return what the provider has to sign for one attempt."""
    return _from_secret(browser, "nonce", submission_id)


def _from_secret(browser: Browser, purpose: str, submission_id: str) -> str:
    return _base64url(hmac.digest(browser.secret.encode(), f"{purpose}\0{submission_id}".encode(), "sha256"))


def _bound_to(browser: Browser, provider: str) -> bytes:
    return f"state\0{browser.secret}\0{provider}".encode()


def _derived(key: bytes) -> bytes:
    return hmac.digest(key, b"state of a round trip", "sha256")


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
