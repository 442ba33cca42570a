#!/bin/bash
# Reports' files in a bucket: a server that speaks S3 (moto), a period closed into it, every file read back and verified; a file
# that goes up in parts, one of which is refused at first; parts of it fetched; and what a command says when the bucket is away.
set -euo pipefail
baton=$(realpath "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
chmod 711 "$work"
server='' proxy='' web='' keeper=''
finish() {
  for running in $web $keeper $proxy $server; do
    kill "$running" 2>/dev/null && wait "$running" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
venv=${STORAGE_VENV:-$root/target/storage-venv}
[ -x "$venv/bin/moto_server" ] || { python3 -m venv "$venv"; "$venv/bin/pip" install --quiet 'moto[server]==5.2.5'; }
free_port() {
  "$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
port=$(free_port)
start() {
  "$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/s3.log" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    "$venv/bin/python" - "$port" 2>/dev/null <<'PY' && return
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/reports", method="PUT"), timeout=2)
PY
    sleep 0.1
  done
  cat "$work/s3.log" >&2
  exit 1
}
start
export BATON_DATA_DIR="$work/data" BATON_TENANT=acme
export BATON_STORAGE__S3_BUCKET=reports BATON_STORAGE__S3_REGION=us-east-1 BATON_STORAGE__S3_ENDPOINT="http://127.0.0.1:$port"
export BATON_STORAGE__S3_ACCESS_KEY_ID=test BATON_STORAGE__S3_SECRET_ACCESS_KEY=test
# Postgres runs as long as anybody uses it: it need not start and stop for each command.
BATON_HTTP__LISTEN=127.0.0.1:0 "$baton" serve --no-worker >"$work/server.log" 2>&1 &
keeper=$!
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

# A file of more than five megabytes goes up in parts. This one's way leads through a proxy that refuses the second part for as
# long as a file says so; every other request passes.
cat >"$work/proxy.py" <<'PY'
import http.client, http.server, os, sys

port, bucket, refusing = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
OF_THE_CONNECTION = {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}

def passed_on(headers):
    return [(name, value) for name, value in headers.items() if name.lower() not in OF_THE_CONNECTION]

class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def relay(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.command == "PUT" and "partNumber=2" in self.path and os.path.exists(refusing):
            return self.answer(500, [], b"", 0)
        onward = http.client.HTTPConnection("127.0.0.1", bucket, timeout=60)
        onward.request(self.command, self.path, body, dict(passed_on(self.headers)))
        got = onward.getresponse()
        content = got.read()
        length = int(got.headers.get("content-length") or 0) if self.command == "HEAD" else len(content)
        self.answer(got.status, passed_on(got.headers), content, length)

    def answer(self, status, headers, content, length):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(length))
        self.end_headers()
        self.wfile.write(content)

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = relay

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", port), Proxy).serve_forever()
PY
through=$(free_port)
"$venv/bin/python" "$work/proxy.py" "$through" "$port" "$work/refusing" &
proxy=$!
by_proxy() {
  BATON_STORAGE__S3_ENDPOINT="http://127.0.0.1:$through" "$baton" "$@"
}
"$baton" billing partner add contoso --email books@contoso.example --plan standard --time-zone UTC >/dev/null
awk -v month="$period" 'BEGIN {
  print "occurred_at,email,product,lead_type,action_type,level"
  # Long lines make the file large; what costs time is their number.
  domain = "a-department-with-a-very-long-name-that-says-all-that-it-does.an-office-far-from-all-the-others-in-a-house-of-its-own.a-region-of-many-counties-and-towns-on-both-banks.example.com"
  for (n = 0; n < 14000; n++)
    printf "%s-%02dT09:00:00Z,somebody.with.a.long.name.%05d@%s,ABC,Event,Click,High\n", month, 1 + n % 28, n, domain
}' >"$work/actions.csv"
"$baton" billing import --partner contoso "$work/actions.csv" >/dev/null
touch "$work/refusing"
large=$(by_proxy --output json billing close --partner contoso --period "$period" 2>/dev/null | "$venv/bin/python" -c 'import json,sys; row=json.load(sys.stdin); print((row[0] if isinstance(row, list) else row)["id"])')
if by_proxy billing report --partner contoso --period "$period" --file json --to "$work/large.json" 2>"$work/said"; then
  echo 'an upload that broke off gave a file' >&2; exit 1
fi
grep -q 'object storage' "$work/said" || { cat "$work/said" >&2; exit 1; }
[ ! -e "$work/large.json" ] || { echo 'an upload that broke off left a file' >&2; exit 1; }
in_bucket() {
  "$venv/bin/python" - "$port" "$@" <<'PY'
import re, sys, urllib.request

port, of_parts = sys.argv[1], sys.argv[2] == "whole-and-of-parts"
ask = lambda query: urllib.request.urlopen(f"http://127.0.0.1:{port}/reports{query}").read().decode()
objects = re.findall("<Contents>.*?</Contents>", ask(""), re.DOTALL)
large = [one for one in objects if re.search(r"\.json</Key>", one)]
# What is made of parts says so in its tag.
tagged = [one for one in large if re.search(r"-\d+[^<]{0,6}</ETag>", one)]
begun = len(re.findall("<Upload>", ask("?uploads")))
expected = (2, 1, 0) if of_parts else (1, 0, 0)
if (len(large), len(tagged), begun) != expected:
    sys.exit(f"JSON files, of these of parts, uploads begun: {len(large)}, {len(tagged)}, {begun}, not {expected}")
PY
}
in_bucket nothing-of-it
rm "$work/refusing"
by_proxy billing report --partner contoso --period "$period" --file json --to "$work/large.json"
in_bucket whole-and-of-parts
"$baton" billing verify "$large" >/dev/null

# Parts of it over HTTP, one of them across the seam of two parts.
listen=$(free_port)
key=$("$baton" --output json key create reader --role admin 2>/dev/null | "$venv/bin/python" -c 'import json,sys; print(json.load(sys.stdin)["secret"])')
BATON_HTTP__LISTEN="127.0.0.1:$listen" "$baton" serve --no-worker >"$work/web.log" 2>&1 &
web=$!
for _ in $(seq 100); do
  "$venv/bin/python" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$listen/readyz', timeout=2)" 2>/dev/null && break
  kill -0 "$web" 2>/dev/null || { cat "$work/web.log" >&2; exit 1; }
  sleep 0.2
done
"$venv/bin/python" - "http://127.0.0.1:$listen/reports/$large/report.json" "$work/large.json" 3<<<"$key" <<'PY'
import hashlib, json, os, sys, urllib.error, urllib.request

address, path = sys.argv[1:]
key = os.fdopen(3).read().strip()
whole = open(path, "rb").read()

def fetch(**headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}", **named})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers, answer.read()

def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, not {wanted!r}")

expect("lines", len(json.loads(whole)["lines"]), 14_000)
tag = '"' + hashlib.sha256(whole).hexdigest() + '"'
status, headers, body = fetch()
expect("whole", (status, headers["etag"], body == whole), (200, tag, True))
seam = 5 * 1024 * 1024
for asked, first, last in [
    (f"bytes={seam - 100}-{seam + 99}", seam - 100, seam + 99),
    (f"bytes={seam}-", seam, len(whole) - 1),
    ("bytes=-1000", len(whole) - 1000, len(whole) - 1),
]:
    status, headers, body = fetch(range=asked, if_range=tag)
    expect(asked, (status, headers["content-range"]), (206, f"bytes {first}-{last}/{len(whole)}"))
    expect(asked, body == whole[first : last + 1], True)
expect("a part of another file", fetch(range="bytes=0-9", if_range='"another"')[0], 200)
expect("beyond the end", fetch(range=f"bytes={len(whole)}-")[0], 416)
expect("known already", (fetch(if_none_match=tag)[0], fetch(if_none_match=f"W/{tag}")[0]), (304, 304))
PY
kill "$web"; wait "$web" 2>/dev/null || true; web=''

kill "$server"; wait "$server" 2>/dev/null || true; server=
if "$baton" billing report --partner northwind --period "$period" --file csv --to "$work/none.csv" 2>"$work/said"; then
  echo 'a bucket that is away gave a file' >&2; exit 1
fi
grep -q 'object storage' "$work/said" || { cat "$work/said" >&2; exit 1; }
echo 'Files in a bucket: closed, verified, read back, whole and in parts; a bucket that is away is said to be.'
