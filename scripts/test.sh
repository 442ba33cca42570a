#!/usr/bin/env bash
# Everything that must hold before a change goes in. Stops at the first part that does not.
set -euo pipefail
cd "$(dirname "$0")/.."

part() { printf '\n== %s\n' "$*" >&2; }

part Formatting
cargo fmt --all --check

# Before the program is compiled: its files are embedded in it.
part The dashboard builds
scripts/dashboard.sh build

part Lints
cargo clippy --workspace --all-targets --quiet -- -D warnings

part Documentation
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

part Tests
scripts/nextest.sh --workspace
cargo test --workspace --doc --quiet </dev/null

part The published schema is the one that the program has
cargo run --quiet --package api --bin baton -- schema | diff -u schema.graphql -

part The dashboard by itself
scripts/dashboard.sh check

part The dashboard in a browser
scripts/dashboard.sh browser

part All passed
