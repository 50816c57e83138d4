"""What comes in requests, read in one way wherever it is sent to: all of it in bounded time, forms as urlencoded UTF-8 with every field once.

aiohttp itself waits for a body for ever, takes files, and believes any charset that a request names.
"""

import asyncio
from collections.abc import Mapping

from aiohttp import web

from shared.boxes import LoginEvidence

FORM = "application/x-www-form-urlencoded"
BODY_SECONDS = 10
"""How long a body may take to come, all of it."""
LONGEST_TYPED = 1025
"""Characters of a name and of a password that are looked at: one more than any password has, so that one that is too long stays too long."""


class BadForm(Exception):
    """No form, or one that can be read in two ways; which of them is nobody's business."""


async def body_of(request: web.Request) -> bytes:
    """Return what a request carries.

    Raises:
        TimeoutError: it took too long.
    """
    async with asyncio.timeout(BODY_SECONDS):
        return await request.read()


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        BadForm: something else, another charset than UTF-8, a field that comes twice, or a NUL, which PostgreSQL keeps in no text.
        TimeoutError: it took too long.
    """
    if request.content_type != FORM or (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise BadForm
    await body_of(request)
    try:
        fields = await request.post()
    except ValueError:
        raise BadForm from None  # bytes that are no UTF-8; in an error that is passed on they would be logged
    found = {name: value for name, value in fields.items() if isinstance(value, str)}
    if len(found) != len(fields) or any("\0" in value for value in found.values()):
        raise BadForm
    return found


def login_of(fields: Mapping[str, str]) -> LoginEvidence:
    """Return what was typed as name and password; nothing where there is no such field."""
    return LoginEvidence(
        name=fields.get("name", "")[:LONGEST_TYPED], password=fields.get("password", "")[:LONGEST_TYPED]
    )
