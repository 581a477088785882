#!/bin/bash
# Starts the Ceph cluster that create-from-scratch.sh made, and waits until the gateway answers.
# start.sh mon|mgr|osd|rgw starts one layer only.
set -euo pipefail
. "$(dirname "$0")/env.sh"
[ -f "$CONF" ] || { echo "no cluster in $DATA; run create-from-scratch.sh" >&2; exit 1; }
ulimit -n "$(ulimit -Hn)" || true
mkdir -p "$RUN"
what="${1:-all}"
launch() { # name, cmd...
  local n=$1; shift
  if alive "$RUN/$n.pid"; then return 0; fi
  rm -f "$RUN/$n.pid" "$RUN/$n.asok"
  # -f = foreground; setsid execs in place here, so $! is the daemon's own PID
  setsid "$@" -f -c "$CONF" >>"$DATA/log/$n.out" 2>&1 </dev/null &
  echo $! > "$RUN/$n.pid"
  for _ in $(seq 300); do
    [ -S "$RUN/$n.asok" ] && break
    [ -d "/proc/$(cat "$RUN/$n.pid")" ] || break
    sleep 0.05
  done
  alive "$RUN/$n.pid" || { echo "$n did not start; see $DATA/log/$n.{out,log}" >&2; exit 1; }
}
case $what in all|mon)
  launch mon.a ceph-mon -i a
  for _ in $(seq 60); do CT=15 C mon stat >/dev/null 2>&1 && break; sleep 0.3; done
esac
case $what in all|mgr)
  launch mgr.x ceph-mgr -i x
esac
case $what in all|osd)
  for i in $(seq 0 $((NOSD-1))); do launch "osd.$i" ceph-osd -i "$i"; done
  for _ in $(seq 120); do
    up=$(CT=15 C osd stat -f json 2>/dev/null | grep -o '"num_up_osds":[0-9]*' || true)
    up=${up#*:}
    [ "${up:-0}" = "$NOSD" ] && break; sleep 0.3
  done
  [ "${up:-0}" = "$NOSD" ] || { echo "only ${up:-0} of $NOSD OSDs up" >&2; exit 1; }
esac
case $what in all|rgw)
  launch client.rgw.a radosgw -n client.rgw.a
  info=/info
  for _ in $(seq 600); do
    c=$(curl -s -o /dev/null -m 2 -w '%{http_code}' "http://127.0.0.1:$PORT$info" || true)
    [ "$c" = 200 ] && break; sleep 0.1
  done
  [ "${c:-}" = 200 ] || { echo "radosgw not answering ($c)" >&2; exit 1; }
esac
