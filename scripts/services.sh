#!/usr/bin/env bash
# Sees to the programs that some tests start for themselves. As root on Debian they are installed; otherwise what is missing is
# named, with the tests that will not run. Fails only in CI (CI=true), where no test may be left out.
set -euo pipefail

# program | Debian package | what it is for
services=(
    "mosquitto|mosquitto|the MQTT broker: ingest, end-to-end and crash tests (marker: broker)"
    "mosquitto_pub|mosquitto-clients|publishing as a device would: README's example (marker: broker)"
    "postgres|postgresql|PostgreSQL: the database tests' second half (marker: postgres)"
    "chromium|chromium|a browser: pages as a person sees them (marker: browser)"
    "caddy|caddy|the TLS proxy: deploy/compose.yaml run as plain processes"
    "softhsm2-util|softhsm2|a signing key in a token: reports sealed through PKCS#11"
)

has() {
    case $1 in
        # Debian keeps the server's programs out of the PATH.
        postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null ;;
        # ... and /usr/sbin is not on the PATH of people who are not root.
        *) command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 ]] ;;
    esac
}

list_missing() {
    missing=()
    local entry
    for entry in "${services[@]}"; do
        has "${entry%%|*}" || missing+=("$entry")
    done
}

packages_of_missing() { printf '%s\n' "${missing[@]}" | cut -d'|' -f2; }

list_missing
if ((${#missing[@]} > 0)) && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    mapfile -t packages < <(packages_of_missing)
    echo "Installing what the tests need: ${packages[*]}" >&2
    # The broker and the database must not start as system services: tests start their own, on their own ports.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get update -qq >&2 || echo "apt-get update failed; trying with the package lists at hand." >&2
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2 || echo "apt-get could not install all of: ${packages[*]}" >&2
    list_missing
fi

((${#missing[@]} > 0)) || exit 0
{
    echo "=================================================================================================="
    echo "NOT ALL TESTS WILL RUN. These programs are missing:"
    for entry in "${missing[@]}"; do
        IFS='|' read -r program package purpose <<<"$entry"
        printf '  %-14s (Debian package %s): %s\n' "$program" "$package" "$purpose"
    done
    echo "To run them too, as root: apt-get install $(packages_of_missing | tr '\n' ' ')"
    echo "=================================================================================================="
} >&2
[[ ${CI:-} != true ]]
