#!/usr/bin/env bash
# Makes the folder `secrets` of compose.yaml: keys, random passwords and what needs them, each file for those who mount it.
#
#   deploy/secrets.sh deploy/secrets
#
# It needs the `latchkey` command, or one that does the same: LATCHKEY="docker run --rm --user $(id -u) -v $PWD:$PWD -w $PWD latchkey".
set -euo pipefail

folder=${1:?the folder to make, such as deploy/secrets}
read -ra latchkey <<<"${LATCHKEY:-latchkey}"
if [ -e "$folder" ]; then
    echo "$folder exists already: passwords in it are in use; move it away to begin anew" >&2
    exit 2
fi

# The folder keeps others on this machine out. In the containers, each file is read by another user.
mkdir -m 0700 "$folder"
umask 022

password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

"${latchkey[@]}" keys create "$folder/keys"
chmod 0755 "$folder/keys"
chmod 0444 "$folder"/keys/*.json

for role in owner gateway auth_worker token_worker; do
    secret=$(password)
    mkdir "$folder/$role"
    printf 'postgresql+asyncpg://latchkey_%s:%s@postgres/latchkey' "$role" "$secret" >"$folder/$role/database_url"
    printf "ALTER ROLE latchkey_%s PASSWORD '%s';\n" "$role" "$secret" >>"$folder/passwords.sql"
done

# The owner of the tables has no business at the broker.
printf 'amqp://rabbitmq' >"$folder/owner/broker_url"
for role in gateway auth_worker token_worker command monitor; do
    secret=$(password)
    mkdir -p "$folder/$role"
    printf 'amqp://latchkey_%s:%s@rabbitmq' "$role" "$secret" >"$folder/$role/broker_url"
    printf '%s=%s\n' "$role" "$secret" >>"$folder/broker_passwords"
done
"${latchkey[@]}" definitions --passwords "$folder/broker_passwords" >"$folder/definitions.json"

password >"$folder/postgres_password"
printf '# Services, providers and what else docs/settings.md has.\n' >"$folder/latchkey.toml"
