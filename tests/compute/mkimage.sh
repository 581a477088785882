#!/bin/sh
# Builds a tiny disk image that boots in seconds without hardware virtualization: mkimage.sh FOLDER
#
# MBR, syslinux on FAT, busybox on ext4, of Debian's packages only, without root or loop devices.
# The kernel's package is downloaded and unpacked, not installed. What the guest finds out it says
# on its serial console: TINY-BOOT n=<boots>, TINY-CONFIGDRIVE, TINY-IP, TINY-METADATA, TINY-UD (its
# user data's output), TINY-READY. Makes tiny.qcow2 in the folder.
set -eu
out=${1:?usage: mkimage.sh FOLDER}
mkdir -p "$out"; out=$(cd "$out" && pwd)
w=$(mktemp -d "$out/.build.XXXXXX"); trap 'rm -rf "$w"' EXIT
bb=/bin/busybox
export SOURCE_DATE_EPOCH=1700000000 E2FSPROGS_FAKE_TIME=1700000000 MTOOLS_SKIP_CHECK=1

# 1. kernel: newest linux-image-*-cloud-amd64, downloaded and unpacked, not installed
if [ ! -f "$out/vmlinuz" ]; then
    pkg=$(apt-cache depends linux-image-cloud-amd64 |
        sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    (cd "$w" && apt-get download -qq "$pkg" 2>/dev/null && dpkg -x "$pkg"_*.deb k)
    cp "$w"/k/boot/vmlinuz-* "$out/vmlinuz"
    rm -rf "$out/modules"; mkdir "$out/modules"
    for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci \
             virtio_blk failover net_failover virtio_net virtio-rng virtio_balloon \
             virtio_console button evdev cdrom isofs; do
        find "$w/k/lib/modules" -name "$m.ko" -exec cp {} "$out/modules/" \;
        [ -f "$out/modules/$m.ko" ] || echo "no module $m" >&2
    done
fi

# 2. initramfs: busybox + modules; switches to the ext4 partition if there is one
i=$w/initrd r=$w/root; mkdir -p "$i/bin" "$i/dev" "$i/proc" "$i/sys" "$i/m" "$i/root"
cp $bb "$i/bin/busybox"; cp "$out"/modules/*.ko "$i/m/"
strip --strip-debug "$i"/m/*.ko 2>/dev/null || true
cat > "$i/init" <<'I'
#!/bin/busybox sh
/bin/busybox --install -s /bin; export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
         failover net_failover virtio_net virtio-rng virtio_balloon virtio_console button evdev \
         cdrom isofs; do
    insmod /m/$m.ko 2>/dev/null
done
for n in 1 2 3 4 5 6 7 8 9 10; do
    d=$(findfs LABEL=tinyroot 2>/dev/null) && break; sleep 0.1
done
if [ -n "$d" ] && mount -t ext4 "$d" /root; then
    umount /proc /sys; mount --move /dev /root/dev
    exec switch_root /root /sbin/init
fi
echo "TINY-NOROOT (direct kernel boot, no disk)" > /dev/console
exec sh
I
chmod 755 "$i/init"
find "$i" "$r" -exec touch -h -d @$SOURCE_DATE_EPOCH {} + 2>/dev/null || true
(cd "$i" && find . | sort | cpio -o -H newc --quiet --reproducible -R 0:0 | gzip -1n) \
    > "$out/initrd.img"

# 3. root filesystem
r=$w/root; mkdir -p "$r/bin" "$r/sbin" "$r/etc/acpi/PWRF" "$r/etc/init.d" "$r/proc" "$r/sys" \
    "$r/dev" "$r/tmp" "$r/run" "$r/var/www" "$r/mnt"
cp $bb "$r/bin/busybox"
for a in $($bb --list); do ln -s busybox "$r/bin/$a" 2>/dev/null || true; done
ln -sf ../bin/busybox "$r/sbin/init"
echo 'root::0:0:root:/:/bin/sh' > "$r/etc/passwd"
cat > "$r/etc/inittab" <<'I'
::sysinit:/etc/init.d/rcS
ttyS0::respawn:-/bin/sh
::ctrlaltdel:/bin/reboot
::shutdown:/etc/init.d/rcK
I
printf '#!/bin/sh\necho TINY-ACPI-POWEROFF > /dev/console\n/bin/poweroff\n' \
    > "$r/etc/acpi/PWRF/00000080"
printf '#!/bin/sh\necho TINY-SHUTDOWN\nsync\nmount -o remount,ro /\n' > "$r/etc/init.d/rcK"
cat > "$r/etc/udhcpc.sh" <<'I'
#!/bin/sh
case $1 in bound|renew)
    ip addr flush dev $interface; ip addr add $ip/${mask:-24} dev $interface
    [ -n "$router" ] && ip route add default via ${router%% *} dev $interface
    : > /etc/resolv.conf; for d in $dns; do echo "nameserver $d" >> /etc/resolv.conf; done
    [ -n "$staticroutes" ] && set -- $staticroutes && while [ $# -ge 2 ]; do
        [ "$1" = 0.0.0.0/0 ] || ip route add $1 via $2; shift 2; done
    echo "TINY-IP $ip" ;;
esac
I
cat > "$r/etc/init.d/rcS" <<'I'
#!/bin/sh
PATH=/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mkdir -p /dev/pts; mount -t devpts pts /dev/pts
mount -o remount,rw /
n=$(($(cat /var/boots 2>/dev/null || echo 0) + 1)); echo $n > /var/boots; sync
echo "TINY-BOOT n=$n up=$(cut -d' ' -f1 /proc/uptime)"
acpid -l /dev/null
ip link set lo up
hostname tiny
# config drive (label config-2, as Nova makes it)
c=$(findfs LABEL=config-2 2>/dev/null)
if [ -n "$c" ] && mount -t iso9660 -o ro "$c" /mnt; then
    echo "TINY-CONFIGDRIVE $(cat /mnt/openstack/latest/meta_data.json)"
    cp /mnt/openstack/latest/user_data /tmp/ud 2>/dev/null; umount /mnt
fi
if [ -e /sys/class/net/eth0 ]; then
    ip link set eth0 up
    udhcpc -q -n -f -t 8 -T 1 -i eth0 -s /etc/udhcpc.sh -O staticroutes 2>/dev/null ||
        echo TINY-NODHCP
    m=$(timeout 5 wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json 2>&1) \
        && echo "TINY-METADATA $m" || echo "TINY-NOMETADATA $m"
    [ -s /tmp/ud ] || timeout 5 wget -q -O /tmp/ud \
        http://169.254.169.254/openstack/latest/user_data 2>/dev/null
fi
echo "hello from tiny, boot $n" > /var/www/index.html
httpd -p 80 -h /var/www
case "$(head -c2 /tmp/ud 2>/dev/null)" in
'#!') chmod +x /tmp/ud; /tmp/ud 2>&1 | sed 's/^/TINY-UD /' ;;
esac
echo "TINY-READY n=$n up=$(cut -d' ' -f1 /proc/uptime)"
I
chmod 755 "$r"/etc/init.d/* "$r/etc/udhcpc.sh" "$r/etc/acpi/PWRF/00000080"

# 4. the disk: 1 MiB gap, FAT16 boot partition with syslinux, ext4 root
BOOT=24 ROOT=8                                  # MiB
img=$out/tiny.raw; rm -f "$img"; truncate -s $((1 + BOOT + ROOT))M "$img"
sfdisk -q "$img" <<I
label: dos
label-id: 0x74696e79
start=2048, size=$((BOOT * 2048)), type=e, bootable
start=$(((1 + BOOT) * 2048)), size=$((ROOT * 2048)), type=83
I
dd if=/usr/lib/syslinux/mbr/mbr.bin of="$img" bs=440 count=1 conv=notrunc status=none
cat > "$w/syslinux.cfg" <<'I'
serial 0 115200
prompt 0
timeout 0
default l
label l
 kernel vmlinuz
 initrd initrd.img
 append console=ttyS0,115200 quiet panic=1
I
truncate -s ${BOOT}M "$w/fat"
mkfs.fat -F 16 -n TINYBOOT -i 74696e79 -h 2048 --invariant "$w/fat" > /dev/null
mcopy -m -i "$w/fat" "$out/vmlinuz" "$out/initrd.img" "$w/syslinux.cfg" ::
syslinux --install "$w/fat"
dd if="$w/fat" of="$img" bs=1M seek=1 conv=notrunc,sparse status=none
mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -m 0 -L tinyroot \
    -U 74696e79-0000-4000-8000-000000000001 -E "offset=$(((1 + BOOT) * 1048576)),root_owner=0:0,\
hash_seed=74696e79-0000-4000-8000-000000000002" \
    -d "$r" "$img" ${ROOT}M
qemu-img convert -c -O qcow2 "$img" "$w/tiny.qcow2"
mv "$w/tiny.qcow2" "$out/tiny.qcow2"
rm -f "$img"
