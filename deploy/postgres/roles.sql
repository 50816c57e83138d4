-- The database roles of Latchkey, and exactly the rights each of them needs.
--
--   latchkey_owner         owns the tables; `latchkey migrate` runs as this role, no service does
--   latchkey_gateway       reads what polls, pages and guarded calls show; writes nothing, and sees no password hash
--   latchkey_auth_worker   writes links, login attempts, typed codes, accounts, local users, sessions, visits, upgrades,
--                         what is known and kept of identity providers, whether their people are still there, and
--                         what gateways saw of links
--   latchkey_token_worker  writes links, grants and deliveries, and deletes what has expired or is erased
--
-- Run it as a superuser in the database of Latchkey, before the first `latchkey migrate` and again after each:
--
--   psql --set ON_ERROR_STOP=1 --file roles.sql "postgresql://postgres@HOST/latchkey"
--   LATCHKEY_DATABASE_URL=postgresql+asyncpg://latchkey_owner@HOST/latchkey latchkey migrate
--   psql --set ON_ERROR_STOP=1 --file roles.sql "postgresql://postgres@HOST/latchkey"
--
-- It may be run at any time and as often as you like: it takes all rights away and gives those below, in one
-- transaction, so that running services notice nothing and rights from an earlier version do not linger. A new table
-- can be used by nobody until it is named here. Roles are made without a password: set one with \password, or let
-- pg_hba.conf ask for something better.

BEGIN;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['latchkey_owner', 'latchkey_gateway', 'latchkey_auth_worker', 'latchkey_token_worker'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN', name);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
  END LOOP;
  -- A temporary table is writing, too.
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

-- Until PostgreSQL 14 everybody could create tables in this schema.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO latchkey_owner, latchkey_gateway, latchkey_auth_worker, latchkey_token_worker;
GRANT CREATE ON SCHEMA public TO latchkey_owner;

-- Making a large object is writing, too; nobody here has use for one.
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;

-- The services set these limits themselves when they connect; here they hold also where a connection pooler drops them,
-- and for a person who signs in as one of the roles.
ALTER ROLE latchkey_gateway SET default_transaction_read_only = on;
ALTER ROLE latchkey_gateway SET statement_timeout = '5s';
ALTER ROLE latchkey_gateway SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE latchkey_auth_worker SET statement_timeout = '5s';
ALTER ROLE latchkey_auth_worker SET lock_timeout = '2s';
ALTER ROLE latchkey_auth_worker SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE latchkey_token_worker SET statement_timeout = '5s';
ALTER ROLE latchkey_token_worker SET lock_timeout = '2s';
ALTER ROLE latchkey_token_worker SET idle_in_transaction_session_timeout = '15s';

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM latchkey_gateway, latchkey_auth_worker, latchkey_token_worker;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM latchkey_gateway, latchkey_auth_worker, latchkey_token_worker;

DO $$
BEGIN
  IF to_regclass('public.alembic_version') IS NULL THEN
    RAISE NOTICE 'no tables yet: run `latchkey migrate` as latchkey_owner, then this file again';
    RETURN;
  END IF;

  GRANT SELECT ON alembic_version TO latchkey_gateway, latchkey_auth_worker, latchkey_token_worker;

  GRANT SELECT ON links, login_attempts, accounts, grants, deliveries, sessions, typed_codes, code_entries TO latchkey_gateway;
  -- For the household page, which shows people what happened to their account.
  GRANT SELECT ON visits, grant_origins, audit_events TO latchkey_gateway;
  GRANT SELECT ON provider_metadata, sign_in_tries, known_places TO latchkey_gateway;
  -- For the operator page and `latchkey links show`.
  GRANT SELECT ON link_sightings TO latchkey_gateway;

  GRANT SELECT, INSERT ON links, login_attempts, accounts, local_users, typed_codes, code_entries TO latchkey_auth_worker;
  GRANT UPDATE (state, account_id, browser, version) ON links TO latchkey_auth_worker;
  GRANT UPDATE (outcome, typed_id) ON code_entries TO latchkey_auth_worker;
  GRANT UPDATE (nickname, tier, status) ON accounts TO latchkey_auth_worker;
  GRANT SELECT, INSERT ON sign_in_tries, known_places TO latchkey_auth_worker;
  GRANT UPDATE (account, network, at_network, at_place, outcome, expires_at) ON sign_in_tries TO latchkey_auth_worker;
  GRANT UPDATE (since, expires_at) ON known_places TO latchkey_auth_worker;
  GRANT SELECT ON notices TO latchkey_auth_worker;
  GRANT UPDATE (due_at, attempts, provider, subject) ON notices TO latchkey_auth_worker;
  GRANT SELECT, INSERT, DELETE ON sessions TO latchkey_auth_worker;
  GRANT UPDATE (used_at, expires_at, version) ON sessions TO latchkey_auth_worker;
  -- token_worker gives a pair on the word of these rows, so nobody else may write one.
  GRANT SELECT, INSERT ON upgrades TO latchkey_auth_worker;
  GRANT SELECT, INSERT, DELETE ON visits TO latchkey_auth_worker;
  GRANT UPDATE (used_at, expires_at, version) ON visits TO latchkey_auth_worker;
  GRANT DELETE ON local_users TO latchkey_auth_worker;
  GRANT INSERT ON audit_events TO latchkey_auth_worker;
  -- Where an account is erased, its events stay, without households and details.
  GRANT SELECT (account_id, link_id) ON audit_events TO latchkey_auth_worker;
  GRANT UPDATE (household_id, detail) ON audit_events TO latchkey_auth_worker;
  GRANT SELECT, INSERT ON provider_metadata TO latchkey_auth_worker;
  GRANT UPDATE (issuer, authorization_endpoint, iss_parameter, fetched_at) ON provider_metadata TO latchkey_auth_worker;
  GRANT SELECT, INSERT, DELETE ON provider_tokens TO latchkey_auth_worker;
  GRANT UPDATE (sealed, checked_at, version) ON provider_tokens TO latchkey_auth_worker;
  GRANT SELECT, INSERT, DELETE ON account_checks TO latchkey_auth_worker;
  GRANT UPDATE (claim, next_at, doubt, gone_at, version) ON account_checks TO latchkey_auth_worker;
  GRANT SELECT, INSERT ON told_ends TO latchkey_auth_worker;
  -- What gateways saw, who cannot write it themselves.
  GRANT SELECT, INSERT ON link_sightings TO latchkey_auth_worker;
  GRANT UPDATE (times, last_at, note) ON link_sightings TO latchkey_auth_worker;

  -- Deleting a link deletes its login attempts and what was seen of it, with the rights of the owner.
  GRANT SELECT, DELETE ON links TO latchkey_token_worker;
  GRANT UPDATE (state, grant_id, version) ON links TO latchkey_token_worker;
  -- Deleting an account deletes what hangs on it, with the rights of the owner, but never a grant.
  GRANT SELECT, DELETE ON accounts TO latchkey_token_worker;
  GRANT SELECT, INSERT, DELETE ON grants TO latchkey_token_worker;
  GRANT SELECT, INSERT ON grant_origins TO latchkey_token_worker;
  GRANT UPDATE (hardware, os_version, app_name, network, link_id) ON grant_origins TO latchkey_token_worker;
  GRANT INSERT ON link_sightings TO latchkey_token_worker;
  GRANT UPDATE (
    status, family, generation, signing_key_id, derivation_key_id, issued_at, expires_at, seen_generation,
    family_started_at, used_at, version
  ) ON grants TO latchkey_token_worker;
  GRANT SELECT, INSERT, DELETE ON deliveries TO latchkey_token_worker;
  GRANT UPDATE (sealed, expires_at) ON deliveries TO latchkey_token_worker;
  GRANT SELECT, DELETE ON sessions, upgrades, visits TO latchkey_token_worker;
  -- Retention passes over rows that are locked; for that PostgreSQL wants the right to change any one column.
  GRANT UPDATE (version) ON sessions, visits TO latchkey_token_worker;
  GRANT UPDATE (expires_at) ON upgrades TO latchkey_token_worker;
  -- Retention locks the rows it is about to delete, for which PostgreSQL wants a right to change them.
  GRANT SELECT, DELETE ON typed_codes, code_entries, sign_in_tries, known_places, notices, told_ends TO latchkey_token_worker;
  GRANT UPDATE (expires_at) ON typed_codes, code_entries, sign_in_tries, known_places, notices, told_ends TO latchkey_token_worker;
  GRANT INSERT ON notices TO latchkey_token_worker;
  -- The audit log is sealed by whoever has the key for it, and shortened when it is old.
  GRANT SELECT, INSERT, DELETE ON audit_events TO latchkey_token_worker;
  GRANT SELECT, INSERT ON audit_seals TO latchkey_token_worker;
END
$$;

COMMIT;
