# Settings of the all-in-one Swift peer, sourced by the other scripts. The environment overrides.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PEER=${PEER:-${TMPDIR:-/tmp}/needletail-peers/swift}   # all state lives here
ETC=$PEER/etc
RUN=$PEER/run
LOG=$PEER/log
SRV=${SRV:-$PEER/srv}                 # data of 4 "nodes"
HOST=${HOST:-127.0.0.1}
PORT=${PORT:-8090}                    # node n: object PORT+10n, container PORT+10n+1, account +2
MEMCACHE_PORT=${MEMCACHE_PORT:-$((PORT + 1))}
PROXY_WORKERS=${PROXY_WORKERS:-2}
OBJ_WORKERS=${OBJ_WORKERS:-1}         # per node
AC_WORKERS=${AC_WORKERS:-1}           # account and container servers, per node
LOG_LEVEL=${LOG_LEVEL:-ERROR}         # INFO gives access logs in $LOG/swift.log
# dir: folders under $SRV (ext4: user xattrs end at ~4000 bytes); xfs: a loop-mounted image on $SRV
FS=${FS:-dir}
IMG=${IMG:-$PEER/xfs.img}; IMG_SIZE=${IMG_SIZE:-16G}
