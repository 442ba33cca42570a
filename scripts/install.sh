#!/usr/bin/env bash
# Makes sure of the programs that are named: rust, rust-tools, compiler, postgres, node, python, chromium, pgbench, wrk. Installs
# what is missing with apt when it may, else says what to install.
set -euo pipefail

have() {
  case "$1" in
    postgres) ls /usr/lib/postgresql/1[5-9]/bin/initdb >/dev/null 2>&1 || { command -v postgres && [ "$(initdb --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')" -ge 15 ]; } >/dev/null 2>&1 ;;
    chromium) [ -x "${CHROMIUM:-/usr/bin/chromium-headless-shell}" ] ;;
    # What the dashboard's build tool runs on.
    node) command -v npm >/dev/null && node -e '
      const [major, minor] = process.versions.node.split(".").map(Number)
      process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1)' 2>/dev/null ;;
    # Debian ships what makes virtual environments in a package of its own.
    python) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 ;;
    compiler) command -v cc >/dev/null && command -v c++ >/dev/null ;;
    rust) command -v cargo >/dev/null ;;
    rust-tools) cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 ;;
    wrk | pgbench) command -v "$1" >/dev/null || ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1 ;;
  esac
}

package() {
  case "$1" in
    postgres | pgbench) echo postgresql ;;
    chromium) echo chromium-headless-shell ;;
    node) echo nodejs npm ;;
    python) echo python3 python3-venv ;;
    compiler) echo build-essential ;;
    wrk) echo wrk ;;
  esac
}

wanted() {
  case "$1" in
    postgres) echo 'PostgreSQL 15 or newer' ;;
    node) echo 'Node.js 20.19, or 22.12 and newer, with npm' ;;
    python) echo 'Python 3 with venv' ;;
    chromium) echo 'Chromium without windows (another one: CHROMIUM=/path/to/it)' ;;
    *) echo "$1" ;;
  esac
}

missing=() named=
for program in "$@"; do
  have "$program" && continue
  case "$program" in
    rust) echo "Rust is missing: install it from https://rustup.rs, then run this again." >&2; exit 1 ;;
    rust-tools) echo "rustfmt or clippy is missing: run \`rustup component add rustfmt clippy\`, then this again." >&2; exit 1 ;;
  esac
  # shellcheck disable=SC2207
  missing+=($(package "$program"))
  named="${named:+$named; }$(wanted "$program")"
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "Please install: $named (Debian calls it ${missing[*]}), then run this again." >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  as_root=()
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "Needed: $named. Please run: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${missing[*]} …" >&2
# A server that Debian starts by itself is not needed: Baton runs its own.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
for program in "$@"; do
  have "$program" && continue
  echo "Still missing or too old after the installation: $(wanted "$program"). Please install it by hand, then run this again." >&2
  exit 1
done
