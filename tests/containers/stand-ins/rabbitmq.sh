#!/usr/bin/env bash
# Of the official image's entry point: the folder of data becomes RabbitMQ's, and so does the process.
set -euo pipefail

if [[ $1 = rabbitmq* ]] && [ "$(id -u)" = 0 ]; then
    chown -R rabbitmq /var/lib/rabbitmq
    exec gosu rabbitmq "$@"
fi
exec "$@"
