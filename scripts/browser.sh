#!/usr/bin/env bash
# Starts a demo in a folder of its own, drives its dashboard in headless Chromium, and ends it.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
log="$folder/demo.log"
demo=

finish() {
    local status=$?
    if [ -n "$demo" ]; then
        kill -TERM "$demo" 2>/dev/null || true
        wait "$demo" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ]; then tail -n 40 "$log" >&2 || true; fi
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT

cargo build --quiet --package api --bin baton
baton="$(cargo metadata --format-version 1 --no-deps | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')/debug/baton"
"$baton" demo --data-dir "$folder/data" >"$log" 2>&1 </dev/null &
demo=$!

for _ in $(seq 1 300); do
    if grep -q '^Ctrl-C ends it' "$log"; then break; fi
    kill -0 "$demo" 2>/dev/null || { echo "The demo did not start." >&2; exit 1; }
    sleep 0.2
done
url=$(sed -n 's/^ *Dashboard *//p' "$log")
[ -n "$url" ] || { echo "The demo did not become ready in a minute." >&2; exit 1; }

# Deliveries that fail for good do so within seconds of their import.
sleep 5
browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
cd dashboard
BATON_URL=$url BATON_TENANT=acme BATON_EMAIL=admin@example.com BATON_PASSWORD=$(cat "$folder/data/demo-password") \
    BATON_SAMPLES="$PWD/../tests/fixtures" CHROMIUM=$browser npm run e2e --silent </dev/null
