#!/bin/bash
# stop.sh [--wipe]: stops rgw, osds, mgr, mon, in that order, by PID file only; --wipe removes all.
. "$(dirname "$0")/env.sh"
stop1() {
  local f="$RUN/$1.pid" p
  alive "$f" || { rm -f "$f" "$RUN/$1.asok"; return 0; }
  p=$(cat "$f"); kill -TERM "$p" 2>/dev/null
  for _ in $(seq 300); do [ -d "/proc/$p" ] || break; sleep 0.1; done
  [ -d "/proc/$p" ] && { echo "$1 ($p) slow to stop: SIGKILL" >&2; kill -KILL "$p"; sleep 0.5; }
  rm -f "$f" "$RUN/$1.asok"
}
stop1 client.rgw.a
# all OSDs at once
for i in $(seq 0 $((NOSD-1))); do stop1 "osd.$i" & done; wait
stop1 mgr.x
stop1 mon.a
[ "${1:-}" != --wipe ] || rm -rf "${DATA:?}"
exit 0
