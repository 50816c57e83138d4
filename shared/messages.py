"""Every event on the bus, and the one table of who receives it.

Events name rows by id and carry secrets only sealed (`boxes` has what is inside). `kind` is the routing key; `version` grows when a
reader of the old form would misread the new one (added optional fields are not such a change: unknown fields are ignored).
"""

from enum import StrEnum
from typing import ClassVar

import msgspec

from shared.domain.limits import Counted
from shared.domain.link import LinkState
from shared.domain.revocation import Scope
from shared.domain.sight import Sight
from shared.domain.visit import Purpose


class RefreshOutcome(StrEnum):
    """How a refresh was judged."""

    DELIVERED = "delivered"
    """The pair is written; read it under `refresh_delivery_id`."""
    REAUTHORIZE = "reauthorize"
    """The household has to link again."""
    REFUSED = "refused"
    """The key that came with the token is wrong, or none came where one is required."""


class Verdict(StrEnum):
    """How credentials of the old kinds were judged."""

    ACCEPTED = "accepted"
    """The session is written, or the pair: read it under `upgrade_delivery_id`."""
    REFUSED = "refused"
    """Name and password do not belong together."""
    DISABLED = "disabled"
    UNSUPPORTED = "unsupported"
    """An account of this tier may not be used with Sonos."""
    REAUTHORIZE = "reauthorize"
    """What was shown, or what it once opened, has ended."""
    UNAVAILABLE = "unavailable"
    """Could not be judged now."""
    LIMITED = "limited"
    """Not looked at: too many wrong passwords lately."""


class EndOutcome(StrEnum):
    """What came of the word that an account has ended."""

    TAKEN = "taken"
    """Its households have to sign in again; also where it has none."""
    REPEATED = "repeated"
    """The same message came before; nothing was done."""
    REFUSED = "refused"
    """Not genuine, or not clear whom it is about."""


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
    typed_id: str | None = None
    """Keyed hash of the code that a person types, if this link has one."""
    page_code: bytes = b""
    """With it, the link code: sealed for the gateways and bound to `page_code_identity`."""
    network: str | None = None
    """Keyed hash of the address prefix it came from, if that tells anything."""
    asked_at: int = 0
    """Seconds since the epoch by the gateway's clock: an event that was long under way takes no other link's place."""


class LinkVouched(Event, frozen=True, kw_only=True):
    """The service's own back end issued a link code for a person whom it has signed in, and who has agreed."""

    kind = "link.vouched"

    link_id: str
    lifetime: int
    """Seconds; auth_worker adds them to the database's clock."""
    household_id: str
    callback_path: str = ""
    vouched: bytes
    """A `Vouched`, sealed for auth_worker and bound to the link."""


class AccountVouched(Event, frozen=True, kw_only=True):
    """The service's own back end asks about an account that is not known yet."""

    kind = "account.vouched"

    request_id: str
    vouched: bytes
    """A `Vouched`, sealed for auth_worker and bound to the request."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often a gateway saw something of a link; see `Sighting`."""

    sight: Sight
    times: int
    first_at: int
    last_at: int
    note: str = ""


class LinkObserved(Event, frozen=True, kw_only=True):
    """All that a gateway has seen of a link so far; told now and then, best effort."""

    kind = "link.observed"

    link_id: str
    observer: str
    """The gateway."""
    seen: tuple[Seen, ...]


class CodeEntered(Event, frozen=True, kw_only=True):
    """A person typed a code."""

    kind = "code.entered"

    entry_id: str
    """Names this attempt, so that a redelivery is not counted as another one."""
    browser: str
    """Hash of the secret in the browser's cookie."""
    network: str
    """Keyed hash of the address prefix it came from."""
    typed_ids: tuple[str, ...]
    """Keyed hashes of what was typed, one for each key in use."""


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
    counted: Counted | None = None
    """Under which keys a wrong password counts; None for evidence that nobody can guess."""


class LinkApprovalSubmitted(Event, frozen=True, kw_only=True):
    """The service's own app, or its back end, allows a link in the name of a person."""

    kind = "link.approval_submitted"

    link_id: str
    submission_id: str
    """As in `LinkLoginSubmitted`."""
    evidence: bytes
    """An `AppEvidence`, sealed for auth_worker and bound to the link."""


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
    network: str = ""
    """The address prefix of that browser, such as `192.0.2.0/24`: shown to the person later."""


class HouseholdLoginSubmitted(Event, frozen=True, kw_only=True):
    """A person offered evidence of who they are, to see what is linked to their account, or to erase it."""

    kind = "household.login_submitted"

    visit_hash: str
    """Of the secret that the gateway made and the browser keeps; names the attempt as well."""
    purpose: Purpose
    provider: str
    evidence: bytes
    """A `LoginEvidence` or `CodeEvidence`, sealed for auth_worker and bound to hash and purpose."""
    counted: Counted | None = None
    """As in `LinkLoginSubmitted`."""


class VisitUsed(Event, frozen=True, kw_only=True):
    """A person is still there, and that was not recorded for some time."""

    kind = "visit.used"

    visit_hash: str


class VisitEnded(Event, frozen=True, kw_only=True):
    """A person signed out, or signs in anew in the same browser."""

    kind = "visit.ended"

    visit_hash: str


class EraseRequested(Event, frozen=True, kw_only=True):
    """A person who has just proved who they are wants their account erased."""

    kind = "account.erase_requested"

    visit_hash: str
    """Of a visit for this purpose; what it names is erased."""


class EraseApproved(Event, frozen=True, kw_only=True):
    """auth_worker has closed an account for good; what hangs on it goes, and then it goes."""

    kind = "account.erase_approved"

    account_id: str
    visit_hash: str


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


class SessionRequested(Event, frozen=True, kw_only=True):
    """A household without tokens wants a session."""

    kind = "session.requested"

    session_hash: str
    """Of the session id, which the gateway made and keeps to itself; names the request as well."""
    household_id: str
    provider: str
    evidence: bytes
    """A `LoginEvidence`, sealed for auth_worker and bound to the hash."""
    counted: Counted | None = None
    """As in `LinkLoginSubmitted`."""


class SessionUsed(Event, frozen=True, kw_only=True):
    """A session is in use, and that was not recorded for some time."""

    kind = "session.used"

    session_hash: str


class UpgradeRequested(Event, frozen=True, kw_only=True):
    """A household wants a token pair for its old credentials."""

    kind = "upgrade.requested"

    request_id: str
    household_id: str
    provider: str
    evidence: bytes
    """An `UpgradeEvidence`, sealed for auth_worker and bound to the request."""
    counted: Counted | None = None
    """As in `LinkLoginSubmitted`; None where no password came."""


class GrantRequested(Event, frozen=True, kw_only=True):
    """auth_worker has found old credentials good; who they belong to stands in the row of `upgrades`."""

    kind = "grant.requested"

    request_id: str


class AccountRecheckRequested(Event, frozen=True, kw_only=True):
    """A household of this account is in use, and nobody has asked for some time whether the person is still there."""

    kind = "account.recheck_requested"

    account_id: str


class AccountEndSubmitted(Event, frozen=True, kw_only=True):
    """Somebody says that a person's account has ended, or that they have logged out everywhere."""

    kind = "account.end_submitted"

    request_id: str
    evidence: bytes
    """An `EndEvidence`, sealed for auth_worker and bound to the request."""


class NoticeDue(Event, frozen=True, kw_only=True):
    """Something happened that the service wants to be told; what it was stands in the row of `notices`."""

    kind = "notice.due"

    notice_id: str


class LinkChanged(Event, frozen=True, kw_only=True):
    """A link moved, or an attempt to move it was judged; read the row to see how."""

    kind = "link.changed"

    link_id: str
    state: LinkState


class VisitChanged(Event, frozen=True, kw_only=True):
    """A visit was judged, or is gone; read the row to see how."""

    kind = "visit.changed"

    visit_hash: str


class CodeJudged(Event, frozen=True, kw_only=True):
    """A typed code was judged; read the entry to see how."""

    kind = "code.judged"

    entry_id: str


class AccountKnown(Event, frozen=True, kw_only=True):
    """An account that was vouched for can be read."""

    kind = "account.known"

    request_id: str


class AccountEndJudged(Event, frozen=True, kw_only=True):
    """What came of the word that an account has ended."""

    kind = "account.end_judged"

    request_id: str
    outcome: EndOutcome


class TokenRefreshed(Event, frozen=True, kw_only=True):
    """A refresh was judged."""

    kind = "token.refreshed"

    request_id: str
    outcome: RefreshOutcome


class CredentialsJudged(Event, frozen=True, kw_only=True):
    """Credentials of the old kinds were judged."""

    kind = "credentials.judged"

    request_id: str
    """Of the upgrade, or the hash of the session."""
    verdict: Verdict


class FamilyEnded(Event, frozen=True, kw_only=True):
    """No token of this family, or of an earlier one, may be used any more."""

    kind = "token.family_ended"

    grant_id: str
    family: int


WORK: dict[str, tuple[type[Event], ...]] = {
    "auth.link": (LinkRequested, LinkDeclineRequested, LinkVouched, AccountVouched),
    "auth.entry": (CodeEntered,),
    "auth.login": (LinkLoginSubmitted, LinkApprovalSubmitted, HouseholdLoginSubmitted),
    "auth.recheck": (AccountRecheckRequested,),
    "auth.end": (AccountEndSubmitted,),
    "auth.visit": (VisitEnded, EraseRequested),
    "auth.session": (SessionRequested,),
    "auth.used": (SessionUsed, VisitUsed, LinkObserved),
    "auth.upgrade": (UpgradeRequested,),
    "auth.notice": (NoticeDue,),
    "token.mint": (LinkApproved,),
    "token.refresh": (TokenRefreshRequested, TokenSeen),
    "token.revoke": (TokenRevokeRequested, EraseApproved),
    "token.upgrade": (GrantRequested,),
}
"""Work queue -> the kinds it receives. By kind of work, so that a person who waits never stands behind a herd."""

QUEUES: dict[type[Event], str] = {kind: queue for queue, kinds in WORK.items() for kind in kinds}
"""Kind of work -> its queue."""

RESULTS: tuple[type[Event], ...] = (
    LinkChanged,
    VisitChanged,
    CodeJudged,
    AccountKnown,
    AccountEndJudged,
    TokenRefreshed,
    CredentialsJudged,
    FamilyEnded,
)
"""What goes back to the gateways."""

EVENTS: dict[str, type[Event]] = {
    event.kind: event for events in (*WORK.values(), RESULTS) for event in events
}
