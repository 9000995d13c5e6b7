#!/usr/bin/env bash
# Makes ready the directory servers of the tests that come from Debian's packages instead of an image:
# 389 Directory Server and Samba (Active Directory). OpenLDAP runs in a container: prepare-docker.sh.
#
# What is installed already is left alone; nothing is started, and what Debian's packages would start is
# kept from starting. Without root, or elsewhere than on Debian, it says what is missing and goes on: the
# tests that need it say so and are skipped, unless BRIDGE_TEST_REQUIRE names it.
set -euo pipefail

WANTED="389-ds-base ldap-utils samba samba-ad-provision samba-dsdb-modules samba-vfs-modules"

say() { printf 'directories: %s\n' "$*"; }

missing=
if command -v dpkg-query >/dev/null; then
    for package in $WANTED; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
else
    missing=" $WANTED"
fi
[ -n "$missing" ] || { say "ready: 389 Directory Server, Samba"; exit 0; }

if [ "$(id -u)" != 0 ] || [ ! -e /etc/debian_version ] || ! command -v apt-get >/dev/null; then
    say "not installed:$missing; only root on Debian is given them here"
    case ",${BRIDGE_TEST_REQUIRE:-}," in *,389ds,*|*,samba,*) exit 1 ;; esac
    exit 0
fi

say "installing$missing from Debian's packages"
# The servers of the tests are started by the tests; Debian's own instances stay off (policy-rc.d, 101).
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
say "ready: 389 Directory Server, Samba"
