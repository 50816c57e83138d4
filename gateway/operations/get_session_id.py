"""getSessionId: a name and a password for a session id, for services that Sonos knows as "Session ID"."""

from gateway.context import GatewayContext
from gateway.operations import sessions
from gateway.operations.request import Request
from gateway.smapi.results import SessionIdResult
from shared.boxes import LoginEvidence
from shared.domain.errors import SignInRefused


async def get_session_id(request: Request, context: GatewayContext) -> SessionIdResult:
    """Answer with a session id of its own for each call. Source: docs.sonos.com, "getSessionId".

    Raises:
        SignInRefused: name and password do not belong together.
        AccountDisabled, AccountUnsupported: they do, and are of no use.
        TryAgainLater: could not be judged in time.
    """
    name, password = request.argument("username"), request.argument("password")
    if not name or not password:
        raise SignInRefused
    session_id = await sessions.open_session(LoginEvidence(name=name, password=password), request, context)
    return SessionIdResult(session_id=session_id)
