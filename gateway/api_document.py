"""What the back end's API takes and gives, and the OpenAPI description that is made from it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from shared.domain.account import VOUCHED

ServiceName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="A service of the settings.")
]
Subject = Annotated[
    str, Meta(min_length=1, max_length=255, description="The service's own, lasting name for the person.")
]


class LinkOrder(
    Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Asks for a link code. With `subject`, the back end vouches that the person is signed in and has agreed."""

    household_id: Annotated[str, Meta(min_length=1, max_length=255, description="As Sonos names it.")]
    service: ServiceName = "default"
    callback_path: Annotated[str, Meta(max_length=2048)] = ""
    subject: Subject | None = None
    nickname: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class NewLink(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A link code for Sonos's `match` or `getDeviceAuthToken`."""

    link_code: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{31}$")]
    link_device_id: Annotated[str, Meta(min_length=1, max_length=255)]
    expires_in: Annotated[int, Meta(gt=0, description="Seconds.")]
    linked: Annotated[
        bool, Meta(description="The token is there already; otherwise Sonos has to ask until it is.")
    ] = False
    reg_url: Annotated[str, Meta(description="Where the person signs in; not with `subject`.")] | None = None

    def __repr__(self) -> str:
        return "NewLink(***)"


class HashOrder(
    Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Asks for the `userIdHashCode` of an account; one of the provider `api` is made if it does not exist."""

    subject: Subject
    service: ServiceName = "default"
    provider: Annotated[str, Meta(min_length=1, max_length=64)] = VOUCHED


class UserHash(Struct, frozen=True, kw_only=True, rename="camel"):
    """The hash that Sonos has for the same account, from linking and from getUserInfo."""

    user_id_hash_code: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]


class Problem(Struct, frozen=True, kw_only=True):
    """Why there is no result (RFC 9457)."""

    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    type: str = "about:blank"


_SCHEMA = "#/components/schemas/{name}"
_PROBLEMS = {
    "400": "The body is not what this document says.",
    "401": "No key, or none that the settings know.",
    "403": "The key is not for this service.",
    "413": "The body is too large.",
    "503": "The broker or the database does not answer; `Retry-After` says when to ask again.",
}


def document(public_url: str) -> bytes:
    """Return the OpenAPI 3.1 description, as JSON."""
    _, schemas = msgspec.json.schema_components(
        [LinkOrder, NewLink, HashOrder, UserHash, Problem], ref_template=_SCHEMA
    )
    link = _operation(
        "Issue a link code outside getAppLink",
        LinkOrder,
        ("201", NewLink),
        {"409": "The account is disabled."},
    )
    user = _operation(
        "Get an account's userIdHashCode", HashOrder, ("200", UserHash), {"404": "No such account."}
    )
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Latchkey: for the service's own back end", "version": "1"},
            "servers": [{"url": public_url}],
            "security": [{"key": []}],
            "paths": {"/api/links": {"post": link}, "/api/users/hash": {"post": user}},
            "components": {
                "schemas": schemas,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(
    summary: str, order: type[Struct], success: tuple[str, type[Struct]], problems: dict[str, str]
) -> dict[str, Any]:
    status, result = success
    answers = {status: {"description": summary, "content": _content("application/json", result)}}
    for code, description in sorted((_PROBLEMS | problems).items()):
        answers[code] = {
            "description": description,
            "content": _content("application/problem+json", Problem),
        }
    body = {"required": True, "content": _content("application/json", order)}
    return {"summary": summary, "requestBody": body, "responses": answers}


def _content(media_type: str, kind: type[Struct]) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": _SCHEMA.format(name=kind.__name__)}}}
