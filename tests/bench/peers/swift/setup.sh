#!/bin/bash
# Writes the configuration and rings and makes the data folders; harmless when they are there.
set -e
cd "$(dirname "$0")"; . ./env.sh
mkdir -p $ETC $RUN $LOG $SRV $PEER/cache
for d in account-server container-server object-server; do mkdir -p $ETC/$d; done

cat > $ETC/swift.conf <<EOF
[swift-hash]
swift_hash_path_prefix = peerprefix
swift_hash_path_suffix = peersuffix

[storage-policy:0]
name = gold
policy_type = replication
default = yes

[storage-policy:1]
name = silver
policy_type = replication

[swift-constraints]
EOF
cat > $ETC/container-sync-realms.conf <<EOF
[saio]
key = changeme
key2 = changeme
cluster_saio_endpoint = http://$HOST:$PORT/v1/
EOF

PIPE="catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl
  ratelimit crossdomain container_sync tempauth formpost staticweb copy container-quotas
  account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server"
PIPE=$(echo $PIPE)
cat > $ETC/proxy-server.conf <<EOF
[DEFAULT]
bind_ip = $HOST
bind_port = $PORT
workers = $PROXY_WORKERS
user = swift
swift_dir = $ETC
log_address = $RUN/log.sock
log_level = $LOG_LEVEL
eventlet_debug = false
expose_info = true

[pipeline:main]
pipeline = $PIPE

[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
# a small busy machine: wait instead of giving up (these change nothing while requests succeed)
conn_timeout = 5
node_timeout = 60
recoverable_node_timeout = 30
error_suppression_interval = 1
error_suppression_limit = 1000000

[filter:tempauth]
use = egg:swift#tempauth
reseller_prefix = AUTH, SERVICE
SERVICE_require_group = service
account_acls = true
user_admin_admin = admin .admin .reseller_admin
user_admin_auditor = admin_ro .reseller_reader
user_test_tester = testing .admin
user_test_tester2 = testing2 .admin
user_test_tester3 = testing3
user_test2_tester2 = testing2 .admin
user_test5_tester5 = testing5 service
user_test_tester6 = testing6 .reseller_admin

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$MEMCACHE_PORT
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:ratelimit]
use = egg:swift#ratelimit
[filter:crossdomain]
use = egg:swift#crossdomain
[filter:container_sync]
use = egg:swift#container_sync
current = //saio/saio_endpoint
[filter:formpost]
use = egg:swift#formpost
[filter:staticweb]
use = egg:swift#staticweb
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
allow_async_delete = true
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
EOF
if [ "$FS" = xfs ] && ! mountpoint -q $SRV; then
  [ -f $IMG ] || { truncate -s $IMG_SIZE $IMG; mkfs.xfs -q -f $IMG; }
  mount -o loop,noatime $IMG $SRV
fi
for n in 1 2 3 4; do
  mkdir -p $SRV/node$n/sdb$n
  for t in account:2:$AC_WORKERS container:1:$AC_WORKERS object:0:$OBJ_WORKERS; do
    IFS=: read typ off w <<<"$t"
    cat > $ETC/$typ-server/$n.conf <<EOF
[DEFAULT]
devices = $SRV/node$n
mount_check = false
bind_ip = 127.0.0.1
bind_port = $((PORT + 10 * n + off))
workers = $w
user = swift
swift_dir = $ETC
log_address = $RUN/log.sock
log_level = $LOG_LEVEL
eventlet_debug = false
fallocate_reserve = 0
[pipeline:main]
pipeline = healthcheck recon $typ-server
[app:$typ-server]
use = egg:swift#$typ
conn_timeout = 5
node_timeout = 30
container_update_timeout = 20
[filter:recon]
use = egg:swift#recon
recon_cache_path = $PEER/cache
[filter:healthcheck]
use = egg:swift#healthcheck
EOF
  done
done

cd $ETC
ring_port=$(cat ring_port 2>/dev/null || true)
if [ "$ring_port" != "$PORT" ]; then
  rm -f *.builder *.ring.gz
  ring() { # name off replicas
    swift-ring-builder $1.builder create 10 $3 1 >/dev/null
    for n in 1 2 3 4; do
      swift-ring-builder $1.builder add r1z$n-127.0.0.1:$((PORT + 10 * n + $2))/sdb$n 1 >/dev/null
    done
    swift-ring-builder $1.builder rebalance >/dev/null
  }
  ring object 0 3; ring object-1 0 2; ring container 1 3; ring account 2 3
  echo $PORT >ring_port
fi
chown -R swift:swift $SRV $PEER/cache $LOG $RUN $ETC
