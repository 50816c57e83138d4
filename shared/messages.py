"""Every event on the bus, and the one table of who receives it.

Events name rows by id and carry secrets only sealed; what is inside such a box stands at the end of this module. `kind` is the routing key; `version` grows when a reader of the old form
would misread the new one (added optional fields are not such a change: unknown fields are ignored).
"""

from enum import StrEnum
from typing import ClassVar

import msgspec

from shared.domain.account import AccountTier
from shared.domain.link import LinkState
from shared.domain.revocation import Scope


class RefreshOutcome(StrEnum):
    """How a refresh was judged."""

    DELIVERED = "delivered"
    """The pair is written; read it under `refresh_delivery_id`."""
    REAUTHORIZE = "reauthorize"
    """The household has to link again."""
    REFUSED = "refused"
    """The key that came with the token is wrong, or none came where one is required."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened, or that was asked for."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1

    service: str
    """The Sonos service it belongs to."""
    gateway: str = ""
    """The gateway that waits for the result; empty when nobody does."""
    correlation_id: str = ""
    """Given by the gateway to the request that started it; the same in every log line that follows."""


class LinkRequested(Event, frozen=True, kw_only=True):
    """Sonos was given a link code."""

    kind = "link.requested"

    link_id: str
    lifetime: int
    """Seconds; auth_worker adds them to the database's clock."""
    household_id: str
    hardware: str = ""
    os_version: str = ""
    app_name: str = ""
    callback_path: str = ""


class LinkLoginSubmitted(Event, frozen=True, kw_only=True):
    """A person offered evidence of who they are."""

    kind = "link.login_submitted"

    link_id: str
    submission_id: str
    """Names this attempt, so that a redelivery is not counted as another one."""
    browser: str
    """Hash of the secret in the browser's cookie."""
    provider: str
    evidence: bytes
    """Sealed for auth_worker and bound to the link."""


class LinkDeclineRequested(Event, frozen=True, kw_only=True):
    """A person said no."""

    kind = "link.decline_requested"

    link_id: str
    browser: str


class LinkApproved(Event, frozen=True, kw_only=True):
    """The person who signed in allowed the link."""

    kind = "link.approved"

    link_id: str
    browser: str


class TokenRefreshRequested(Event, frozen=True, kw_only=True):
    """A genuine token came back for its successor."""

    kind = "token.refresh_requested"

    request_id: str
    """Comes back with the result: presenters of one generation may bring different keys."""
    grant_id: str
    family: int
    generation: int
    expires_at: int
    key_hash: str | None = None
    """SHA-256 of the privateKey, in hex, if one was sent with the token."""


class TokenSeen(Event, frozen=True, kw_only=True):
    """A generation was seen in use for the first time by this gateway."""

    kind = "token.seen"

    grant_id: str
    family: int
    generation: int


class TokenRevokeRequested(Event, frozen=True, kw_only=True):
    """Somebody who may do so asked for an end of grants; also one page of many, going on after the last."""

    kind = "token.revoke_requested"

    scope: Scope
    value: str = ""
    """See `Selection`."""
    reason: str
    """Who asked, for the audit: `operator`, `account disabled`, `api client NAME`."""
    family: int | None = None
    started_by: int | None = None
    """See `Limits`."""
    after: str = ""
    """Id of the last grant that is done; they are taken in the order of their ids."""


class LinkChanged(Event, frozen=True, kw_only=True):
    """A link moved, or an attempt to move it was judged; read the row to see how."""

    kind = "link.changed"

    link_id: str
    state: LinkState


class TokenRefreshed(Event, frozen=True, kw_only=True):
    """A refresh was judged."""

    kind = "token.refreshed"

    request_id: str
    outcome: RefreshOutcome


class FamilyEnded(Event, frozen=True, kw_only=True):
    """No token of this family, or of an earlier one, may be used any more."""

    kind = "token.family_ended"

    grant_id: str
    family: int


class LoginEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a person typed; sealed for auth_worker, bound to `evidence_identity`."""

    name: str
    password: str

    def __repr__(self) -> str:
        return "LoginEvidence(***)"


class Pair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Sonos gets in the end; sealed for the gateways, bound to the delivery's id."""

    auth_token: str
    private_key: str
    user_id_hash_code: str
    nickname: str
    tier: AccountTier | None = None

    def __repr__(self) -> str:
        return "Pair(***)"


def evidence_identity(link_id: str, submission_id: str) -> str:
    """Return what sealed evidence is bound to."""
    return f"evidence {link_id} {submission_id}"


def refresh_delivery_id(grant_id: str, family: int, generation: int) -> str:
    """Return the id of the delivery that answers whoever presents this generation."""
    return f"{grant_id}.{family}.{generation}"


WORK: dict[str, tuple[type[Event], ...]] = {
    "auth.link": (LinkRequested, LinkDeclineRequested),
    "auth.login": (LinkLoginSubmitted,),
    "token.mint": (LinkApproved,),
    "token.refresh": (TokenRefreshRequested, TokenSeen),
    "token.revoke": (TokenRevokeRequested,),
}
"""Work queue -> the kinds it receives. By kind of work, so that a person who waits never stands behind a herd."""

QUEUES: dict[type[Event], str] = {kind: queue for queue, kinds in WORK.items() for kind in kinds}
"""Kind of work -> its queue."""

RESULTS: tuple[type[Event], ...] = (LinkChanged, TokenRefreshed, FamilyEnded)
"""What goes back to the gateways."""

EVENTS: dict[str, type[Event]] = {
    event.kind: event for events in (*WORK.values(), RESULTS) for event in events
}
