#!/usr/bin/env bash
# Installs what is missing: with apt where it may (as root, or with sudo that asks nothing), else it names what to install.
#   install.sh demo | test
set -euo pipefail

wanted=${1:?demo or test}
missing=()

have() { command -v "$1" >/dev/null 2>&1; }

have_postgres() {
    have initdb && have postgres && return
    local folder
    for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin; do
        [ -x "$folder/initdb" ] && return
    done
    return 1
}

have_chromium() { have chromium || have chromium-browser || have google-chrome || [ -x "${CHROMIUM:-}" ]; }

have_compiler() { have cc && have make; }

# libSQL and the cryptography are C.
have_compiler || missing+=(build-essential)
have_postgres || missing+=(postgresql)
have node && have npm || missing+=(nodejs npm)
if [ "$wanted" = test ]; then
    have_chromium || missing+=(chromium)
fi

if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
    if have apt-get && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
        echo "Installing: ${missing[*]}" >&2
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
    else
        echo "Please install: ${missing[*]} (Debian's names), then run this again." >&2
        exit 1
    fi
fi

if ! have cargo; then
    echo "Please install Rust 1.94 or newer: https://rustup.rs" >&2
    exit 1
fi
