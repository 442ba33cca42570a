#!/usr/bin/env bash
# Runs a command with its temporary files in memory, where there is room for them: tests make and remove many thousand small files, and
# wait for each that must be on the disk. scripts/in-memory.sh make rust-tests
set -euo pipefail

memory=/dev/shm
room_kb=$((8 * 1024 * 1024))
free_kb() {
  df --output=avail "$memory" 2>/dev/null | tail -1
  sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo
}
if [ -w "$memory" ] && [ "$(free_kb | sort -n | head -1)" -ge "$room_kb" ]; then
  TMPDIR=$(mktemp -d "$memory/baton-tests.XXXXXX")
  export TMPDIR
  # As in /tmp: Postgres may run as another user.
  chmod 1777 "$TMPDIR"
  trap 'rm -rf "$TMPDIR"' EXIT
fi
"$@"
