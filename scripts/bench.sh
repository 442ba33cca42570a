#!/usr/bin/env bash
# Builds and runs the measures: scripts/bench.sh [import|rules|graphql|delivery]… [--scale 0.1] [--output json]
# `make bench ARGS='…'` installs first what this needs: psql, pgbench, wrk.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --quiet --release --locked --package bench -- "$@"
