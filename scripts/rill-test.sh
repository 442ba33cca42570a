#!/bin/bash
# The Rill project over what `baton export parquet` writes: the demo's leads, exported, through every model and measure in DuckDB.
set -euo pipefail
baton=$(realpath "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
chmod 755 "$work"
server=
finish() {
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
venv=${RILL_VENV:-$root/target/rill-venv}
[ -x "$venv/bin/python" ] || { python3 -m venv "$venv"; "$venv/bin/pip" install --quiet duckdb==2.0.0 pyyaml==6.0.3; }
cd "$work"
"$baton" --data-dir "$work/data" demo --once > "$work/demo.log" 2>&1 || { cat "$work/demo.log"; exit 1; }
# Postgres runs as long as anybody uses it: it need not start and stop for each command.
BATON_HTTP__LISTEN=127.0.0.1:0 "$baton" --data-dir "$work/data" serve --no-worker >"$work/server.log" 2>&1 &
server=$!
tenant=$("$baton" --data-dir "$work/data" --output json tenant list | "$venv/bin/python" -c 'import json,sys; print(json.load(sys.stdin)[0]["slug"])')
for source in $("$baton" --data-dir "$work/data" --tenant "$tenant" --output json source list | "$venv/bin/python" -c 'import json,sys; print(*[row["slug"] for row in json.load(sys.stdin)])'); do
  "$baton" --data-dir "$work/data" --tenant "$tenant" source cost "$source" --per-lead 2.50 --from 2020-01-01
done
"$baton" --data-dir "$work/data" --tenant "$tenant" export parquet --out "$work/export"
# The list comes in pages; the next begins after the last lead of the one before.
leads=0 after=()
while :; do
  page=$("$baton" --data-dir "$work/data" --tenant "$tenant" --output json leads list --limit 100 "${after[@]}" 2>/dev/null)
  read -r count last < <("$venv/bin/python" -c 'import json,sys; rows=json.load(sys.stdin); print(len(rows), rows[-1]["id"] if rows else "-")' <<<"$page")
  leads=$((leads + count))
  [ "$count" -eq 100 ] || break
  after=(--after "$last")
done
"$venv/bin/python" "$root/deploy/rill/check.py" "$work/export" "lead=$leads" "amount=$leads"
