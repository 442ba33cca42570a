#!/usr/bin/env bash
# The dashboard.
#   dashboard.sh build    builds dashboard/dist, unless it is newer than everything that it is made from
#   dashboard.sh check    types, lints, unit tests
#   dashboard.sh browser  drives a running demo in Chromium
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -f dashboard/package.json ]; then
    echo "There is no dashboard here: without it the server answers with a page that says so." >&2
    exit 0
fi

# Vite needs 20.19 or newer.
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
    echo "The dashboard needs Node.js 20.19 or newer (there is $(node --version 2>/dev/null || echo none)): https://nodejs.org" >&2
    # Without it everything but the pages works.
    if [ "$1" = build ] && [ "${CI:-}" != true ]; then exit 0; else exit 1; fi
fi

packages() {
    if [ ! -f dashboard/node_modules/.package-lock.json ] || [ dashboard/package-lock.json -nt dashboard/node_modules/.package-lock.json ]; then
        # The browser that tests use is the system's.
        PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix dashboard ci --no-audit --no-fund --loglevel=error </dev/null
    fi
}

case "$1" in
build)
    if [ -f dashboard/dist/index.html ] &&
        [ -z "$(find dashboard schema.graphql -newer dashboard/dist/index.html -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/src/gql/*' -print -quit)" ]; then
        exit 0
    fi
    packages
    npm --prefix dashboard run build --silent </dev/null
    ;;
check)
    packages
    npm --prefix dashboard run check --silent </dev/null
    ;;
browser)
    packages
    exec scripts/browser.sh
    ;;
*)
    echo "build, check or browser" >&2
    exit 2
    ;;
esac
