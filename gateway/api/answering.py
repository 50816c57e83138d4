"""What all operations of the API have in common: bodies in, results or problems (RFC 9457) out."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from gateway import bodies
from gateway.api.document import Problem
from shared.bus.base import BusUnavailable
from shared.storage.base import StoreUnavailable

RETRY_AFTER = 5

OrderT = TypeVar("OrderT", bound=msgspec.Struct)
Handler = Callable[[web.Request], Awaitable[msgspec.Struct]]


class Refused(Exception):
    """The request is answered with a problem; *detail* says the way out."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


async def body_of(request: web.Request, kind: type[OrderT], *, optional: bool = False) -> OrderT:
    """Return what a request carries.

    Args:
        optional: whether no body at all is as good as an empty object.

    Raises:
        Refused: something else.
    """
    body = await bodies.body_of(request)
    try:
        return msgspec.json.decode(b"{}" if optional and not body else body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(400, f"The body is not as /api/openapi.json says: {error}") from None


def answering(handle: Handler, status: int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler that turns a result into JSON, and whatever keeps it from one into a problem."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            result = await handle(request)
        except Refused as refused:
            return problem(refused.status, refused.detail)
        except (BusUnavailable, StoreUnavailable):
            return problem(503, "Something on our side is not answering. Nothing is lost: ask again.")
        except TimeoutError:
            return problem(408, "The request took too long.")
        except web.HTTPException as error:
            return problem(error.status, error.reason)
        return web.Response(
            status=status,
            body=msgspec.json.encode(result),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    return answer


def problem(status: int, detail: str) -> web.Response:
    """Return a problem document."""
    title = web.Response(status=status).reason
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    return web.Response(
        status=status,
        body=msgspec.json.encode(Problem(title=title, status=status, detail=detail)),
        content_type="application/problem+json",
        headers=headers,
    )
