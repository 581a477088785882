#!/bin/bash
# Installs the Debian packages that are missing: deps.sh build|check|bench
#
# Asks dpkg first, so that it is instant and needs no rights when nothing is missing. Daemons that
# come with test packages (Swift, memcached, nginx) are not started and not enabled: tests start
# what they need themselves. "a|b" means either; the first one that apt knows is installed. The
# browser tests' one npm package goes into their folder.
set -euo pipefail

build="gcc make pkg-config|pkgconf python3 libuv1-dev libleveldb-dev libssl-dev zlib1g-dev
	libjansson-dev libinih-dev libxml2-dev libarchive-dev libisal-dev libxxhash-dev
	libvirt-dev libllhttp-dev|node-llhttp"
check="clang clang-tidy libclang-rt-dev clang-format libcmocka-dev python3-pytest python3-requests
	python3-swiftclient python3-openstackclient python3-keystoneclient python3-glanceclient
	rclone restic duplicity curl openssl
	python3-swift swift-proxy swift-account swift-container swift-object memcached
	chromium nodejs iproute2 nftables
	libvirt-daemon libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils
	busybox-static syslinux syslinux-common mtools dosfstools e2fsprogs fdisk cpio binutils"
# Some packages of node bring npm along, and conflict with Debian's.
command -v npm >/dev/null || check="$check npm"
bench="curl memcached python3-swift swift-proxy swift-account swift-container swift-object
	nginx-light|nginx"
daemons="swift-proxy swift-account swift-container swift-object memcached nginx nginx-light"

say() { echo "deps.sh: $*" >&2; }

# installed NAME...: prints those of the names that dpkg has installed.
installed() {
	{ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } |
		sed -n 's/^installed //p'
}

# Prints what is wanted and not there, one "a|b" a line.
missing() {
	local have want name found
	have=" $(installed $(tr '|' ' ' <<<"$*") | tr '\n' ' ')"
	for want in "$@"; do
		found=
		for name in ${want//|/ }; do
			[[ $have == *" $name "* ]] && found=1
		done
		[ -n "$found" ] || echo "$want"
	done
}

# The first name of each "a|b" that apt can install.
choose() {
	local want name chosen
	for want in "$@"; do
		chosen=${want%%|*}
		for name in ${want//|/ }; do
			if apt-cache policy "$name" 2>/dev/null | grep -q 'Candidate: [^(]'; then
				chosen=$name
				break
			fi
		done
		echo "$chosen"
	done
}

# Runs apt with Debian's own switch against starting daemons, left as it was found.
install_quietly() {
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e $policy ]; then
		$as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
		made=1
	fi
	local rc=0
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 install "$@" >"$log" 2>&1 || rc=$?
	[ -z "$made" ] || $as_root rm -f $policy
	return $rc
}

# What package-lock.json of the browser tests names, and nothing else: no browser, no scripts.
node_modules() {
	local folder=tests/browser
	cmp -s $folder/package-lock.json $folder/node_modules/.installed && return
	say "installing node_modules of $folder"
	if ! PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix $folder ci --ignore-scripts \
		>"$log" 2>&1; then
		say "npm could not install what $folder/package-lock.json names"
		tail -n 20 "$log" >&2
		exit 1
	fi
	cp $folder/package-lock.json $folder/node_modules/.installed
}

packages() {
	local wanted=$*
	if ! command -v dpkg-query >/dev/null; then
		say "this is not Debian: make sure that these are installed:" $wanted
		return
	fi
	local lacking
	lacking=$(missing $wanted)
	[ -n "$lacking" ] || return 0

	as_root=
	if [ "$(id -u)" != 0 ]; then
		as_root="sudo -n"
		if ! sudo -n true 2>/dev/null; then
			if [ -t 0 ] && command -v sudo >/dev/null; then
				as_root=sudo
			else
				say "missing packages, and installing them needs root:" $lacking
				exit 1
			fi
		fi
	fi
	say "installing" $lacking
	if ! $as_root apt-get -qq -o DPkg::Lock::Timeout=600 update >"$log" 2>&1; then
		say "apt-get update failed ($(grep -m1 -E '^[EW]:' "$log")); trying without"
	fi
	local names before
	names=$(choose $lacking)
	before=$(installed $daemons)
	if ! install_quietly $names; then
		say "apt-get could not install" $names
		tail -n 20 "$log" >&2
		exit 1
	fi
	[ -d /run/systemd/system ] || return 0
	local package unit
	for package in $(grep -vxF -e "$before" < <(installed $daemons)); do
		for unit in $(dpkg -L "$package" |
			sed -n 's,.*/systemd/system/\([^@]*\)\.service$,\1,p'); do
			$as_root systemctl disable --quiet "$unit" 2>/dev/null || true
		done
	done
}

cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
case "${1:-}" in
build) packages $build ;;
check)
	packages $build $check
	node_modules
	;;
bench) packages $build $bench ;;
*)
	say "usage: deps.sh build|check|bench"
	exit 2
	;;
esac
