"""Which web pages may call the API from a browser (CORS). Nothing here goes by cookies, so none are ever allowed to come along."""

from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REMEMBERED_SECONDS = 600


def readable(handle: Handler, origins: frozenset[str]) -> Handler:
    """Return a handler whose answers the pages of *origins* may read; without any, the handler as it is."""
    if not origins:
        return handle

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await handle(request)
        response.headers.update(_allowance(request, origins))
        return response

    return answer


def preflight(method: str, origins: frozenset[str]) -> Handler:
    """Return what answers a browser that asks whether it may send *method* with a bearer and a JSON body."""

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = _allowance(request, origins)
        if "Access-Control-Allow-Origin" in headers:
            headers |= {
                "Access-Control-Allow-Methods": method,
                "Access-Control-Allow-Headers": "Authorization, Content-Type",
                "Access-Control-Max-Age": str(REMEMBERED_SECONDS),
            }
        return web.Response(status=204, headers=headers)

    return answer


def _allowance(request: web.Request, origins: frozenset[str]) -> dict[str, str]:
    origin = request.headers.get("Origin", "")
    # Caches have to know that the answer depends on who asks, also where it was no.
    headers = {"Vary": "Origin"}
    if origin in origins:
        headers |= {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After"}
    return headers
