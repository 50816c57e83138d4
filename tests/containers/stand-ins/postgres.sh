#!/usr/bin/env bash
# Of the official image's entry point: data are made on the first start, with POSTGRES_DB and POSTGRES_PASSWORD_FILE; the network needs passwords.
set -euo pipefail
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    chown -R postgres "$PGDATA"
    chmod 0700 "$PGDATA"
    exec gosu postgres "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    initdb --username postgres --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local trust --auth-host scram-sha-256 >/dev/null
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
    pg_ctl --wait --options "-c listen_addresses=''" start
    createdb --username postgres --host /run/postgresql "$POSTGRES_DB"
    pg_ctl --wait --mode fast stop
fi
exec "$@"
