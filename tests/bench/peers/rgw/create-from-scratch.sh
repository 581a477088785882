#!/bin/bash
# Makes a private Ceph cluster (1 mon, 1 mgr, 3 bluestore OSDs on files, 1 radosgw with Swift's
# URLs) under $DATA, starts it, and makes the user test:tester. Usage:
# create-from-scratch.sh [--force]
set -euo pipefail
. "$(dirname "$0")/env.sh"
if [ -e "$DATA" ]; then
  if [ "${1:-}" != --force ]; then echo "$DATA exists; use --force to destroy it" >&2; exit 1; fi
  "$BASE/stop.sh" || true
  rm -rf "$DATA"
fi
mkdir -p "$DATA" "$RUN" "$DATA/log" "$DATA/crash/posted" "$DATA/mon.a" "$DATA/mgr.x" "$DATA/rgw"
FSID=$(cat /proc/sys/kernel/random/uuid)
bytes() { numfmt --from=iec "$1"; }
cat > "$CONF" <<CONF
[global]
fsid = $FSID
mon_host = [v2:127.0.0.1:3300,v1:127.0.0.1:6789]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = $DATA/client.admin.keyring
run_dir = $RUN
pid_file =
admin_socket = $RUN/\$name.asok
log_file = $DATA/log/\$name.log
crash_dir = $DATA/crash
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 1000
[mon]
mon_data = $DATA/mon.\$id
keyring = $DATA/mon.\$id/keyring
mon_cluster_log_file = $DATA/log/cluster.log
mon_data_avail_warn = 5
mon_data_avail_crit = 2
mon_allow_pool_delete = true
[mgr]
mgr_data = $DATA/mgr.\$id
keyring = $DATA/mgr.\$id/keyring
mgr_initial_modules =
[osd]
osd_data = $DATA/osd.\$id
keyring = $DATA/osd.\$id/keyring
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = $(bytes "$OSD_SIZE")
osd_memory_target = $OSD_MEM
osd_class_update_on_start = true
[client.rgw.a]
rgw_data = $DATA/rgw
keyring = $DATA/rgw/keyring
rgw_frontends = beast endpoint=127.0.0.1:$PORT tcp_nodelay=1
rgw_enable_apis = swift, swift_auth, admin
rgw_swift_url_prefix = /
rgw_swift_url = http://127.0.0.1:$PORT
rgw_swift_account_in_url = true
rgw_swift_versioning_enabled = true
debug_rgw = 0/0
CONF
if [ "${TUNE:-1}" = 1 ]; then
  # No durability setting here: (1) the virtio disk says rotational=1, so choose BlueStore's
  # SSD profile; (2) debug levels 0/0 = no in-memory debug ring.  TUNE=0 leaves both at default.
  sed -i '/^\[osd\]/a bluestore_debug_enforce_settings = ssd' "$CONF"
  for d in osd bluestore rocksdb bluefs bdev ms objecter monc auth mon paxos rados objclass \
           perfcounter throttle finisher timer optracker; do
    sed -i "/^\[global\]/a debug_$d = 0/0" "$CONF"
  done
fi

# keys
ceph-authtool --create-keyring "$DATA/client.admin.keyring" --gen-key -n client.admin \
  --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' --cap mds 'allow *' >/dev/null
ceph-authtool --create-keyring "$DATA/mon.a/keyring.new" --gen-key -n mon. \
  --cap mon 'allow *' >/dev/null
ceph-authtool "$DATA/mon.a/keyring.new" --import-keyring "$DATA/client.admin.keyring" >/dev/null
# mon
monmaptool --create --fsid "$FSID" \
  --addv a '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]' "$DATA/monmap" >/dev/null
mv "$DATA/mon.a/keyring.new" "$DATA/mon.keyring"
ceph-mon -c "$CONF" --mkfs -i a --monmap "$DATA/monmap" --keyring "$DATA/mon.keyring"
"$BASE/start.sh" mon
C mon enable-msgr2 >/dev/null 2>&1 || true
# mgr
C auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' mds 'allow *' \
  -o "$DATA/mgr.x/keyring"
"$BASE/start.sh" mgr
# osds
for i in $(seq 0 $((NOSD-1))); do
  mkdir -p "$DATA/osd.$i"
  U=$(cat /proc/sys/kernel/random/uuid)
  S=$(ceph-authtool --gen-print-key)
  ID=$(echo "{\"cephx_secret\": \"$S\"}" | C osd new "$U" -i -)
  [ "$ID" = "$i" ] || { echo "osd id $ID != $i" >&2; exit 1; }
  ceph-authtool --create-keyring "$DATA/osd.$i/keyring" -n "osd.$i" --add-key "$S" >/dev/null
  ceph-osd -c "$CONF" -i "$i" --mkfs --osd-uuid "$U" >>"$DATA/log/mkfs.out" 2>&1
done
"$BASE/start.sh" osd
# pools with sensible PG counts, made before radosgw makes its own with 8
for p in .rgw.root:8 default.rgw.log:8 default.rgw.control:8 default.rgw.meta:8 \
         default.rgw.buckets.index:32 default.rgw.buckets.data:64; do
  C osd pool create "${p%:*}" "${p#*:}" "${p#*:}" replicated >/dev/null 2>&1
  C osd pool application enable "${p%:*}" rgw >/dev/null 2>&1
done
# rgw
C auth get-or-create client.rgw.a mon 'allow rw' osd 'allow rwx' mgr 'allow rw' \
  -o "$DATA/rgw/keyring"
"$BASE/start.sh" rgw
# Swift user  test:tester / testing   (+ S3 keys test/testing)
RA() { timeout 120 radosgw-admin -c "$CONF" -n client.admin --admin-socket= "$@"; }
RA user create --uid=test --display-name="Test" --max-buckets=1000000 \
  --access-key=test --secret-key=testing >/dev/null
RA subuser create --uid=test --subuser=test:tester --access=full >/dev/null
RA key create --subuser=test:tester --key-type=swift --secret-key=testing >/dev/null
RA user create --uid=test2 --display-name="Test2" --max-buckets=1000000 >/dev/null
RA subuser create --uid=test2 --subuser=test2:tester2 --access=full >/dev/null
RA key create --subuser=test2:tester2 --key-type=swift --secret-key=testing2 >/dev/null
"$BASE/status.sh"
