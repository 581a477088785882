#!/bin/bash
# stop.sh [--wipe]: stops the nginx that start.sh started; --wipe removes all state.
PEER=${PEER:-${TMPDIR:-/tmp}/needletail-peers/nginx}
if [ -s "$PEER/nginx.pid" ]; then
  pid=$(cat "$PEER/nginx.pid")
  if grep -qa nginx "/proc/$pid/cmdline" 2>/dev/null; then
    kill -TERM "$pid"
    for _ in $(seq 100); do [ -d "/proc/$pid" ] || break; sleep 0.05; done
    [ -d "/proc/$pid" ] && { echo "nginx $pid does not stop" >&2; exit 1; }
  fi
fi
[ "${1:-}" != --wipe ] || rm -rf "${PEER:?}"
exit 0
