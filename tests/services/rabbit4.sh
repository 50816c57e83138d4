#!/usr/bin/env bash
# RabbitMQ 4 on a Debian that has an older one: a small Debian of the next release in a folder of its own, entered by chroot.
#   rabbit4.sh install                         makes the folder, unless it is there: four minutes, half a gigabyte; needs root
#   rabbit4.sh run UID:GID FOLDER COMMAND...   runs a command of it, which sees FOLDER at the same place as everybody else
# LATCHKEY_TEST_CACHE says where the folder is.
set -euo pipefail

release=forky
root=${LATCHKEY_TEST_CACHE:-/var/cache/latchkey-tests}/rabbitmq-4
command=$root/usr/lib/rabbitmq/bin/rabbitmq-server

install() {
    if [ -x "$command" ]; then
        return
    fi
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "RabbitMQ 4 needs root and apt-get to be installed into $root" >&2
        exit 1
    fi
    command -v debootstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes debootstrap
    rm -rf "$root"
    mkdir -p "$root"
    # An old debootstrap does not know the new release, whose script is that of sid; and the mirror is whatever this machine uses.
    debootstrap --variant=minbase "$release" "$root" \
        "$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)" /usr/share/debootstrap/scripts/sid
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    echo "127.0.0.1 localhost" >"$root/etc/hosts"
    # A release that is not out yet is signed for a week at a time, and mirrors may be behind.
    chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get -qq -o Acquire::Check-Valid-Until=false update && apt-get -qq install --yes --no-install-recommends rabbitmq-server'
}

# In mounts of its own, which end with the process.
enter() {
    owner=$1 folder=$2
    shift 2
    mkdir -p "$root$folder"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount --bind "$folder" "$root$folder"
    exec chroot --userspec="$owner" "$root" "$@"
}

case ${1:-} in
    install) install ;;
    run) shift && exec unshare --mount "$0" enter "$@" ;;
    enter) shift && enter "$@" ;;
    *) sed -n '2,5s/^# //p' "$0" && exit 2 ;;
esac
