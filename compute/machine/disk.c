/* What a machine is made of: its disk, and its definition for libvirt. */
#include "compute/machine/internal.h"

#include <unistd.h>

struct making {
	const struct machines *m;
	const char *argv[16];
	struct fault *why;
	int rc;
};

static void make(void *arg)
{
	struct making *k = arg;
	uint64_t total, room;

	k->rc = disk_room(k->m, &total, &room);
	if (k->rc == 0 && room < MIB)
		k->rc = fault_set(k->why, -ENOSPC, "The host's disk is full");
	if (k->rc == 0)
		k->rc = run_program(k->argv, k->why);
}

int disk_make(struct machines *m, const struct machine *one, const struct machine_flavor *flavor,
	      const struct cached *base, const char *file, struct fault *why)
{
	AUTO(arena) a = arena_new();
	uint64_t size = flavor->disk_gib * GIB;

	if (size && size < base->virtual_size)
		return fault_set(why, -EINVAL,
				 "The flavor's disk of %" PRIu64 " GiB is too small for the image, "
				 "which needs %" PRIu64 " bytes", flavor->disk_gib,
				 base->virtual_size);
	if (!size)
		size = (base->virtual_size + 511) / 512 * 512;
	struct making k = {
		.m = m,
		.argv = { machine_conf.qemu_img, "create", "-q", "-f", "qcow2", "-F", base->format,
			  "-b", base->path.p, machine_path(m, a, one->id, file).p,
			  arena_printf(a, "%" PRIu64, size).p, NULL },
		.why = why,
	};

	IN_POOL("disk", make, &k);
	return k.rc;
}

struct defining {
	struct virt *virt;
	struct virt_domain domain;
	struct fault *why;
	int rc;
};

static void define(void *arg)
{
	struct defining *d = arg;

	d->rc = touch_for_qemu(d->domain.console_log, d->why);
	if (d->rc == 0)
		d->rc = virt_define(d->virt, &d->domain, d->why);
}

static void add_disk(struct virt_domain *d, struct str path, const char *format, bool read_only)
{
	d->disks[d->disk_count++] = (struct virt_disk){ .path = path.p, .format = format,
							.read_only = read_only };
}

int machine_define(struct machines *m, const struct machine *one, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct machine_spec s;
	struct defining k = { .virt = m->virt, .why = why };
	struct virt_domain *d = &k.domain;

	spec_from_json(a, one->doc, &s);
	d->id = one->id;
	d->vcpus = s.flavor.vcpus;
	d->ram_mib = s.flavor.ram_mib;
	d->console_log = machine_path(m, a, one->id, "console.log").p;
	d->vnc_ip = machine_conf.vnc ? machine_conf.vnc_ip : NULL;
	if (json_object_get(one->doc, "rescue_base"))
		add_disk(d, machine_path(m, a, one->id, "rescue.qcow2"), "qcow2", false);
	add_disk(d, machine_path(m, a, one->id, "disk.qcow2"), "qcow2", false);
	if (s.config_drive)
		add_disk(d, machine_path(m, a, one->id, "config.iso"), "raw", true);
	for (unsigned i = 0; i < s.nic_count; i++)
		d->nics[d->nic_count++] = (struct virt_nic){
			.mac = arena_cstr(a, s.nics[i].mac),
			.bridge = s.nics[i].kind == MACHINE_NIC_BRIDGE ? machine_conf.bridge : NULL,
		};
	IN_POOL("define", define, &k);
	return k.rc;
}

struct acting {
	struct virt *virt;
	const char *id;
	enum virt_action action;
	enum virt_state state;
	struct fault *why;
	int rc;
};

static void act(void *arg)
{
	struct acting *k = arg;

	k->rc = virt_do(k->virt, k->id, k->action, k->why);
}

int machine_act(struct machines *m, const struct machine *one, enum virt_action action,
		struct fault *why)
{
	struct acting k = { .virt = m->virt, .id = one->id, .action = action, .why = why };

	IN_POOL("libvirt", act, &k);
	return k.rc;
}

static void ask(void *arg)
{
	struct acting *k = arg;

	k->rc = virt_state(k->virt, k->id, &k->state, k->why);
}

int machine_ask(struct machines *m, const struct machine *one, enum virt_state *ret,
		struct fault *why)
{
	struct acting k = { .virt = m->virt, .id = one->id, .why = why };

	IN_POOL("libvirt", ask, &k);
	if (k.rc == 0)
		*ret = k.state;
	return k.rc;
}
