"""What the API takes and gives, and the OpenAPI description that is made from it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from shared.domain.account import VOUCHED
from shared.domain.link import LinkState

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


class LinkShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """What to show a person before they allow or decline a link."""

    service: Annotated[str, Meta(description="The title of the music service.")]
    state: Annotated[LinkState, Meta(description="Only `requested` can still be decided here.")]
    system: Annotated[
        str, Meta(description="The end of the Sonos system's name, to compare in the Sonos app.")
    ]
    device: Annotated[str, Meta(description="What asked, in words, as it told itself.")]
    age: Annotated[int, Meta(ge=0, description="Seconds since it asked.")]
    expires_in: Annotated[int, Meta(ge=0, description="Seconds.")]


class ApproveOrder(
    Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Empty with a person's access token. With a key of the back end: who has agreed."""

    subject: Subject | None = None
    nickname: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class Decided(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a link."""

    state: LinkState
    url: Annotated[str, Meta(description="Open it: it leads back to the Sonos app.")] | None = None


class Problem(Struct, frozen=True, kw_only=True):
    """Why there is no result (RFC 9457)."""

    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    type: str = "about:blank"


_SCHEMA = "#/components/schemas/{name}"
_UNAVAILABLE = {
    "503": "Not answered in time, or the broker or the database is away; `Retry-After` says when to ask again.",
}
_KEY_PROBLEMS = {
    "400": "The body is not what this document says.",
    "401": "No key, or none that the settings know.",
    "403": "The key is not for this service.",
    "413": "The body is too large.",
    **_UNAVAILABLE,
}
_LINK_PROBLEMS = {"404": "No such link, or its time is over.", **_UNAVAILABLE}
_DECISION_PROBLEMS = {
    **_LINK_PROBLEMS,
    "409": "Another account or a browser has this link.",
    "410": "The link is over.",
}
_APPROVAL_PROBLEMS = {
    **_DECISION_PROBLEMS,
    "400": "The body is not what this document says.",
    "401": "No access token or key, or one that does not hold.",
    "403": "The key is not for this service, or the account may not be used.",
    "413": "The body is too large.",
}


def document(public_url: str, *, back_end: bool) -> bytes:
    """Return the OpenAPI 3.1 description, as JSON.

    Args:
        back_end: whether there are keys, and so the operations that need one.
    """
    kinds = (LinkOrder, NewLink, HashOrder, UserHash) if back_end else ()
    _, schemas = msgspec.json.schema_components(
        [*kinds, LinkShown, ApproveOrder, Decided, Problem], ref_template=_SCHEMA
    )
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Latchkey: for the service's own back end and app", "version": "1"},
            "servers": [{"url": public_url}],
            "paths": (_back_end_paths() if back_end else {}) | _link_paths(),
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "key": {"type": "http", "scheme": "bearer", "description": "A key of the back end."},
                    "token": {"type": "http", "scheme": "bearer", "description": "A person's access token."},
                },
            },
        }
    )


def _back_end_paths() -> dict[str, Any]:
    link = _operation(
        "Issue a link code outside getAppLink",
        ("201", NewLink),
        _KEY_PROBLEMS | {"409": "The account is disabled."},
        order=LinkOrder,
        security=("key",),
    )
    user = _operation(
        "Get an account's userIdHashCode",
        ("200", UserHash),
        _KEY_PROBLEMS | {"404": "No such account."},
        order=HashOrder,
        security=("key",),
    )
    return {"/api/links": {"post": link}, "/api/users/hash": {"post": user}}


def _link_paths() -> dict[str, Any]:
    code = {"name": "linkCode", "in": "path", "required": True, "schema": {"type": "string"}}
    show = _operation("Tell what to show before asking the person", ("200", LinkShown), _LINK_PROBLEMS)
    approve = _operation(
        "Allow the link",
        ("200", Decided),
        _APPROVAL_PROBLEMS,
        order=ApproveOrder,
        needs_order=False,
        security=("token", "key"),
    )
    decline = _operation("Decline the link", ("200", Decided), _DECISION_PROBLEMS)
    return {
        "/api/links/{linkCode}": {"parameters": [code], "get": show},
        "/api/links/{linkCode}/approve": {"parameters": [code], "post": approve},
        "/api/links/{linkCode}/decline": {"parameters": [code], "post": decline},
    }


def _operation(
    summary: str,
    success: tuple[str, type[Struct]],
    problems: dict[str, str],
    *,
    order: type[Struct] | None = None,
    needs_order: bool = True,
    security: tuple[str, ...] = (),
) -> dict[str, Any]:
    status, result = success
    answers = {status: {"description": summary, "content": _content("application/json", result)}}
    for code, description in sorted(problems.items()):
        answers[code] = {
            "description": description,
            "content": _content("application/problem+json", Problem),
        }
    operation = {"summary": summary, "responses": answers, "security": [{name: []} for name in security]}
    if order is not None:
        operation["requestBody"] = {"required": needs_order, "content": _content("application/json", order)}
    return operation


def _content(media_type: str, kind: type[Struct]) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": _SCHEMA.format(name=kind.__name__)}}}
