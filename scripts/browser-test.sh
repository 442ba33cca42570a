#!/usr/bin/env bash
# The dashboard in headless Chromium against the real server: a private Postgres and two tenants whose tests run beside each
# other. Each has three sources and a destination that refuses everything (so that there is something to retry).
# scripts/browser-test.sh path/to/baton [what playwright takes: a file, -g 'a name'].
set -euo pipefail
cd "$(dirname "$0")/.."
baton=$(realpath "${1:?usage: browser-test.sh path/to/baton [playwright arguments]}")
shift

work=$(mktemp -d)
# The private Postgres may run as another user: it must be able to enter.
chmod 711 "$work"
server=
finish() {
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT

port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
export BATON_DATA_DIR="$work/data" BATON_HTTP__LISTEN="127.0.0.1:$port" BATON_DELIVERY__ALLOW_PRIVATE_ADDRESSES=true
# What is compiled of the tests serves the next run too.
export PWTEST_CACHE_DIR="$PWD/dashboard/node_modules/.cache/playwright"
# Not exported: to the program every BATON_ name is a key of its configuration.
url="http://127.0.0.1:$port" email=admin@example.com password="correct horse battery"

set_up() {
  local -x BATON_TENANT=$1
  printf '%s' "$password" | "$baton" user create "$email" --role owner
  for kind in experian transunion leadsource; do
    "$baton" source add "$kind" --kind "$kind"
  done
  # Nothing takes a POST there: every delivery is refused with 405.
  "$baton" destination add refusing --kind webhook --url "$url/healthz"
  # More leads than a page has.
  "$baton" import --source transunion tests/fixtures/transunion.csv || [ $? -eq 3 ]
  "$baton" import --source leadsource tests/fixtures/leadsource.json || [ $? -eq 3 ]
}
"$baton" tenant create acme --name "Acme Mortgage" >/dev/null
"$baton" tenant create globex --name "Globex Lending" >/dev/null
set_up acme >/dev/null &
set_up globex >/dev/null
wait $!

"$baton" serve >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  node -e "fetch('$url/readyz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))" && break
  kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; exit 1; }
  sleep 0.2
done

BATON_URL="$url" BATON_TENANT=acme BATON_SECOND_TENANT=globex BATON_EMAIL="$email" BATON_PASSWORD="$password" BATON_SAMPLES="$PWD/tests/fixtures" npm --prefix dashboard run --silent e2e -- --max-failures=3 "$@" 2>&1 | tee "$work/e2e.log" || {
  echo "--- the server's log, last lines:"
  tail -n 40 "$work/server.log" | cut -c 1-300
  echo "--- what failed:"
  grep -v '✓' "$work/e2e.log" | tail -n 80
  exit 1
}
