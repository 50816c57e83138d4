"""What SMAPI's answers about accounts look like: which elements, in which order, how often, with what in them.

Our own description, from Sonos's documentation of each method; a reader that goes by the schema (suds in the Sonos self test,
zeep, CXF) needs all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.check.document import SMAPI, Element, local_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One element of a sequence."""

    name: str
    required: bool = True
    many: bool = False
    longest: int | None = None
    words: tuple[str, ...] = ()
    """What it may hold; empty: anything."""
    inside: "Sequence | None" = None


Sequence = tuple[Field, ...]

_FLAG = ("true", "false", "1", "0")


def _one(name: str, *, longest: int | None = None, words: tuple[str, ...] = ()) -> Field:
    return Field(name=name, longest=longest, words=words)


def _maybe(name: str, *, longest: int | None = None, words: tuple[str, ...] = ()) -> Field:
    return Field(name=name, required=False, longest=longest, words=words)


DEVICE_LINK: Sequence = (
    _one("regUrl"),
    _one("linkCode"),
    _one("showLinkCode", words=_FLAG),
    _maybe("linkDeviceId"),
)
_APP_LINK_INFO: Sequence = (
    _maybe("appUrl", longest=2048),
    _one("appUrlStringId"),
    Field(name="deviceLink", required=False, inside=DEVICE_LINK),
    _maybe("failureStringId"),
    _maybe("failureUrl", longest=2048),
    _maybe("failureUrlStringId"),
)
_CALL_TO_ACTION: Sequence = (_one("messageStringId"), _maybe("url", longest=2048), _maybe("urlStringId"))
APP_LINK: Sequence = (
    Field(name="authorizeAccount", inside=_APP_LINK_INFO),
    Field(name="createAccount", required=False, inside=_APP_LINK_INFO),
    Field(name="installAction", required=False, inside=_CALL_TO_ACTION),
)
USER_INFO: Sequence = (
    _one("userIdHashCode"),
    _maybe("accountTier", words=("paidPremium", "paidLimited", "free", "none")),
    _maybe("accountStatus", words=("active", "restricted", "expired")),
    _maybe("nickname", longest=32),
)
TOKEN_PAIR: Sequence = (
    _one("authToken", longest=2048),
    _one("privateKey", longest=2048),
    Field(name="userInfo", required=False, inside=USER_INFO),
)
LAST_UPDATE: Sequence = (
    _one("catalog"),
    _one("favorites"),
    _maybe("pollInterval"),
    _maybe("autoRefreshEnabled", words=_FLAG),
)

RESULTS: dict[str, Sequence] = {
    "getAppLink": APP_LINK,
    "getDeviceLinkCode": DEVICE_LINK,
    "getDeviceAuthToken": TOKEN_PAIR,
    "refreshAuthToken": TOKEN_PAIR,
    "getUserInfo": USER_INFO,
    "getLastUpdate": LAST_UPDATE,
}
"""Method -> what its result holds."""


def problems_of(content: Element, method: str) -> list[str]:
    """Return every way in which the Body's element is not a proper answer to *method*."""
    if content.tag != f"{{{SMAPI}}}{method}Response":
        return [f"the Body holds {_shown(content)} instead of {method}Response in SMAPI's namespace"]
    if len(content) != 1 or content[0].tag != f"{{{SMAPI}}}{method}Result":
        return [f"{method}Response does not hold one {method}Result in SMAPI's namespace"]
    result = content[0]
    if method == "getAppLink" and [local_name(each) for each in result] == ["callToAction"]:
        return list(_problems(result[0], _CALL_TO_ACTION, "callToAction"))
    return list(_problems(result, RESULTS[method], result.tag.rpartition("}")[2]))


def pair_problems(result: Element) -> list[str]:
    """Return every way in which an element is not a token pair."""
    return list(_problems(result, TOKEN_PAIR, local_name(result)))


def _problems(element: Element, sequence: Sequence, where: str) -> Iterator[str]:
    names = [local_name(child) for child in element]
    known = [field.name for field in sequence]
    yield from (f"{where}: {name} is missing" for name in _missing(sequence, names))
    yield from (f"{where}: {name} is not known to the schema" for name in names if name not in known)
    if len(set(names)) != len(names):
        yield f"{where}: an element stands there twice"
    places = [known.index(name) for name in names if name in known]
    if places != sorted(places):
        yield f"{where}: {', '.join(names)} instead of the order {', '.join(n for n in known if n in names)}"
    for child in element:
        if not str(child.tag).startswith(f"{{{SMAPI}}}"):
            yield f"{where}: {local_name(child)} is not in SMAPI's namespace"
        for field in sequence:
            if field.name == local_name(child):
                yield from _in_field(child, field, f"{where}/{field.name}")


def _missing(sequence: Sequence, names: list[str]) -> list[str]:
    return [field.name for field in sequence if field.required and field.name not in names]


def _in_field(element: Element, field: Field, where: str) -> Iterator[str]:
    if field.inside is not None:
        yield from _problems(element, field.inside, where)
        return
    text = (element.text or "").strip()
    if len(element):
        yield f"{where}: holds elements"
    if field.words and text not in field.words:
        yield f"{where}: {text[:40]!r} is none of {', '.join(field.words)}"
    if field.longest is not None and len(text) > field.longest:
        yield f"{where}: has {len(text)} characters, {field.longest} are allowed"


def _shown(element: Element) -> str:
    namespace, _, name = str(element.tag).rpartition("}")
    return f"<{name}> in {namespace[1:] or 'no namespace'}"
