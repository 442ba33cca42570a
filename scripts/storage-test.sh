#!/bin/bash
# Reports' files in a bucket: a server that speaks S3 (moto), a period closed into it, every file read back and verified; and
# what a command says when the bucket is away.
set -euo pipefail
baton=$(realpath "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
chmod 711 "$work"
server=
finish() {
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
venv=${STORAGE_VENV:-$root/target/storage-venv}
[ -x "$venv/bin/moto_server" ] || { python3 -m venv "$venv"; "$venv/bin/pip" install --quiet 'moto[server]==5.2.5'; }
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start() {
  "$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/s3.log" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    "$venv/bin/python" - "$port" <<'PY' && return
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/reports", method="PUT"), timeout=2)
PY
    sleep 0.1
  done
  cat "$work/s3.log" >&2
  exit 1
}
start 2>/dev/null
export BATON_DATA_DIR="$work/data" BATON_TENANT=acme
export BATON_STORAGE__S3_BUCKET=reports BATON_STORAGE__S3_REGION=us-east-1 BATON_STORAGE__S3_ENDPOINT="http://127.0.0.1:$port"
export BATON_STORAGE__S3_ACCESS_KEY_ID=test BATON_STORAGE__S3_SECRET_ACCESS_KEY=test
"$baton" tenant create acme >/dev/null
"$baton" billing plan add standard --effective-from 2020-01-01 >/dev/null
for product in ABC DEF GHI JKL MNO PQR STU VWX YZA BCD EFG; do "$baton" billing product add "$product" >/dev/null; done
"$baton" billing partner add northwind --email books@northwind.example --plan standard --time-zone UTC >/dev/null
"$baton" billing import --partner northwind "$root/domain/src/billing/sample.csv" >/dev/null
period=$(sed -n 's/.*\(2[0-9][0-9][0-9]-[01][0-9]\)-[0-3][0-9]T.*/\1/p' "$root/domain/src/billing/sample.csv" | head -1)
report=$("$baton" --output json billing close --partner northwind --period "$period" | "$venv/bin/python" -c 'import json,sys; row=json.load(sys.stdin); print((row[0] if isinstance(row, list) else row)["id"])')
"$baton" billing verify "$report" >/dev/null
for format in csv json xlsx pdf; do
  "$baton" billing report --partner northwind --period "$period" --file "$format" --to "$work/report.$format"
  [ -s "$work/report.$format" ]
done
[ ! -d "$work/data/files" ] || [ -z "$(find "$work/data/files" -type f)" ] || { echo 'files lie in the data folder, not in the bucket' >&2; exit 1; }
objects=$("$venv/bin/python" - "$port" <<'PY'
import re, sys, urllib.request
print(len(re.findall("<Key>", urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/reports").read().decode())))
PY
)
[ "$objects" = 4 ] || { echo "the bucket has $objects objects, not 4" >&2; exit 1; }
kill "$server"; wait "$server" 2>/dev/null || true; server=
if "$baton" billing report --partner northwind --period "$period" --file csv --to "$work/none.csv" 2>"$work/said"; then
  echo 'a bucket that is away gave a file' >&2; exit 1
fi
grep -q 'object storage' "$work/said" || { cat "$work/said" >&2; exit 1; }
echo 'Files in a bucket: closed, verified, read back; a bucket that is away is said to be.'
