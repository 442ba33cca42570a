#!/usr/bin/env bash
# Makes sure of the programs that are named: postgres, chromium, node, python, compiler. Installs what is missing with apt when it
# may, else says what to install.
set -euo pipefail

have() {
  case "$1" in
    postgres) ls /usr/lib/postgresql/1[5-9]/bin/initdb >/dev/null 2>&1 || { command -v initdb && command -v postgres; } >/dev/null 2>&1 ;;
    chromium) [ -x "${CHROMIUM:-/usr/bin/chromium}" ] ;;
    node) command -v node >/dev/null && command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ] ;;
    # Debian ships what makes virtual environments in a package of its own.
    python) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 ;;
    compiler) command -v cc >/dev/null && command -v c++ >/dev/null ;;
    rust) command -v cargo >/dev/null ;;
    wrk | pgbench) command -v "$1" >/dev/null || ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1 ;;
  esac
}

package() {
  case "$1" in
    postgres | pgbench) echo postgresql ;;
    chromium) echo chromium ;;
    node) echo nodejs npm ;;
    python) echo python3 python3-venv ;;
    compiler) echo build-essential ;;
    wrk) echo wrk ;;
  esac
}

missing=()
for program in "$@"; do
  have "$program" && continue
  if [ "$program" = rust ]; then
    echo "Rust is missing: install it from https://rustup.rs, then run this again." >&2
    exit 1
  fi
  # shellcheck disable=SC2207
  missing+=($(package "$program"))
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "Please install: ${missing[*]} (these are Debian's names), then run this again." >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  as_root=()
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "Please run: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${missing[*]} …" >&2
# A server that Debian starts by itself is not needed: Baton runs its own.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
for program in "$@"; do
  have "$program" || { echo "$program is still missing or too old after the installation; please install it by hand." >&2; exit 1; }
done
