"""What is in an answer: a link, a pair, the claims of a token."""

import base64
import binascii
import json
from collections.abc import Mapping

from deploy.check.client import Answer, Pair
from deploy.check.signin import Link


class Skipped(Exception):
    """A check cannot say anything; the message says why, and what would let it."""


def link_in(answer: Answer) -> Link:
    """Return the link in an answer.

    Raises:
        Skipped: there is none; other checks say so.
    """
    code = answer.text("deviceLink", "linkCode") or answer.text("linkCode")
    url = answer.text("deviceLink", "regUrl") or answer.text("regUrl")
    if code is None or url is None:
        raise Skipped(f"{answer.method} gives no link to a page: {answer.shown}")
    return Link(
        reg_url=url,
        code=code,
        device_id=answer.text("linkDeviceId"),
        is_shown=answer.text("showLinkCode") in {"true", "1"},
    )


def pair_in(answer: Answer) -> Pair | None:
    """Return the pair in a result or in a TokenRefreshRequired fault."""
    token = answer.text("authToken")
    return None if token is None else Pair(token=token, key=answer.text("privateKey"))


def claims_in(token: str) -> Mapping[str, object] | None:
    """Return what a token says that is a JWT, unchecked; None for any other."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(decoded(parts[1]))
    except (ValueError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def decoded(text: str) -> bytes:
    """Return what Base64 of either alphabet stands for, padded or not.

    Raises:
        binascii.Error: it is none.
    """
    plain = text.replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
