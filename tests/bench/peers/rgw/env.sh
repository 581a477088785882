# Settings of the Ceph peer, sourced by the other scripts. The environment overrides.
BASE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
DATA="${PEER:-${TMPDIR:-/tmp}/needletail-peers/rgw}"   # all state lives here; rm -rf = gone
RUN="$DATA/run"
CONF="$DATA/ceph.conf"
NOSD="${NOSD:-3}"
OSD_SIZE="${OSD_SIZE:-12G}"             # size of the file behind each bluestore
PORT="${PORT:-7480}"
OSD_MEM="${OSD_MEM:-2147483648}"
export CEPH_CONF="$CONF"
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
C() { timeout "${CT:-60}" ceph -c "$CONF" --connect-timeout 20 "$@"; }
alive() { # pidfile, expected comm prefix
  [ -s "$1" ] || return 1
  local p; p=$(cat "$1"); [ -d "/proc/$p" ] || return 1
  case "$(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null)" in *"$CONF"*) return 0;; esac
  return 1
}
