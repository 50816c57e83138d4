#!/usr/bin/env bash
# Prepares what `make containers` needs: podman, stand-ins for the images of others, and our image by deploy/Dockerfile.
#   engine.sh        five minutes and three gigabytes the first time; needs root and apt-get
# No registry is asked: one small Debian, made by debootstrap, stands in for python, postgres, rabbitmq and caddy.
# LATCHKEY_TEST_CACHE says where it is; images and volumes are kept apart from those of the machine.
# LATCHKEY_TEST_BUILD has more options for building ours, such as --volume with a pip.conf.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${LATCHKEY_TEST_CACHE:-/var/cache/latchkey-tests}/containers
release=trixie
root=$folder/root
export CONTAINERS_CONF=$folder/containers.conf CONTAINERS_STORAGE_CONF=$folder/storage.conf

mkdir -p "$folder"
cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "overlay"
graphroot = "$folder/images"
runroot = "/run/latchkey-tests"
END
# runc, since crun refuses the mixed control groups of some machines; limits that may be set without a right to raise them.
cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=8192:8192", "nproc=8192:8192"]
[network]
network_config_dir = "$folder/networks"
[engine]
runtime = "runc"
volume_path = "$folder/volumes"
events_logger = "file"
END

make_root() {
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$release" "$root" \
        "$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    echo "127.0.0.1 localhost" >"$root/etc/hosts"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get -qq update &&
        apt-get -qq install --yes --no-install-recommends python3-venv postgresql rabbitmq-server caddy gosu && apt-get clean'
    touch "$root.made"
}

if ! podman image exists localhost/latchkey-stand-in; then
    [ -e "$root.made" ] || make_root
    tar -C "$root" -c --exclude='./var/lib/apt/lists/*' --exclude='./var/lib/postgresql/*' --exclude='./var/lib/rabbitmq/*' . |
        podman import --quiet - localhost/latchkey-stand-in
fi
for image in python:3.13-slim postgres:17 rabbitmq:4-management caddy:2; do
    podman build --quiet --target "${image%%:*}" --tag "docker.io/library/$image" "$here/stand-ins"
done

# With the certificate authorities and the network of this machine, whatever is between it and PyPI.
read -ra more <<<"${LATCHKEY_TEST_BUILD:-}"
cd "$here/../.."
podman build --quiet --network host --volume /etc/ssl/certs:/etc/ssl/certs:ro "${more[@]}" --file deploy/Dockerfile --tag latchkey .
