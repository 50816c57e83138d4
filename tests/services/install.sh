#!/usr/bin/env bash
# Installs what a fresh machine lacks for the tests (python, postgresql, pgbouncer, rabbitmq, chromium, nginx, systemd, font, node, prometheus, faketime, podman, debootstrap, kubectl), where apt-get may.
# The tests start servers of their own; no system service is started by this.
set -euo pipefail

has() {
    case $1 in
        python) python3 -c 'import ensurepip, venv' 2>&1 ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/postgres' || command -v postgres ;;
        rabbitmq) test -x /usr/lib/rabbitmq/bin/rabbitmq-server || command -v rabbitmq-server ;;
        systemd) command -v systemd-analyze ;;
        nginx) command -v nginx || test -x /usr/sbin/nginx ;;
        prometheus) command -v promtool ;;
        pgbouncer) test -x /usr/sbin/pgbouncer ;;
        faketime) compgen -G '/usr/lib/*/faketime/libfaketime.so.1' ;;
        # Without one for Japanese and Chinese, boxes would be measured in place of letters.
        font) command -v fc-list && fc-list :lang=ja | grep -q . ;;
        node) command -v node && command -v npm ;;
        podman) command -v podman && command -v buildah && command -v runc && command -v catatonit && test -x /usr/lib/podman/aardvark-dns ;;
        kubectl) command -v kubectl ;;
        debootstrap) test -x /usr/sbin/debootstrap ;;
        chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    esac >/dev/null
}

package_of() {
    case $1 in
        python) echo python3 python3-venv ;;
        rabbitmq) echo rabbitmq-server ;;
        nginx) echo nginx-light ;;
        font) echo fontconfig fonts-droid-fallback ;;
        node) echo nodejs npm ;;
        podman) echo podman buildah runc netavark aardvark-dns iptables catatonit ;;
        kubectl) echo kubernetes-client ;;
        *) echo "$1" ;;
    esac
}

install() {
    # A package starts its service when it is installed, unless this file forbids it.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update && apt-get -qq install --yes --no-install-recommends "$@"
}

missing=()
for name in "$@"; do
    # shellcheck disable=SC2207 (one name may be several packages)
    has "$name" || missing+=($(package_of "$name"))
done

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed: ${missing[*]}. With root and apt-get, make services would. Tests that need them are skipped, and fail under CI." >&2
    exit 0
fi
echo "Installing ${missing[*]}"
install "${missing[@]}" || echo "apt-get could not install all of: ${missing[*]}. Tests that need them are skipped, and fail under CI." >&2
