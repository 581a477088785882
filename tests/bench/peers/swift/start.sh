#!/bin/bash
# Starts OpenStack Swift from Debian's packages: proxy, three servers for each of four nodes,
# memcached. Settings: env.sh. Nothing in /etc is read or written.
set -e
cd "$(dirname "$0")"; . ./env.sh
if ls $RUN/*.pid >/dev/null 2>&1; then
  echo "PID files present in $RUN: run stop.sh first" >&2
  exit 1
fi
./setup.sh
export PEER_ETC=$ETC
spawn() { # name cmd...
  local name=$1; shift
  setsid nohup "$@" </dev/null >>$LOG/$name.out 2>&1 &
  echo $! > $RUN/$name.pid
}
spawn logsink /usr/bin/python3 $HERE/logsink.py $RUN/log.sock $LOG/swift.log
spawn memcached /usr/bin/memcached -u nobody -l 127.0.0.1 -p $MEMCACHE_PORT -m 256 -c 4096
sleep 0.5
for n in 1 2 3 4; do
  for t in account container object; do
    spawn $t-$n /usr/bin/python3 $HERE/launch.py $t-server $ETC/$t-server/$n.conf
  done
done
spawn proxy /usr/bin/python3 $HERE/launch.py proxy-server $ETC/proxy-server.conf
for i in $(seq 240); do
  ok=1
  for p in $PORT $(for n in 1 2 3 4; do seq $((PORT + 10 * n)) $((PORT + 10 * n + 2)); done); do
    code=$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:$p/healthcheck || true)
    [ "$code" = 200 ] || { ok=0; break; }
  done
  [ $ok = 1 ] && { echo "peer up on http://$HOST:$PORT/auth/v1.0"; exit 0; }
  sleep 0.5
done
echo "peer did not come up; see $LOG" >&2; exit 1
