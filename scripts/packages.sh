#!/usr/bin/env bash
# packages.sh NAME... : makes sure that these Debian or Ubuntu packages are installed. Quick, and needs no privilege,
# when they are. A NAME that ends in '?' is only installed where the distribution has it.
set -euo pipefail

missing=() optional=()
for name in "$@"; do
    # The status is "ok installed" only for a package that is entirely there: one that was removed keeps its entry.
    if [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "${name%\?}" 2>/dev/null) == ?i* ]]; then
        continue
    elif [[ $name == *\? ]]; then
        optional+=("${name%\?}")
    else
        missing+=("$name")
    fi
done
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
    echo "sockhop: this is no Debian or Ubuntu: install what they call '${missing[*]}', then run make with PACKAGES=''" >&2
    exit 1
elif ((EUID)); then
    echo "sockhop: packages are missing, and only root can install them. As root: apt-get install ${missing[*]}" >&2
    exit 1
fi

# What apt prints matters only when it fails.
log=$(mktemp)
quietly() { "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2 && echo "sockhop: failed: $*" >&2 && exit 1; }; }

# Servers that come with the test packages must not start by themselves. Init scripts and units alike ask this file,
# where there is one; if the machine has its own, its owner's word stands. Ours goes away again, and the mark lets a
# later run take over what a killed one left.
policy=/usr/sbin/policy-rc.d
mark='# sockhop: no services while test packages are installed; may be deleted'
ours=
trap 'rm -f "$log" $ours' EXIT
if [[ ! -e $policy ]] || grep -qxF "$mark" "$policy"; then
    ours=$policy
    printf '%s\n' '#!/bin/sh' "$mark" 'exit 101' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
apt=(apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
echo "sockhop: installing ${missing[*]}"
quietly "${apt[@]}" update
for name in "${optional[@]}"; do
    # A purely virtual package has no candidate, or one that reads (none).
    if [[ $(apt-cache policy "$name") =~ Candidate:\ [^\(] ]]; then
        missing+=("$name")
    fi
done
quietly "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"
