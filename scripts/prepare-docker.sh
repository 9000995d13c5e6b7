#!/usr/bin/env bash
# Makes ready what the container tests need: a Docker engine that answers and the OpenLDAP test image.
#
# A Docker that works is used as it is. Without one, and as root on Debian, it installs Docker from
# Debian's packages and starts the daemon; where base images cannot be pulled it makes the base image
# with debootstrap from the package mirror this machine already uses. Anything done is said.
# Run it as often as you like: what is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

IMAGE=directory-bridge-test-openldap
BASE=debian:bookworm-slim
DAEMON_LOG=${TMPDIR:-/tmp}/dockerd.log
DAEMON_START_SECONDS=60

say() { printf 'containers: %s\n' "$*"; }
give_up() { printf 'containers: %s\n' "$*" >&2; exit 1; }
answers() { docker info >/dev/null 2>&1; }
root_on_debian() { [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; }

apt_install() {
    say "installing $* from Debian's packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

start_daemon() {
    root_on_debian || give_up "no Docker engine answers, and only root on Debian can be given one here." \
        "Start Docker, or set BRIDGE_TEST_OPENLDAP_URI to an OpenLDAP of your own (CONTRIBUTING.md)."
    command -v dockerd >/dev/null || apt_install docker.io iptables apparmor
    answers && return
    say "starting dockerd, log in $DAEMON_LOG"
    setsid nohup dockerd >"$DAEMON_LOG" 2>&1 </dev/null &
    for _ in $(seq $((DAEMON_START_SECONDS * 2))); do
        answers && { say "stop it with: kill \$(cat /var/run/docker.pid)"; return; }
        sleep 0.5
    done
    tail -n 20 "$DAEMON_LOG" >&2
    give_up "dockerd did not answer within $DAEMON_START_SECONDS seconds"
}

import_base() {
    root_on_debian || give_up "cannot pull $BASE"
    say "$BASE cannot be pulled: making it with debootstrap"
    command -v debootstrap >/dev/null || apt_install debootstrap
    local mirror root log
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | head -n 1)
    [ -n "$mirror" ] || give_up "apt knows no Debian mirror: run apt-get update"
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    log=$(debootstrap --variant=minbase bookworm "$root" "$mirror" 2>&1) \
        || { tail -n 20 <<<"$log" >&2; give_up "debootstrap failed"; }
    rm -f "$root"/var/cache/apt/archives/*.deb
    tar -C "$root" -c . | docker import - "$BASE" >/dev/null
}

answers || start_daemon
docker image inspect "$BASE" >/dev/null 2>&1 || docker pull -q "$BASE" >/dev/null 2>&1 || import_base

# The build's own network would need an address range and a resolver; the machine's has both.
output=$(docker build --network=host -t "$IMAGE" deploy/openldap 2>&1) \
    || { printf '%s\n' "$output" >&2; give_up "building $IMAGE failed"; }
say "ready: $IMAGE"
