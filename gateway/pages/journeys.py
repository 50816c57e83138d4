"""A browser's way to an identity provider and back, whatever it goes there for."""

import re

from aiohttp import web

from gateway.context import GatewayContext
from gateway.pages import browser as browsers
from gateway.pages.browser import Browser
from gateway.pages.destinations import Destination
from gateway.pages.round_trip import State, challenge_of, nonce_of, open_state, seal_state, verifier_of
from shared.boxes import CodeEvidence

LONGEST_CODE = 4096
_ERROR = re.compile(r"[a-z_]{1,64}")


class Refused(Exception):
    """A browser came back with something that cannot be used; the message is for the log."""


def way_to(
    destination: Destination,
    state: State,
    *,
    provider: str,
    browser: Browser,
    context: GatewayContext,
    anew: bool = False,
) -> str:
    """Return the address that a browser is sent to.

    Args:
        destination: where the provider is.
        state: what the browser is to bring back.
        provider: its name.
        browser: the browser.
        context: the gateway's.
        anew: as in `Destination.address`.
    """
    openid = {"nonce": nonce_of(browser, state.submission_id)} if destination.is_openid else {}
    return destination.address(
        anew=anew,
        redirect_uri=context.settings.redirect_uri(provider),
        state=seal_state(
            state,
            key=context.cookie_keys[0],
            browser=browser,
            provider=provider,
            random=context.random,
        ),
        code_challenge=challenge_of(verifier_of(browser, state.submission_id)),
        code_challenge_method="S256",
        **openid,
    )


def state_of(request: web.Request, provider: str, context: GatewayContext) -> State:
    """Return what a browser was sent away with.

    Raises:
        Refused: nothing of this browser and this provider.
    """
    state = open_state(
        _only(request, "state") or "",
        keys=context.cookie_keys,
        browser=browsers.recognise(request, context.random, secure=context.settings.secure),
        provider=provider,
        now=context.clock.now(),
    )
    if state is None:
        raise Refused("the state is not of this browser and this provider, or too old")
    return state


def evidence_of(
    state: State, code: str, *, provider: str, browser: Browser, context: GatewayContext
) -> CodeEvidence:
    """Return what auth_worker needs to turn a code into a person."""
    return CodeEvidence(
        code=code,
        verifier=verifier_of(browser, state.submission_id),
        nonce=nonce_of(browser, state.submission_id),
        redirect_uri=context.settings.redirect_uri(provider),
    )


def word_for(error: str) -> str:
    """Return our word for what a provider says went wrong; see `present.way_problem`."""
    return "denied" if error == "access_denied" else "wrong"


def answer_of(request: web.Request, destination: Destination) -> dict[str, str]:
    """Return what the provider says: a `code`, or an `error`.

    Raises:
        Refused: it was another provider, or nothing that can be read.
    """
    # Before anything else, for errors too: another provider's answer says nothing here.
    if not destination.is_from(_only(request, "iss")):
        raise Refused("the answer is from another provider, or does not say from which (iss)")
    error, code = _only(request, "error"), _only(request, "code")
    if error is not None:
        return {"error": error if _ERROR.fullmatch(error) else "unreadable"}
    if not code or len(code) > LONGEST_CODE:
        raise Refused("there is no code in the answer")
    return {"code": code}


def _only(request: web.Request, name: str) -> str | None:
    """Return a parameter that may come once: of two, the provider and we could each mean another.

    Raises:
        Refused: it came twice.
    """
    values = request.query.getall(name, ())
    if len(values) > 1:
        raise Refused(f"{name} came twice")
    return values[0] if values else None
