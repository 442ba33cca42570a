#!/usr/bin/env bash
# The measured aims: each program prints its figures beside what the machine allows.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --quiet --release --package domain --example rules_speed
cargo run --quiet --release --package service --example delivery_speed
