#!/bin/sh
# Mounts and processes of one's own for libvirt inside of a test: everything that is started in here
# ends with it, and whoever QEMU's parent was, it is reaped. libvirt wants the user libvirt-qemu to
# exist when it is run by root; the machine's own files are left as they are. Waits for its input to
# end; `nsenter` brings programs in.
set -eu
t=$(mktemp -d)
cp /etc/passwd /etc/group "$t"
grep -q ^libvirt-qemu: "$t/passwd" ||
	echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >>"$t/passwd"
grep -q ^libvirt-qemu: "$t/group" || echo 'libvirt-qemu:x:64055:' >>"$t/group"
mkdir "$t/run"
# One that root alone may open makes libvirt ask QEMU again and again what it can.
touch "$t/kvm"
chmod 0 "$t/kvm"
export SANDBOX="$t"
rc=0
unshare -m -p -f --mount-proc bash -c '
	mount --make-rprivate /
	mount --bind "$SANDBOX/passwd" /etc/passwd
	mount --bind "$SANDBOX/group" /etc/group
	[ ! -e /dev/kvm ] || mount --bind "$SANDBOX/kvm" /dev/kvm
	mkdir -p /run/libvirt
	mount --bind "$SANDBOX/run" /run/libvirt
	echo ready
	cat >/dev/null
	exit 0' || rc=$?
rm -rf "$t"
exit $rc
