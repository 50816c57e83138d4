"""Rows for tests of the store, and what each worker does in a day: every method of its port, once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg

from shared.domain import visit as visits
from shared.domain.account import Account, AccountStatus, AccountTier
from shared.domain.grant import Grant, GrantStanding, GrantStatus
from shared.domain.limits import Counted
from shared.domain.link import Device, Link, LinkState, Standing
from shared.domain.notice import Notice, NoticeKind
from shared.domain.revocation import Scope, Selection
from shared.domain.session import Session
from shared.domain.sight import Sight, Sighting
from shared.domain.upgrade import Upgrade
from shared.domain.visit import Purpose
from shared.storage.base import AuthStore, AuthTransaction, TokenStore
from shared.storage.codes import CodeEntry, EntryOutcome, TypedCode
from shared.storage.engine import DEFAULT_TIMEOUTS, Timeouts
from shared.storage.lifecycle import AccountCheck, Doubt, ToldEnd
from shared.storage.providers import ProviderMetadata
from shared.storage.records import AttemptOutcome, AuditEvent, LocalUser, LoginAttempt
from shared.storage.sql import (
    SqlAuthStore,
    SqlReadStore,
    SqlTokenStore,
    open_auth_store,
    open_read_store,
    open_token_store,
)
from shared.storage.tries import TryOutcome
from shared.storage.visits import Origin

LINK = Link(
    link_id="link-1",
    service="default",
    state=LinkState.REQUESTED,
    household_id="Sonos_Wz6tqJbSh5Uc3rCk6mPzLoBDpQ",
    device=Device(hardware="S38", os_version="83.1-61240", app_name="ICRU_iPhone16,2"),
    callback_path="sonos-2://x-callback-url/addAccount?sid=42",
    requested_at=1_800_000_000,
    expires_at=1_800_000_600,
    network="network-1",
)
ACCOUNT = Account(
    account_id="account-1",
    service="default",
    provider="local",
    subject="zoë",
    nickname="Zoë 🎷",
    tier=AccountTier.PAID_PREMIUM,
)
GRANT = Grant(
    grant_id="grant-1",
    service="default",
    account_id="account-1",
    household_id="Sonos_Wz6tqJbSh5Uc3rCk6mPzLoBDpQ",
    status=GrantStatus.ACTIVE,
    family=1,
    generation=1,
    signing_key_id="s1",
    derivation_key_id="d1",
    issued_at=1_800_000_000,
    expires_at=1_800_003_600,
    seen_generation=0,
    family_started_at=1_800_000_000,
    used_at=1_800_000_000,
)
SESSION = Session(
    session_hash="session-1",
    service="default",
    account_id="account-1",
    household_id="00-0E-58-5B-06-D6:8",
    created_at=1_800_000_000,
    used_at=1_800_000_000,
    expires_at=4_000_000_000,
)
UPGRADE = Upgrade(
    request_id="request-1",
    service="default",
    account_id="account-1",
    household_id="Sonos_Wz6tqJbSh5Uc3rCk6mPzLoBDpQ",
    old_grant_id="grant-0",
    old_family=3,
    expires_at=4_000_000_000,
)
USER = LocalUser(
    service="default", name="zoë", subject="user-1", nickname="Zoë", password_hash="$argon2id$v=19$..."
)
ATTEMPT = LoginAttempt(link_id="link-1", submission_id="try-1", outcome=AttemptOutcome.REFUSED)
TYPED_CODE = TypedCode(
    typed_id="typed-1",
    service="default",
    link_id="link-1",
    sealed=b"\x00sealed\xff",
    expires_at=LINK.expires_at,
)
VISIT = visits.opened(
    visit_hash="visit-1",
    service="default",
    purpose=Purpose.HOUSEHOLD,
    account_id="account-1",
    now=1_800_000_000,
)
ORIGIN = Origin(
    grant_id="grant-1",
    service="default",
    device=Device(hardware="iPhone17,5", os_version="26.2", app_name="ICRU_iPhone17,5"),
    network="192.0.2.0/24",
    link_id="link-1",
)
SIGHTING = Sighting(
    link_id="link-1",
    service="default",
    observer="gateway-1",
    sight=Sight.RETRY,
    times=2,
    first_at=1_800_000_010,
    last_at=1_800_000_015,
)
ENTRY = CodeEntry(
    entry_id="entry-1",
    service="default",
    browser="browser-1",
    network="network-1",
    entered_at=1_800_000_000,
)
COUNTED = Counted(
    account="account-hash-1",
    network="network-1",
    at_network="at-network-1",
    at_place="at-place-1",
    tag="a1b2",
)
NOTICE = Notice(
    notice_id="linked.link-1",
    kind=NoticeKind.LINKED,
    service="default",
    account_id="account-1",
    household_id=LINK.household_id,
    grant_id="grant-1",
    hardware=LINK.device.hardware,
    app_name=LINK.device.app_name,
    at=1_800_000_000,
    due_at=1_800_000_060,
    expires_at=1_800_000_600,
)

METADATA = ProviderMetadata(
    provider="corp",
    issuer="https://login.example.com",
    authorization_endpoint="https://login.example.com/authorize",
    iss_parameter=True,
)


CHECK = AccountCheck(account_id="account-1", service="default", next_at=1)
TOLD_END = ToldEnd(
    event_id="event-1", service="default", request_id="request-1", at=1_800_000_000, expires_at=1_800_000_600
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The three stores of one database."""

    read: SqlReadStore
    auth: SqlAuthStore
    token: SqlTokenStore


@asynccontextmanager
async def open_stores(url: str, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> AsyncIterator[Stores]:
    """Open all three stores on one database."""
    async with (
        open_read_store(url, timeouts=timeouts) as read,
        open_auth_store(url, timeouts=timeouts) as auth,
        open_token_store(url, timeouts=timeouts) as token,
    ):
        yield Stores(read=read, auth=auth, token=token)


def selections_of(grant: Grant) -> tuple[Selection, ...]:
    """Return every way in which a grant can be selected."""
    return (
        Selection(service=grant.service, scope=Scope.GRANT, value=grant.grant_id),
        Selection(service=grant.service, scope=Scope.ACCOUNT, value=grant.account_id),
        Selection(service=grant.service, scope=Scope.HOUSEHOLD, value=grant.household_id),
        Selection(service=grant.service, scope=Scope.ALL),
    )


def standing(link: Link) -> Standing:
    """What a poll says of a link."""
    return Standing(link_id=link.link_id, state=link.state, expires_at=link.expires_at)


async def insert_link(store: AuthStore, link: Link = LINK) -> Link:
    """Insert a link that was not there."""
    async with store.transaction() as transaction:
        assert await transaction.insert_link(link)
    return link


async def insert_grant(stores: Stores, grant: Grant = GRANT) -> Grant:
    """Insert a grant, and its account if that was not there."""
    async with stores.auth.transaction() as transaction:
        await transaction.upsert_account(replace(ACCOUNT, account_id=grant.account_id))
    async with stores.token.transaction() as transaction:
        await transaction.insert_grant(grant)
    return grant


async def put_delivery(
    store: TokenStore, delivery_id: str, sealed: bytes = b"sealed", *, lifetime: int = 600
) -> None:
    """Write a delivery that expires *lifetime* seconds after the database's present."""
    async with store.transaction() as transaction:
        await transaction.put_delivery(
            delivery_id=delivery_id,
            service="default",
            sealed=sealed,
            expires_at=transaction.now + lifetime,
        )


async def work_as_auth_worker(store: AuthStore) -> Link:
    """Do everything auth_worker may do, and return the link someone has signed in to."""
    await store.check()
    async with store.transaction() as transaction:
        await transaction.insert_local_user(USER)
        assert await transaction.local_users("default")
        assert await transaction.local_user("default", USER.name)
        await transaction.insert_link(LINK)
        await transaction.insert_attempt(ATTEMPT)
        assert await transaction.attempts(LINK.link_id)
        await transaction.insert_typed_code(TYPED_CODE)
        await transaction.insert_code_entry(ENTRY)
        assert await transaction.code_entry(ENTRY.entry_id)
        await transaction.guesses(browser=ENTRY.browser, network=ENTRY.network)
        await transaction.typed_code([TYPED_CODE.typed_id])
        await transaction.judge_code_entry(ENTRY.entry_id, EntryOutcome.RIGHT, TYPED_CODE.typed_id)
        await _work_on_tries(transaction)
        for times in (2, 3):
            await transaction.put_sightings([replace(SIGHTING, times=times)])
        assert {"link-2", "link-3"} == await transaction.insert_links(
            [LINK, *(replace(LINK, link_id=link_id) for link_id in ("link-2", "link-3"))]
        )
        await transaction.links_asked_for([LINK.household_id])
        requested = AuditEvent(kind="link.requested", service="default", link_id=LINK.link_id)
        await transaction.audit_all([requested, requested])
        await transaction.notice(NOTICE.notice_id)
        for only_untold in (False, True):
            await transaction.notices(only_untold=only_untold, limit=1)
        await transaction.claim_notices(seconds=60, limit=1)
        await transaction.notice_due(NOTICE.notice_id, seconds=60, attempts=1)
        await transaction.notice_told(NOTICE.notice_id)
        account = await transaction.upsert_account(ACCOUNT)
        account = await transaction.upsert_account(replace(ACCOUNT, nickname="Zoë", tier=None))
        assert await transaction.account(account.account_id)
        for status in (AccountStatus.DISABLED, AccountStatus.ACTIVE):
            await transaction.set_account_status(account.account_id, status)
        await _work_on_sessions(transaction)
        await _work_on_lifecycles(transaction)
        await _work_on_providers(transaction, account.account_id)
        assert account == await transaction.account_of(
            service="default", provider=account.provider, subject=account.subject
        )
        link = await transaction.link(LINK.link_id)
        assert link is not None
        authenticated = replace(
            link,
            state=LinkState.AUTHENTICATED,
            account_id=account.account_id,
            browser="browser-1",
            version=link.version + 1,
        )
        await transaction.swap_link(link, authenticated)
        await transaction.audit(
            AuditEvent(kind="link.authenticated", service="default", link_id=LINK.link_id)
        )
    return authenticated


async def _work_on_tries(transaction: AuthTransaction) -> None:
    for outcome in TryOutcome:
        assert await transaction.insert_try(outcome, service="default", counted=COUNTED, memory=60)
        assert await transaction.try_outcome(outcome) is None
        await transaction.end_try(outcome, outcome)
    for _ in range(2):
        await transaction.know_places(["at-network-1", "at-place-1"], service="default", seconds=60)
    assert (await transaction.tries(COUNTED)).account


async def _work_on_sessions(transaction: AuthTransaction) -> None:
    assert await transaction.insert_session(SESSION)
    assert await transaction.insert_session(replace(SESSION, session_hash="session-2"))
    await transaction.delete_session("session-2")
    session = await transaction.session(SESSION.session_hash)
    assert session is not None
    assert (session,) == await transaction.sessions_of(
        service=SESSION.service, account_id=SESSION.account_id, household_id=SESSION.household_id
    )
    used = replace(session, used_at=session.used_at + 1, expires_at=session.expires_at + 1, version=2)
    await transaction.swap_session(session, used)
    assert await transaction.insert_upgrade(UPGRADE)
    assert await transaction.upgrade(UPGRADE.request_id)
    await _work_on_visits(transaction)


async def _work_on_visits(transaction: AuthTransaction) -> None:
    assert await transaction.insert_visit(VISIT)
    assert await transaction.insert_visit(replace(VISIT, visit_hash="visit-2"))
    await transaction.delete_visit("visit-2")
    visit = await transaction.visit(VISIT.visit_hash)
    assert visit is not None
    await transaction.swap_visit(visit, replace(visit, used_at=1, expires_at=4_000_000_000, version=2))
    await transaction.delete_local_user(service="default", subject="nobody")
    await transaction.forget_in_audit("nobody")


async def _work_on_providers(transaction: AuthTransaction, account_id: str) -> None:
    for metadata in (METADATA, replace(METADATA, iss_parameter=False)):
        await transaction.put_provider_metadata(metadata)
    for sealed in (b"tokens", b"later tokens"):
        await transaction.put_provider_tokens(account_id=account_id, service="default", sealed=sealed)
    tokens = await transaction.provider_tokens(account_id)
    assert tokens is not None
    rotated = replace(tokens, sealed=b"rotated", checked_at=tokens.checked_at + 1, version=tokens.version + 1)
    await transaction.swap_provider_tokens(tokens, rotated)
    await transaction.delete_provider_tokens(account_id)
    await transaction.put_provider_tokens(account_id=account_id, service="default", sealed=b"tokens")


async def _work_on_lifecycles(transaction: AuthTransaction) -> None:
    assert await transaction.insert_account_check(CHECK)
    assert CHECK == await transaction.account_check(CHECK.account_id)
    everything = replace(CHECK, claim="claim-1", next_at=2, doubt=Doubt.OPEN, gone_at=1, version=2)
    await transaction.swap_account_check(CHECK, everything)
    await transaction.delete_account_check(CHECK.account_id)
    assert await transaction.insert_told_end(TOLD_END)
    assert TOLD_END == await transaction.told_end(TOLD_END.event_id)
    await transaction.delete_sessions("account of nobody")
    assert () == await transaction.signed_in_links("account of nobody")


async def work_as_token_worker(store: TokenStore, link: Link) -> Grant:
    """Do everything token_worker may do with a link someone has signed in to, and return the grant."""
    await store.check()
    async with store.transaction() as transaction:
        assert await transaction.link(link.link_id) == link
        assert await transaction.account(GRANT.account_id)
        assert await transaction.upgrade(UPGRADE.request_id) == UPGRADE
        await transaction.insert_grant(GRANT)
        linked = replace(link, state=LinkState.LINKED, grant_id=GRANT.grant_id, version=link.version + 1)
        await transaction.swap_link(link, linked)
        for sealed in (b"a pair", b"the pair again"):
            await transaction.put_delivery(
                delivery_id=link.link_id, service="default", sealed=sealed, expires_at=transaction.now
            )
        grant = await transaction.grant(GRANT.grant_id)
        assert grant is not None
        assert grant == await transaction.grant_of(
            service=grant.service, account_id=grant.account_id, household_id=grant.household_id
        )
        for _ in range(2):
            await transaction.put_origin(ORIGIN)
            await transaction.note_first_use(GRANT.grant_id)
        assert await transaction.erase_account("nobody") is None
        for selection in selections_of(grant):
            assert (grant,) == await transaction.grants(selection, limit=10)
        everything_else = replace(
            grant,
            status=GrantStatus.REVOKED,
            family=2,
            generation=7,
            signing_key_id="s2",
            derivation_key_id="d2",
            issued_at=grant.issued_at + 1,
            expires_at=grant.expires_at + 1,
            seen_generation=6,
            family_started_at=grant.family_started_at + 1,
            used_at=grant.used_at + 1,
            version=2,
        )
        await transaction.swap_grant(grant, everything_else)
        await transaction.insert_notice(replace(NOTICE, expires_at=transaction.now))
        await transaction.audit(AuditEvent(kind="link.linked", service="default", link_id=link.link_id))
        assert await transaction.delete_expired(links_before=link.expires_at + 1, limit=10)
    return everything_else


async def cut_connections(url: str, which: str = "") -> int:
    """End connections of the stores, wait until they are gone, and count them."""
    administrator = await asyncpg.connect(url.replace("+asyncpg", ""))
    cut = await administrator.fetch(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        f" WHERE datname = current_database() AND application_name LIKE 'latchkey-%' {which}"
    )
    await administrator.close()
    return len(cut)


async def insert_grants(stores: Stores, count: int) -> list[Grant]:
    """Insert an account, and grants of it in as many households; return those."""
    async with stores.auth.transaction() as transaction:
        account = await transaction.upsert_account(ACCOUNT)
    made = [
        replace(GRANT, grant_id=f"g{number}", household_id=f"h{number}", account_id=account.account_id)
        for number in range(count)
    ]
    async with stores.token.transaction() as transaction:
        for grant in made:
            await transaction.insert_grant(grant)
    return made


def standing_of(grant: Grant) -> GrantStanding:
    """Return what a guarded call knows of a grant."""
    return GrantStanding(**{name: getattr(grant, name) for name in GrantStanding._fields})
