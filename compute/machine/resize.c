/* Another flavor, with the way back; and booting from another image to repair a machine. */
#include "compute/machine/internal.h"

#include <errno.h>
#include <unistd.h>

struct swapping {
	struct machines *m;
	const char *disk, *before, *argv[12];
	struct fault *why;
	int rc;
};

static void prepare(struct swapping *k, struct machines *m, struct arena *a, const char *id,
		    struct fault *why)
{
	*k = (struct swapping){ .m = m,
				.disk = machine_path(m, a, id, "disk.qcow2").p,
				.before = machine_path(m, a, id, "disk-before.qcow2").p,
				.why = why };
}

/* A copy of the disk stands aside: what the machine wrote is small beside its image. */
static void keep_and_grow(void *arg)
{
	struct swapping *k = arg;
	const char *const copy[] = { "cp", "--sparse=always", "--", k->disk, k->before, NULL };

	k->rc = run_program(copy, k->why);
	if (k->rc == 0 && k->argv[0])
		k->rc = run_program(k->argv, k->why);
	if (k->rc < 0)
		unlink(k->before);
}

static void forget_before(void *arg)
{
	struct swapping *k = arg;

	k->rc = unlink(k->before) < 0 && errno != ENOENT ? -errno : 0;
}

static void give_back(void *arg)
{
	struct swapping *k = arg;

	k->rc = rename(k->before, k->disk) < 0 && errno != ENOENT ?
			fault_set(k->why, -errno, "The disk of before cannot be had: %s",
				  strerror(errno)) :
			0;
}

static json_t *flavor_json(const struct machine_flavor *f)
{
	return json_pack("{s:I,s:I,s:I}", "vcpus", (json_int_t)f->vcpus, "ram_mib",
			 (json_int_t)f->ram_mib, "disk_gib", (json_int_t)f->disk_gib);
}

waits static int start_if(struct machines *m, const struct machine *one, enum virt_state was,
			  struct fault *why)
{
	return was == VIRT_IS_OFF || was == VIRT_IS_SAVED ? 0 :
							    machine_act(m, one, VIRT_START, why);
}

waits static int resize(struct machines *m, struct machine *one, const struct machine_flavor *to,
			uint64_t timeout_ms, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct machine_spec s;
	struct swapping k;
	enum virt_state was = VIRT_IS_OFF;

	spec_from_json(a, one->doc, &s);
	s.flavor = *to;
	int rc = spec_check(&s, why);

	spec_from_json(a, one->doc, &s);
	if (rc == 0 && json_object_get(one->doc, "flavor_before"))
		rc = fault_set(why, -EBUSY, "The machine's last resize is not confirmed");
	if (rc == 0 && to->disk_gib < s.flavor.disk_gib)
		rc = fault_set(why, -EINVAL, "The flavor's disk is smaller than the machine's");
	if (rc == 0)
		rc = machine_ask(m, one, &was, why);
	if (rc == 0)
		rc = machine_power_off(m, one, timeout_ms, why);
	if (rc < 0)
		return rc;
	prepare(&k, m, a, one->id, why);
	if (to->disk_gib > s.flavor.disk_gib) {
		uint64_t size = to->disk_gib * GIB;
		const char *argv[] = { machine_conf.qemu_img, "resize", "-q", "-f", "qcow2", k.disk,
				       arena_printf(a, "%" PRIu64, size).p, NULL };

		memcpy(k.argv, argv, sizeof argv);
	}
	IN_POOL("disk", keep_and_grow, &k);
	rc = k.rc;
	if (rc == 0)
		rc = machine_note(m, one, "flavor_before",
				  json_incref(json_object_get(one->doc, "flavor")), why);
	if (rc == 0)
		rc = machine_note(m, one, "flavor", flavor_json(to), why);
	if (rc == 0)
		rc = machine_define(m, one, why);
	return rc == 0 ? start_if(m, one, was, why) : rc;
}

int machine_resize(struct machines *m, struct str id, const struct machine_flavor *to,
		   uint64_t timeout_ms, struct fault *why)
{
	struct machine *one;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	rc = resize(m, one, to, timeout_ms, why);
	machine_leave(m, one);
	return rc;
}

static int need_resized(const struct machine *one, struct fault *why)
{
	return json_object_get(one->doc, "flavor_before") ?
		       0 :
		       fault_set(why, -EBUSY, "The machine was not resized");
}

int machine_resize_confirm(struct machines *m, struct str id, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct swapping k;
	struct machine *one;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	prepare(&k, m, a, one->id, why);
	rc = need_resized(one, why);
	if (rc == 0)
		rc = machine_note(m, one, "flavor_before", NULL, why);
	if (rc == 0) {
		IN_POOL("disk", forget_before, &k);
		rc = k.rc;
	}
	machine_leave(m, one);
	return rc;
}

waits static int revert(struct machines *m, struct machine *one, struct fault *why)
{
	AUTO(arena) a = arena_new();
	enum virt_state was = VIRT_IS_OFF;
	struct swapping k;
	int rc = need_resized(one, why);

	prepare(&k, m, a, one->id, why);
	if (rc == 0)
		rc = machine_ask(m, one, &was, why);
	if (rc == 0)
		rc = machine_power_off(m, one, 0, why);
	if (rc < 0)
		return rc;
	IN_POOL("disk", give_back, &k);
	rc = k.rc;
	if (rc == 0)
		rc = machine_note(m, one, "flavor",
				  json_incref(json_object_get(one->doc, "flavor_before")), why);
	if (rc == 0)
		rc = machine_note(m, one, "flavor_before", NULL, why);
	if (rc == 0)
		rc = machine_define(m, one, why);
	return rc == 0 ? start_if(m, one, was, why) : rc;
}

int machine_resize_revert(struct machines *m, struct str id, struct fault *why)
{
	struct machine *one;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	rc = revert(m, one, why);
	machine_leave(m, one);
	return rc;
}

/* ---- rescue ---- */

int machine_rescue(struct machines *m, struct str id, const struct machine_image *image,
		   struct fault *why)
{
	AUTO(arena) a = arena_new();
	const struct machine_flavor as_image = { .disk_gib = 0 };
	struct cached base = { .format = NULL };
	struct machine *one;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	if (json_object_get(one->doc, "rescue_base"))
		rc = fault_set(why, -EBUSY, "The machine is being rescued already");
	if (rc == 0)
		rc = cache_need(m, a, one, image, &base, why);
	if (rc == 0)
		rc = machine_power_off(m, one, 0, why);
	if (rc == 0)
		rc = disk_make(m, one, &as_image, &base, "rescue.qcow2", why);
	if (rc == 0)
		rc = machine_note(m, one, "rescue_base", json_of(base.key), why);
	if (rc == 0)
		rc = machine_define(m, one, why);
	if (rc == 0)
		rc = machine_act(m, one, VIRT_START, why);
	machine_leave(m, one);
	return rc;
}

static void remove_rescue(void *arg)
{
	struct swapping *k = arg;

	k->rc = unlink(k->disk) < 0 && errno != ENOENT ? -errno : 0;
}

int machine_unrescue(struct machines *m, struct str id, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct machine *one;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	struct swapping k = { .disk = machine_path(m, a, one->id, "rescue.qcow2").p };

	if (!json_object_get(one->doc, "rescue_base"))
		rc = fault_set(why, -EBUSY, "The machine is not being rescued");
	if (rc == 0)
		rc = machine_power_off(m, one, 0, why);
	if (rc == 0)
		rc = machine_note(m, one, "rescue_base", NULL, why);
	if (rc == 0)
		rc = machine_define(m, one, why);
	if (rc == 0)
		IN_POOL("disk", remove_rescue, &k);
	if (rc == 0)
		rc = machine_act(m, one, VIRT_START, why);
	machine_leave(m, one);
	return rc;
}
