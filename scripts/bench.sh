#!/usr/bin/env bash
# Builds and runs the measures: scripts/bench.sh [import|rules|graphql|delivery]… [--scale 0.1] [--output json]
# Installs the programs that give the yardsticks where it may, else names them.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v psql >/dev/null || missing+=(postgresql-client)
command -v pgbench >/dev/null || missing+=(postgresql)
command -v wrk >/dev/null || missing+=(wrk)
if ((${#missing[@]})); then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >&2
    else
        echo "make bench needs these packages: ${missing[*]}" >&2
        exit 1
    fi
fi

exec cargo run --quiet --release --package bench -- "$@"
