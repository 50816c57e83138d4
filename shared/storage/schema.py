"""The tables, as SQLite and PostgreSQL both have them.

Every row carries the service it belongs to. Times are seconds since the epoch in UTC, since SQLite has no timestamp with a
zone. An index serves a look-up or retention, or it is not here. The migrations say the same step by step, and a test
compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = "0011"
"""The last migration this code was written for. Revisions are numbered, so that a newer database can be told from an older."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_Counter = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the key is exactly INTEGER."""

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("nickname", Text, nullable=False),
    Column("tier", Text),
    Column("status", Text, nullable=False),
    UniqueConstraint("service", "provider", "subject"),
)

local_users = Table(
    "local_users",
    metadata,
    Column("service", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("nickname", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
)

# `account_id` and `grant_id` of a link are not foreign keys: a link lives for minutes and is kept for a day, and erasing an
# account must not have to search the links for it.
links = Table(
    "links",
    metadata,
    Column("link_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("household_id", Text, nullable=False, index=True),
    Column("hardware", Text, nullable=False),
    Column("os_version", Text, nullable=False),
    Column("app_name", Text, nullable=False),
    Column("callback_path", Text, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("account_id", Text),
    Column("browser", Text),
    Column("grant_id", Text),
    Column("version", Integer, nullable=False),
    Column("network", Text),
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("attempt_id", _Counter, Identity(always=True), primary_key=True),
    Column("link_id", Text, ForeignKey("links.link_id", ondelete="CASCADE"), nullable=False),
    Column("submission_id", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    UniqueConstraint("link_id", "submission_id"),
)

# What gateways saw, as they told auth_worker: a bounded number of rows for each link, gone with it.
link_sightings = Table(
    "link_sightings",
    metadata,
    Column("link_id", Text, ForeignKey("links.link_id", ondelete="CASCADE"), primary_key=True),
    Column("observer", Text, primary_key=True),
    Column("sight", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)

# Short-lived: gone when the link expires, while the link itself is kept for a while.
typed_codes = Table(
    "typed_codes",
    metadata,
    Column("typed_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("link_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

code_entries = Table(
    "code_entries",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("browser", Text, nullable=False, index=True),
    Column("network", Text, nullable=False, index=True),
    Column("outcome", Text),
    Column("typed_id", Text),
    Column("entered_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# What does not count loses its keys; the row stays a little longer, so that a redelivery is not counted again.
sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("try_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("account", Text, index=True),
    Column("network", Text, index=True),
    Column("at_network", Text, index=True),
    Column("at_place", Text, index=True),
    Column("tag", Text, nullable=False),
    Column("outcome", Text),
    Column("tried_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# A place is a keyed hash of an account together with a network, a browser or a household: the row tells neither.
known_places = Table(
    "known_places",
    metadata,
    Column("place", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# The account leads the unique key, so that the same index finds the grants of an account that is erased.
grants = Table(
    "grants",
    metadata,
    Column("grant_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False),
    Column("household_id", Text, nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("family", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("signing_key_id", Text, nullable=False),
    Column("derivation_key_id", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("seen_generation", Integer, nullable=False),
    Column("family_started_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("account_id", "household_id", "service"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# Ends with its account, so that erasing an account leaves nothing to sign in with.
sessions = Table(
    "sessions",
    metadata,
    Column("session_hash", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("account_id", Text, ForeignKey("accounts.account_id", ondelete="CASCADE"), nullable=False),
    Column("household_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Index(None, "account_id", "household_id", "service"),
)

# Lives for minutes, like a link, and has no foreign keys for the same reason.
upgrades = Table(
    "upgrades",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("household_id", Text, nullable=False),
    Column("old_grant_id", Text),
    Column("old_family", Integer),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# Ends with its account, as a session does.
visits = Table(
    "visits",
    metadata,
    Column("visit_hash", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("account_id", Text, ForeignKey("accounts.account_id", ondelete="CASCADE"), index=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("version", Integer, nullable=False),
)

# Apart from the grant, which is read and written with every refresh, while this is for the household page alone.
grant_origins = Table(
    "grant_origins",
    metadata,
    Column("grant_id", Text, ForeignKey("grants.grant_id", ondelete="CASCADE"), primary_key=True),
    Column("service", Text, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("os_version", Text, nullable=False),
    Column("app_name", Text, nullable=False),
    Column("network", Text, nullable=False),
    Column("link_id", Text),
)

# Public, and of no service: a provider serves all that name it.
provider_metadata = Table(
    "provider_metadata",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("authorization_endpoint", Text, nullable=False),
    Column("iss_parameter", Boolean, nullable=False),
    Column("fetched_at", BigInteger, nullable=False),
)

# Ends with its account, like a session.
provider_tokens = Table(
    "provider_tokens",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.account_id", ondelete="CASCADE"), primary_key=True),
    Column("service", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("checked_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
)

# Ends with its account, too.
account_checks = Table(
    "account_checks",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.account_id", ondelete="CASCADE"), primary_key=True),
    Column("service", Text, nullable=False),
    Column("claim", Text),
    Column("next_at", BigInteger, nullable=False),
    Column("doubt", Text, nullable=False),
    Column("gone_at", BigInteger),
    Column("version", Integer, nullable=False),
)

# Kept for as long as the same message could be taken again.
told_ends = Table(
    "told_ends",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# What the service is told; ends with the account, but for the word that the account has ended.
notices = Table(
    "notices",
    metadata,
    Column("notice_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column(
        "account_id", Text, ForeignKey("accounts.account_id", ondelete="CASCADE"), nullable=True, index=True
    ),
    Column("household_id", Text, nullable=False),
    Column("grant_id", Text, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("app_name", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("provider", Text),
    Column("subject", Text),
    Column("reason", Text),
    Column("due_at", BigInteger, index=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("event_id", _Counter, Identity(always=True), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("link_id", Text, index=True),
    Column("account_id", Text, index=True),
    Column("grant_id", Text),
    Column("household_id", Text),
    Column("detail", Text, nullable=False),
    Column("content_digest", Text),
)

# Of no service: the audit log is one.
audit_seals = Table(
    "audit_seals",
    metadata,
    Column("seal_id", BigInteger, primary_key=True, autoincrement=False),
    Column("last_event_id", BigInteger, nullable=False),
    Column("events", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("signature", Text, nullable=False),
)
