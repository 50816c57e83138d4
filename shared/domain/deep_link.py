"""Deep links into the service's own app: templates with placeholders, filled in for one link.

Sources: docs.sonos.com, "getAppLink", "Add app authentication", "Add create account"; RFC 3986 for what may stand in a URI.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import parse_qsl, quote, urlsplit

LONGEST = 2048
"""Characters of an appUrl (Sonos WSDL 1.19.6, sonosUri)."""
PLACEHOLDERS = ("linkCode", "householdId", "callbackPath", "state", "redirectUri")
"""What a template may ask for, each in braces."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")
# Printable ASCII that may stand in a URI as it is; braces belong to the placeholders alone.
_LITERAL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.+")
_WEB = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_NEVER = ("javascript:", "data:", "vbscript:", "file:", "about:", "blob:")

_BEFORE_PATHS = "sonos://x-callback-url"
"""Older Sonos apps send a path alone; this is where it leads (Sonos documentation, "Add create account")."""


class Platform(StrEnum):
    """What runs the Sonos app that asks."""

    IOS = "ios"
    ANDROID = "android"
    OTHER = "other"
    """A desktop, or a device that did not say what it is."""


_SIGNS = (
    ("icru_", Platform.IOS),
    ("iphone", Platform.IOS),
    ("ipad", Platform.IOS),
    ("ipod", Platform.IOS),
    ("acr_", Platform.ANDROID),
    ("android", Platform.ANDROID),
    ("google:", Platform.ANDROID),
    ("samsung:", Platform.ANDROID),
)
"""Live values: `iPhone17,5` with `ICRU_iPhone17,5`; `Google:sunfish:Pixel 4a` with `ACR_:Google:sunfish:Pixel 4a`."""


def platform_of(*, hardware: str, app_name: str) -> Platform:
    """Return what kind of device asks, by `hardware` and `sonosAppName` of its getAppLink; told, and never trusted."""
    told = f"{app_name} {hardware}".lower()
    return next((platform for sign, platform in _SIGNS if sign in told), Platform.OTHER)


def values(*, link_code: str, household_id: str, callback_path: str) -> dict[str, str]:
    """Return what the placeholders stand for, not encoded yet."""
    redirect_uri, state = _taken_apart(callback_path)
    return {
        "linkCode": link_code,
        "householdId": household_id,
        "callbackPath": callback_path,
        "state": state,
        "redirectUri": redirect_uri,
    }


def filled(template: str, of: Mapping[str, str]) -> str | None:
    """Return the deep link, each value percent-encoded as a whole; None if it is longer than Sonos takes."""
    link = _PLACEHOLDER.sub(lambda match: quote(of[match.group(1)], safe=""), template)
    return link if len(link) <= LONGEST else None


def problem_of(template: str, *, needs_code: bool) -> str | None:
    """Return what is wrong with a template and the way out, or None.

    Args:
        needs_code: whether what the link opens can do nothing without the link code.
    """
    names = _PLACEHOLDER.findall(template)
    unknown = sorted(set(names) - set(PLACEHOLDERS))
    web = _WEB.match(template)
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"there is no {{{unknown[0]}}}; there is {known}"
    if not _LITERAL.fullmatch(_PLACEHOLDER.sub("", template)):
        return "holds a brace that belongs to no placeholder, or a character that has to be percent-encoded"
    if not _SCHEME.fullmatch(template) or template.lower().startswith(_NEVER):
        return "is no address of an app; write it like https://app.example.com/sonos?code={linkCode}"
    if web is not None and ("{" in web.group() or web.group().endswith("//")):
        return "has no host, or a placeholder in it; put placeholders into path and query"
    if needs_code and "linkCode" not in names:
        return "lacks {linkCode}, without which the app could approve nothing"
    return None


def _taken_apart(callback_path: str) -> tuple[str, str]:
    """Return where a callbackPath leads, and the `state` that it wants to be given there.

    Its query is undone once: whoever puts the state into another address encodes it again.
    """
    address = _BEFORE_PATHS + callback_path if callback_path.startswith("/") else callback_path
    try:
        parts = urlsplit(address)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return "", ""
    where = parts._replace(query="", fragment="").geturl()
    return where, next((value for name, value in query if name == "state"), "")
