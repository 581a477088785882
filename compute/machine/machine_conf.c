/* The [machine] section: where and how this host runs machines. */
#include "compute/machine/internal.h"

struct machine_conf machine_conf;

#define T struct machine_conf

enum { DAY_MS = 24 * 3600 * 1000 };

static const char *const virt_types[] = { "auto", "qemu", "kvm", NULL };

static const struct conf_option options[] = {
	OPT_BOOL(T, enabled, "no", "Whether this host runs machines. Without it libvirt is not "
				   "touched."),
	OPT_STR(T, state_dir, "machines",
		"Folder with the machines' disks and the images they are made of."),
	OPT_STR(T, uri, NULL,
		"libvirt's connection URI, as qemu:///system. Unset: libvirt's QEMU driver inside "
		"of this daemon, with its files in state_dir/libvirt; machines go on running "
		"without the daemon."),
	OPT_ENUM(T, virt_type, "auto", virt_types,
		 "kvm, or qemu, which computes every instruction itself; auto: kvm where the "
		 "processor's flags have vmx or svm and /dev/kvm is there."),
	OPT_STR(T, qemu_user, "libvirt-qemu",
		"User and group that QEMU runs as, when this daemon is root."),
	OPT_STR(T, qemu_img, "qemu-img", "The program qemu-img."),
	OPT_STR(T, image_url, NULL,
		"The image service, as http://127.0.0.1:9292; unset: the catalog's endpoint "
		"of the type image."),
	OPT_BOOL(T, vnc, "yes", "Whether machines have a screen."),
	OPT_STR(T, vnc_ip, "127.0.0.1",
		"Where VNC listens. It asks for no password: whoever reaches it sees the screens."),
	OPT_STR(T, bridge, NULL,
		"The bridge of this host that network cards are plugged into; unset: they get "
		"a network with nothing behind it."),
	OPT_SIZE(T, image_cache_size, "20GiB", 0, INT64_MAX,
		 "Bytes of images that no machine uses, kept for the next one."),
	OPT_DURATION(T, image_cache_age, "24h", 0, 365LL * DAY_MS,
		     "An image that no machine has used for so long is removed."),
	OPT_SIZE(T, console_size, "16MiB", 64 * KIB, INT64_MAX,
		 "A console's log that grows beyond it begins anew."),
	OPT_SIZE(T, disk_reserve, "256MiB", 0, INT64_MAX,
		 "So much of the disk stays free: images and machines are refused before."),
	OPT_END,
};

const struct conf_section machine_section = {
	.name = "machine",
	.help = "The machines of this host (libvirt and QEMU), for needletail-compute.",
	.options = options,
	.into = &machine_conf,
	.size = sizeof machine_conf,
};

int machine_conf_ready(struct fault *why)
{
	if (!machine_conf.state_dir[0])
		return fault_set(why, -EINVAL, "[machine] state_dir is empty");
	return 0;
}
