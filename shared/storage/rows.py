"""Rows of the tables to values of the domain, and back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, RowMapping, Table

from shared.domain.account import Account, AccountStatus, AccountTier
from shared.domain.audit_chain import content_digest
from shared.domain.grant import Grant, GrantStatus
from shared.domain.link import Device, Link, LinkState
from shared.domain.notice import Notice, NoticeKind
from shared.domain.session import Session
from shared.domain.sight import Sight, Sighting
from shared.domain.upgrade import Upgrade
from shared.domain.visit import Purpose, Visit, VisitOutcome
from shared.storage.codes import CodeEntry, EntryOutcome, TypedCode
from shared.storage.providers import ProviderMetadata
from shared.storage.records import AttemptOutcome, AuditEvent, LocalUser, LoginAttempt
from shared.storage.visits import AuditView, Origin

Values = dict[str, Any]
"""Column name -> value: one row of one table, to be written."""

Found = Mapping[str, Any] | RowMapping
"""Column name -> value: one row of one table, as read."""

# Looking a member up by calling its class takes three times as long.
STATES = {state.value: state for state in LinkState}
_STATUSES = {status.value: status for status in AccountStatus}
_TIERS: dict[str | None, AccountTier | None] = {None: None, **{tier.value: tier for tier in AccountTier}}
GRANT_STATUSES = {status.value: status for status in GrantStatus}


def split(row: Row[Any], *tables: Table) -> Iterator[Found]:
    """Give back the row of each table, in the order in which a joined SELECT names the tables in full."""
    start = 0
    for table in tables:
        names = table.columns.keys()
        end = start + len(names)
        yield dict(zip(names, row[start:end], strict=True))
        start = end


def account_values(account: Account) -> Values:
    """Return the row of `accounts` that says *account*."""
    return {
        "account_id": account.account_id,
        "service": account.service,
        "provider": account.provider,
        "subject": account.subject,
        "nickname": account.nickname,
        "tier": None if account.tier is None else account.tier.value,
        "status": account.status.value,
    }


def account_from(row: Found) -> Account:
    """Return the account that a row with all columns of `accounts` says."""
    return Account(
        account_id=row["account_id"],
        service=row["service"],
        provider=row["provider"],
        subject=row["subject"],
        nickname=row["nickname"],
        tier=_TIERS[row["tier"]],
        status=AccountStatus(row["status"]),
    )


def account_at(row: Sequence[Any], start: int) -> Account:
    """Return the account whose row of `accounts` begins at column *start*."""
    account_id, service, provider, subject, nickname, tier, status = row[start : start + 7]
    return Account(
        account_id=account_id,
        service=service,
        provider=provider,
        subject=subject,
        nickname=nickname,
        tier=_TIERS[tier],
        status=_STATUSES[status],
    )


def local_user_values(user: LocalUser) -> Values:
    """Return the row of `local_users` that says *user*."""
    return {
        "service": user.service,
        "name": user.name,
        "subject": user.subject,
        "nickname": user.nickname,
        "password_hash": user.password_hash,
    }


def local_user_from(row: Found) -> LocalUser:
    """Return the local user that a row with all columns of `local_users` says."""
    return LocalUser(
        service=row["service"],
        name=row["name"],
        subject=row["subject"],
        nickname=row["nickname"],
        password_hash=row["password_hash"],
    )


def link_values(link: Link) -> Values:
    """Return the row of `links` that says *link*."""
    return {
        "link_id": link.link_id,
        "service": link.service,
        "state": link.state.value,
        "household_id": link.household_id,
        "hardware": link.device.hardware,
        "os_version": link.device.os_version,
        "app_name": link.device.app_name,
        "callback_path": link.callback_path,
        "requested_at": link.requested_at,
        "expires_at": link.expires_at,
        "account_id": link.account_id,
        "browser": link.browser,
        "grant_id": link.grant_id,
        "version": link.version,
        "network": link.network,
    }


def link_from(row: Found) -> Link:
    """Return the link that a row with all columns of `links` says."""
    return Link(
        link_id=row["link_id"],
        service=row["service"],
        state=LinkState(row["state"]),
        household_id=row["household_id"],
        device=Device(hardware=row["hardware"], os_version=row["os_version"], app_name=row["app_name"]),
        callback_path=row["callback_path"],
        requested_at=row["requested_at"],
        expires_at=row["expires_at"],
        account_id=row["account_id"],
        browser=row["browser"],
        grant_id=row["grant_id"],
        version=row["version"],
        network=row["network"],
    )


def link_at(row: Sequence[Any]) -> Link:
    """Return the link whose row of `links` is the beginning of *row*: as `link_from`, for those that come in numbers."""
    return Link(
        link_id=row[0],
        service=row[1],
        state=STATES[row[2]],
        household_id=row[3],
        device=Device(hardware=row[4], os_version=row[5], app_name=row[6]),
        callback_path=row[7],
        requested_at=row[8],
        expires_at=row[9],
        account_id=row[10],
        browser=row[11],
        grant_id=row[12],
        version=row[13],
        network=row[14],
    )


def attempt_from(row: Found) -> LoginAttempt:
    """Return the attempt that a row of `login_attempts` says."""
    return LoginAttempt(
        link_id=row["link_id"], submission_id=row["submission_id"], outcome=AttemptOutcome(row["outcome"])
    )


def typed_code_values(code: TypedCode) -> Values:
    """Return the row of `typed_codes` that says *code*."""
    return {
        "typed_id": code.typed_id,
        "service": code.service,
        "link_id": code.link_id,
        "sealed": code.sealed,
        "expires_at": code.expires_at,
    }


def code_entry_values(entry: CodeEntry, *, expires_at: int) -> Values:
    """Return the row of `code_entries` that says *entry*."""
    return {
        "entry_id": entry.entry_id,
        "service": entry.service,
        "browser": entry.browser,
        "network": entry.network,
        "outcome": None if entry.outcome is None else entry.outcome.value,
        "typed_id": entry.typed_id,
        "entered_at": entry.entered_at,
        "expires_at": expires_at,
    }


def code_entry_from(row: Found) -> CodeEntry:
    """Return the entry that a row with all columns of `code_entries` says."""
    return CodeEntry(
        entry_id=row["entry_id"],
        service=row["service"],
        browser=row["browser"],
        network=row["network"],
        entered_at=row["entered_at"],
        outcome=None if row["outcome"] is None else EntryOutcome(row["outcome"]),
        typed_id=row["typed_id"],
    )


def grant_values(grant: Grant) -> Values:
    """Return the row of `grants` that says *grant*."""
    return {
        "grant_id": grant.grant_id,
        "service": grant.service,
        "account_id": grant.account_id,
        "household_id": grant.household_id,
        "status": grant.status.value,
        "family": grant.family,
        "generation": grant.generation,
        "signing_key_id": grant.signing_key_id,
        "derivation_key_id": grant.derivation_key_id,
        "issued_at": grant.issued_at,
        "expires_at": grant.expires_at,
        "seen_generation": grant.seen_generation,
        "family_started_at": grant.family_started_at,
        "used_at": grant.used_at,
        "version": grant.version,
    }


def grant_from(row: Found) -> Grant:
    """Return the grant that a row with all columns of `grants` says."""
    return Grant(
        grant_id=row["grant_id"],
        service=row["service"],
        account_id=row["account_id"],
        household_id=row["household_id"],
        status=GrantStatus(row["status"]),
        family=row["family"],
        generation=row["generation"],
        signing_key_id=row["signing_key_id"],
        derivation_key_id=row["derivation_key_id"],
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        seen_generation=row["seen_generation"],
        family_started_at=row["family_started_at"],
        used_at=row["used_at"],
        version=row["version"],
    )


def grant_at(row: Sequence[Any]) -> Grant:
    """Return the grant whose row of `grants` is the beginning of *row*."""
    return Grant(
        grant_id=row[0],
        service=row[1],
        account_id=row[2],
        household_id=row[3],
        status=GRANT_STATUSES[row[4]],
        family=row[5],
        generation=row[6],
        signing_key_id=row[7],
        derivation_key_id=row[8],
        issued_at=row[9],
        expires_at=row[10],
        seen_generation=row[11],
        family_started_at=row[12],
        used_at=row[13],
        version=row[14],
    )


def session_values(session: Session) -> Values:
    """Return the row of `sessions` that says *session*."""
    return asdict(session)


def session_from(row: Found) -> Session:
    """Return the session that a row with all columns of `sessions` says."""
    return Session(**row)


def upgrade_values(upgrade: Upgrade) -> Values:
    """Return the row of `upgrades` that says *upgrade*."""
    return asdict(upgrade)


def upgrade_from(row: Found) -> Upgrade:
    """Return the word that a row with all columns of `upgrades` says."""
    return Upgrade(**row)


def visit_values(visit: Visit) -> Values:
    """Return the row of `visits` that says *visit*."""
    return asdict(visit) | {"purpose": visit.purpose.value, "outcome": visit.outcome.value}


def visit_from(row: Found) -> Visit:
    """Return the visit that a row with all columns of `visits` says."""
    return Visit(**{**row, "purpose": Purpose(row["purpose"]), "outcome": VisitOutcome(row["outcome"])})


def origin_values(origin: Origin) -> Values:
    """Return the row of `grant_origins` that says *origin*."""
    return {
        "grant_id": origin.grant_id,
        "service": origin.service,
        "hardware": origin.device.hardware,
        "os_version": origin.device.os_version,
        "app_name": origin.device.app_name,
        "network": origin.network,
        "link_id": origin.link_id,
    }


def origin_from(row: Found) -> Origin:
    """Return the origin that a row with all columns of `grant_origins` says."""
    return Origin(
        grant_id=row["grant_id"],
        service=row["service"],
        device=Device(hardware=row["hardware"], os_version=row["os_version"], app_name=row["app_name"]),
        network=row["network"],
        link_id=row["link_id"],
    )


def sighting_values(sighting: Sighting) -> Values:
    """Return the row of `link_sightings` that says *sighting*."""
    return asdict(sighting) | {"sight": sighting.sight.value}


def sighting_from(row: Found) -> Sighting:
    """Return what a row of `link_sightings` says."""
    return Sighting(**{**row, "sight": Sight(row["sight"])})


def audit_from(row: Found) -> AuditView:
    """Return what a row of `audit_events` says to the person whose account it names."""
    return AuditView(
        at=row["at"], kind=row["kind"], household_id=row["household_id"], detail=json.loads(row["detail"])
    )


def provider_metadata_values(metadata: ProviderMetadata, *, fetched_at: int) -> Values:
    """Return the row of `provider_metadata` that says *metadata*."""
    return {**asdict(metadata), "fetched_at": fetched_at}


def provider_metadata_from(row: Found) -> ProviderMetadata:
    """Return what a row of `provider_metadata` says of a provider."""
    return ProviderMetadata(
        provider=row["provider"],
        issuer=row["issuer"],
        authorization_endpoint=row["authorization_endpoint"],
        iss_parameter=row["iss_parameter"],
    )


def notice_values(notice: Notice) -> Values:
    """Return the row of `notices` that says *notice*."""
    return asdict(notice) | {"kind": notice.kind.value}


def notice_from(row: Found) -> Notice:
    """Return the notice that a row of `notices` says."""
    return Notice(**{**row, "kind": NoticeKind(row["kind"])})


def audit_values(event: AuditEvent, *, at: int) -> Values:
    """Return the row of `audit_events` that says *event*; the detail is JSON, since SQLite has no type for it."""
    detail = json.dumps(event.detail, sort_keys=True)
    return {
        "at": at,
        "kind": event.kind,
        "service": event.service,
        "link_id": event.link_id,
        "account_id": event.account_id,
        "grant_id": event.grant_id,
        "household_id": event.household_id,
        "detail": detail,
        "content_digest": content_digest(event.household_id, detail),
    }
