"""getMetadata: a root that says that this system is linked, and to whom, so that a new service opens in the app."""

from gateway.context import GatewayContext
from gateway.operations import tokens
from gateway.operations.request import Request
from gateway.smapi.faults import ItemNotFound
from gateway.smapi.results import MediaCollection, MediaList


async def get_metadata(request: Request, context: GatewayContext) -> MediaList:
    """Answer the root container with one item, and refuse every other id: there is no catalogue here."""
    caller = await tokens.guard(request, context)
    if request.argument("id") != "root":
        raise ItemNotFound
    title = f"Linked to {request.settings.title}"
    item = MediaCollection(id="linked", title=f"{title} as {caller.nickname}" if caller.nickname else title)
    wanted = _number(request.argument("count"), otherwise=1) > 0 and _number(request.argument("index")) == 0
    return MediaList(index=0, total=1, items=(item,) if wanted else ())


def _number(text: str, *, otherwise: int = 0) -> int:
    return int(text) if text.isascii() and text.isdecimal() else otherwise
