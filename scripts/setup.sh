#!/usr/bin/env bash
# Makes a virtual environment with exactly the packages of requirements.lock, each checked against its hash, and this
# project installed editable. Running it again brings an older environment up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}

say() { printf '%s\n' "$*" >&2; }

# A name on the PATH is not enough: a pyenv shim may exist for a version that is not installed.
find_python() {
    local candidate
    for candidate in python3.11 python3 python /usr/bin/python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    say "Python 3.11 was not found (looked for python3.11, python3, python)."
    say "Debian 12: apt-get install python3.11 python3.11-venv. Elsewhere: install Python 3.11 and put it on the PATH."
    return 1
}

make_environment() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        say "$python comes without the modules venv and ensurepip, which Debian packs separately."
        if [[ ${CI:-} == true && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
            say "CI as root: installing python3.11-venv."
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3.11-venv >&2
        else
            say "Please run: apt-get install python3.11-venv   and then make setup again."
            return 1
        fi
    fi
    say "Making $venv with $("$python" --version)"
    "$python" -m venv "$venv"
}

is_python_311() { "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

if ! is_python_311; then
    rm -rf "$venv"
    make_environment
fi

say "Installing the packages of requirements.lock"
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
# uv installs in seconds what takes pip minutes; both check every hash, so pip is an equal second choice.
if "${pip[@]}" install --require-hashes -r scripts/uv.lock && "$venv/bin/uv" --version >/dev/null; then
    VIRTUAL_ENV="$PWD/$venv" "$venv/bin/uv" pip install --quiet --require-hashes -r requirements.lock
else
    say "uv is not to be had here; going on with pip, which takes some minutes."
    # --no-deps: the lock is complete, and pip takes "gql[requests]" for a package that the lock does not pin.
    "${pip[@]}" install --require-hashes --no-deps -r requirements.lock
    "${pip[@]}" check
fi

# Without build isolation nothing unlocked is fetched: setuptools is in the lock.
"${pip[@]}" install --no-build-isolation --no-deps --editable .
say "Ready: $venv/bin/factoryops"
