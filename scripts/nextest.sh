#!/usr/bin/env bash
# cargo nextest, each test in a process of its own; where it is not installed, cargo test.
set -euo pipefail
cd "$(dirname "$0")/.."
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run "$@" </dev/null
fi
exec cargo test "$@" </dev/null
