#!/bin/bash
# stop.sh [--wipe]: stops exactly what start.sh started (by PID file); --wipe removes all state.
cd "$(dirname "$0")"; . ./env.sh
# memcached and the log sink last: servers that stop still speak to them.
for f in $(ls $RUN/*.pid 2>/dev/null | grep -v -e memcached -e logsink) \
    $(ls $RUN/memcached.pid $RUN/logsink.pid 2>/dev/null); do
  pid=$(cat $f)
  if grep -qaE "$PEER|launch.py|memcached|logsink.py" /proc/$pid/cmdline 2>/dev/null; then
    # each was started with setsid: pid == its process group; workers are in the same group
    kill -TERM -- -$pid 2>/dev/null || kill -TERM $pid 2>/dev/null
    for i in $(seq 50); do kill -0 $pid 2>/dev/null || break; sleep 0.1; done
    kill -0 $pid 2>/dev/null && kill -KILL -- -$pid 2>/dev/null
  fi
  rm -f $f
done
if [ "$1" = --wipe ] && [ -f $IMG ]; then mountpoint -q $SRV && umount $SRV; rm -f $IMG; fi
mountpoint -q $SRV && umount $SRV
if [ "$1" = --wipe ]; then rm -rf "${PEER:?}"; fi
exit 0
