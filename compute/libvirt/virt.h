/* libvirt with QEMU, the little of it that a machine needs. Only this folder knows libvirt.
 *
 * Everything here blocks: only inside task_run_blocking. It may be called by several threads at the
 * same time. Errors are a negative errno with libvirt's words in `why`:
 * -ENOENT (no such domain), -EBUSY (not in this state), -ENOSPC, -ENOTCONN (libvirt is not there;
 * the next call tries again), else -EIO.
 *
 * A domain is named needletail-UUID and has that uuid. */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/fault.h"

enum virt_type { VIRT_AUTO, VIRT_QEMU, VIRT_KVM };

struct virt_options {
	/* NULL: libvirt's driver inside of this process, which keeps its files in root. */
	const char *uri;
	const char *root;               /* absolute */
	const char *user;               /* that QEMU runs as, when this process is root */
	enum virt_type type;            /* VIRT_AUTO: by the flags of the processor */
};

/* Before the first loop of the process, once: libuv keeps a pipe that it closes and makes anew in
 * every forked child. libvirt starts QEMU by two forks, and closes everything in between: in the
 * second, libuv closes what has got its pipe's numbers meanwhile, which would be libvirt's. Low
 * descriptors that stay taken keep the numbers of both apart. Does not block. */
void virt_reserve_descriptors(void);

struct virt;
/* Does not connect yet: that is done when it is needed, and again after the connection broke. The
 * first time on a host takes seconds, in which QEMU is asked what it can. Texts are kept. */
struct virt *virt_new(const struct virt_options *o);
/* Machines go on running. */
void virt_free(struct virt *v);
int virt_connect(struct virt *v, struct fault *why) must_check;

struct virt_host {
	unsigned vcpus;
	uint64_t ram_mib;
	unsigned qemu_version;          /* 7002022 */
	char arch[32];
	char model[64];
	bool kvm;
};
int virt_host(struct virt *v, struct virt_host *ret, struct fault *why) must_check;

enum { VIRT_ID_SIZE = 37, VIRT_DISKS_MAX = 4, VIRT_NICS_MAX = 8 };

struct virt_disk {
	const char *path;               /* absolute */
	const char *format;             /* "qcow2", "raw" */
	bool read_only;
};
struct virt_nic {
	const char *mac;
	const char *bridge;             /* NULL: QEMU's own network, restricted to itself */
	const char *tap;                /* with a bridge: the name of the host's end; NULL: any */
};
struct virt_domain {
	const char *id;                 /* uuid */
	unsigned vcpus;
	uint64_t ram_mib;
	struct virt_disk disks[VIRT_DISKS_MAX];
	unsigned disk_count;
	struct virt_nic nics[VIRT_NICS_MAX];
	unsigned nic_count;
	const char *console_log;        /* the serial port's output is added to this file */
	const char *vnc_ip;             /* NULL: no VNC */
};
/* The domain in libvirt's words, in the arena. -EINVAL: an id or mac that is none. */
int virt_domain_xml(struct arena *a, const struct virt_domain *d, bool kvm, struct str *ret,
		    struct fault *why) must_check;
/* Makes it known, or changes what is known (for its next start). */
int virt_define(struct virt *v, const struct virt_domain *d, struct fault *why) must_check;

enum virt_action {
	VIRT_START,                     /* goes on with what was saved */
	VIRT_SHUTDOWN,                  /* presses the power button, does not wait */
	VIRT_OFF,                       /* cuts the power; fine when it is off */
	VIRT_PAUSE,
	VIRT_UNPAUSE,
	VIRT_SAVE,                      /* memory to disk, and off */
	VIRT_FORGET,                    /* undefines it, with what was saved */
	VIRT_DROP_SAVED,                /* forgets what was saved */
	VIRT_ABORT_JOB,
};
int virt_do(struct virt *v, const char *id, enum virt_action action, struct fault *why) must_check;

enum virt_state { VIRT_IS_OFF, VIRT_IS_RUNNING, VIRT_IS_PAUSED, VIRT_IS_SAVED, VIRT_IS_CRASHED };
int virt_state(struct virt *v, const char *id, enum virt_state *ret, struct fault *why) must_check;

struct virt_entry {
	char id[VIRT_ID_SIZE];
	enum virt_state state;
};
/* Our domains, in the arena. */
int virt_list(struct virt *v, struct arena *a, struct virt_entry **ret, unsigned *ret_n,
	      struct fault *why) must_check;

/* Begins to copy the first disk of a running domain, as it is now, to a new qcow2 file. */
int virt_backup_begin(struct virt *v, const char *id, const char *path,
		      struct fault *why) must_check;
/* 0: it is done; 1: it goes on; negative: it failed. */
int virt_backup_poll(struct virt *v, const char *id, struct fault *why) must_check;
/* Where VNC listens. */
int virt_vnc(struct virt *v, const char *id, unsigned *ret_port, struct fault *why) must_check;
