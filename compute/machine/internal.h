/* What the files of this folder share. */
#pragma once
#include "compute/libvirt/virt.h"
#include "compute/machine/machine.h"
#include "lib/base/map.h"

struct machine_conf {           /* [machine] */
	bool enabled;
	const char *state_dir;
	const char *uri;
	int virt_type;                  /* enum virt_type */
	const char *qemu_user;
	const char *qemu_img;
	const char *image_url;
	bool vnc;
	const char *vnc_ip;
	const char *bridge;
	uint64_t image_cache_size, image_cache_age;
	uint64_t console_size;
	uint64_t disk_reserve;
};
extern struct machine_conf machine_conf;
extern const struct conf_section machine_section;
int machine_conf_ready(struct fault *why);

enum { MACHINE_PATH_MAX = 1024, MACHINE_FILE_MAX = 1 * MIB };

struct machine {
	char id[VIRT_ID_SIZE];
	json_t *doc;                    /* machine.json; replaced whole */
	bool making;
	bool doomed;                    /* somebody waits to destroy it */
	bool busy;                      /* an operation is under way */
};

struct machines {
	struct compute *compute;
	struct virt *virt;
	struct map *all;                /* by id: struct machine */
	struct map *fetching;           /* keys of images that are on their way */
	bool evicting;                  /* images are being removed */
	struct waitq changed;           /* something of the above did */
	char *dir;                      /* machine_conf.state_dir, absolute */
	char *root;                     /* libvirt's files */
	bool loaded;                    /* what was there has been found */
	unsigned numbers;               /* for names of temporary files */
};

/* ---- one machine at a time ---- */

/* The machine, for this task alone, until machine_leave: 0, -ENOENT, -ECANCELED. */
waits must_check int machine_enter(struct machines *m, struct str id, struct machine **ret,
				   struct fault *why);
void machine_leave(struct machines *m, struct machine *one);

/* ---- its description (spec.c) ---- */

json_t *spec_to_json(const struct machine_spec *spec);
/* Views of the document, and of the arena. */
void spec_from_json(struct arena *a, const json_t *doc, struct machine_spec *ret);
/* What would not make a machine: -EINVAL with the reason. */
must_check int spec_check(const struct machine_spec *spec, struct fault *why);
/* Writes machine.json. */
waits must_check int spec_save(struct machines *m, struct machine *one, struct fault *why);

/* ---- what a guest may read about itself (metadata.c) ---- */

/* The document that a path such as "openstack/latest/meta_data.json" names; absent: none. */
struct str metadata_document(struct arena *a, const struct machine_spec *spec, struct str path);
/* Paths that a config drive has, ended by NULL. */
extern const char *const metadata_paths[];
/* Writes them as an ISO 9660 image with the label config-2. Blocks. */
must_check int config_drive_write(const struct machine_spec *spec, const char *path,
				  struct fault *why);

/* ---- files (files.c); those without `waits` block ---- */

struct str machine_path(const struct machines *m, struct arena *a, const char *id,
			const char *file);
/* With its parent's rights for QEMU to pass through. */
must_check int make_passable(const char *path, struct fault *why);
/* Everything below it, too. A missing one is fine. */
must_check int remove_all(const char *path);
/* Runs a program to its end: 0, or -EIO (-ENOSPC) with what it said. argv[0] is its name. */
must_check int run_program(const char *const *argv, struct fault *why);
/* A file that QEMU will add to. */
must_check int touch_for_qemu(const char *path, struct fault *why);
/* Bytes that are left for machines: 0 or negative. */
must_check int disk_room(const struct machines *m, uint64_t *ret_total, uint64_t *ret_free);
/* A call of that in the pool. */
#define IN_POOL(what, fn, arg) task_run_blocking(what, fn, arg)

/* ---- images of the host (cache.c) ---- */

struct cached {
	struct str path;                /* in the arena */
	const char *format;             /* "qcow2", "raw" */
	uint64_t virtual_size;
	struct str key;
};
/* Has it here, fetching it if need be. one: the machine it is for (ends early when that is
 * doomed). */
waits must_check int cache_need(struct machines *m, struct arena *a, const struct machine *one,
				const struct machine_image *image, struct cached *ret,
				struct fault *why);
/* Removes what is too old, and the oldest while they are too many; none that a machine uses. */
waits void cache_evict(struct machines *m);

/* What stands in the first bytes of a qcow2 file: its virtual size; -EBADMSG: not one that stands
 * alone (a backing file, an external data file, not qcow2). */
must_check int qcow2_check(struct str head, uint64_t *ret_virtual, struct fault *why);

/* ---- disks (disk.c) ---- */

/* A disk named file on top of the image, as large as the flavor says. */
waits must_check int disk_make(struct machines *m, const struct machine *one,
			       const struct machine_flavor *flavor, const struct cached *base,
			       const char *file, struct fault *why);
/* libvirt's definition by the document. */
waits must_check int machine_define(struct machines *m, const struct machine *one,
				    struct fault *why);
waits must_check int machine_act(struct machines *m, const struct machine *one,
				 enum virt_action action, struct fault *why);
waits must_check int machine_ask(struct machines *m, const struct machine *one,
				 enum virt_state *ret, struct fault *why);
/* -EBUSY for what cannot be done in this state. */
int machine_wrong_state(enum virt_state s, const char *what, struct fault *why);

/* The document with the member, for this and the next process. */
waits must_check int machine_note(struct machines *m, struct machine *one, const char *key,
				  json_t *value, struct fault *why);
/* Presses the button, waits, cuts the power. */
waits must_check int machine_power_off(struct machines *m, const struct machine *one,
				       uint64_t timeout_ms, struct fault *why);

/* Finds the machines that an earlier process made, and removes what was half made. */
waits void machines_load(struct machines *m);
/* Consoles that grew beyond their limit begin anew; blocks. */
void console_trim(const char *path, uint64_t max);
