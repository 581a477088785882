/* The machines of this host: made, run and removed through libvirt. docs/compute.md#machines
 *
 * Whoever decides what runs where (compute/server) calls this on the host that was chosen. A
 * machine is named by its server's uuid, and lives in a directory of that name: its disk (a qcow2
 * file on top of an image of the host's cache), its config drive, its console's log, and
 * machine.json, which says all that is needed to find it again after the daemon was restarted or
 * killed.
 *
 * Everything here waits, blocks nothing (libvirt and the disk are in the pool) and may be called
 * by several tasks at the same time; what concerns one machine is done one after the other.
 * machine_destroy does not stand in line: it ends a machine_create that is under way.
 *
 * Errors: a negative errno, and `why` says in a sentence what a user may read as the server's
 * fault:
 *	-ENOENT         no such machine
 *	-EEXIST         a machine with this id is there
 *	-EINVAL         cannot be carried out (image larger than the flavor's disk …)
 *	-EBUSY          not in this state (pausing a machine that is off …)
 *	-ENOSPC         the host's disk is full
 *	-ENOTCONN       libvirt does not answer; may pass
 *	-EAGAIN         the image service does not answer; may pass
 *	-EBADMSG        the image is not what its checksum says, or opens other files
 *	-ECANCELED      the calling task was cancelled, or the machine was destroyed meanwhile
 *	-EIO            libvirt or QEMU refused; why has their words */
#pragma once
#include "compute/compute.h"
#include "lib/http/body.h"
#include "lib/json/json_text.h"

struct machines;                        /* of this host, of this process */

/* The launcher once its service has started; NULL: [machine] is off. One per process, because
 * libvirt's embedded driver is. */
struct machines *machines_here(void);
extern const struct service machine_service;
/* The first thing that a program does which has this service. */
void machine_process_start(void);

enum machine_state {
	MACHINE_OFF,                    /* SHUTDOWN; also while it is being made */
	MACHINE_RUNNING,
	MACHINE_PAUSED,                 /* in memory, not running */
	MACHINE_SUSPENDED,              /* saved to disk */
	MACHINE_CRASHED,                /* paused by an error of the host or the guest */
};

enum machine_nic_kind {
	MACHINE_NIC_USER,               /* QEMU's own network: DHCP, and nothing behind it */
	MACHINE_NIC_BRIDGE,             /* the host's bridge: [machine] bridge */
};

struct machine_nic {
	enum machine_nic_kind kind;
	struct str port_id, network_id; /* for network_data.json; may be absent */
	struct str mac;                 /* "fa:16:3e:…" */
	struct str address;             /* IPv4, absent: none fixed */
	struct str gateway;             /* may be absent */
	unsigned prefix;                /* of the address: 24 */
};

struct machine_flavor {
	unsigned vcpus;
	uint64_t ram_mib;
	uint64_t disk_gib;              /* 0: as large as the image */
};

struct machine_image {
	struct str id;
	struct str disk_format;         /* "qcow2", "raw" …: never guessed */
	struct str hash_algo;           /* os_hash_algo: "sha512"; absent: checksum is used */
	struct str hash;                /* os_hash_value, hex */
	struct str checksum;            /* MD5, hex */
	uint64_t size;                  /* bytes; 0: not known */
};

/* All that a machine is made of. Bytes belong to the caller for the time of the call. */
struct machine_spec {
	struct str id;                  /* the server's uuid */
	struct str name, hostname;      /* hostname absent: made of the name */
	struct str project_id, user_id;
	struct str availability_zone;   /* may be absent */
	struct machine_flavor flavor;
	struct machine_image image;
	bool config_drive;
	struct str user_data;           /* decoded; absent: none */
	const json_t *metadata;         /* object of texts; NULL: none */
	struct str key_name, key;       /* OpenSSH public key; absent: none */
	const struct machine_nic *nics;
	unsigned nic_count;             /* up to MACHINE_NICS_MAX */
};
enum { MACHINE_NICS_MAX = 8, MACHINE_USER_DATA_MAX = 64 * KIB };

/* Fetches the image if the host has it not, makes disk and config drive, and starts the machine.
 * When that fails nothing is left of it. */
waits must_check int machine_create(struct machines *m, const struct machine_spec *spec,
				    struct fault *why);
/* Starts a machine that is off; one that is suspended goes on where it was. */
waits must_check int machine_start(struct machines *m, struct str id, struct fault *why);
/* Presses the power button, waits up to timeout_ms for the guest to go down, and cuts the power
 * then; 0: at once. Fine when it is off. */
waits must_check int machine_stop(struct machines *m, struct str id, uint64_t timeout_ms,
				  struct fault *why);
/* hard: off and on; else as machine_stop (with that timeout) and on. */
waits must_check int machine_reboot(struct machines *m, struct str id, bool hard,
				    uint64_t timeout_ms, struct fault *why);
waits must_check int machine_pause(struct machines *m, struct str id, struct fault *why);
waits must_check int machine_unpause(struct machines *m, struct str id, struct fault *why);
/* Saves memory to the host's disk and turns it off / goes on from there. */
waits must_check int machine_suspend(struct machines *m, struct str id, struct fault *why);
waits must_check int machine_resume(struct machines *m, struct str id, struct fault *why);
/* Off, and nothing left: no domain, disk, log or process. A missing one is fine. Also clears away
 * what an unfinished machine_create left behind when the daemon died. */
waits must_check int machine_destroy(struct machines *m, struct str id, struct fault *why);
/* A new disk of spec->image and a new config drive, all as in spec; on afterwards, if it was. When
 * the image cannot be had, the machine is as before. */
waits must_check int machine_rebuild(struct machines *m, const struct machine_spec *spec,
				     struct fault *why);
/* Turns it off (as machine_stop), gives it this flavor, and starts it if it was on. The disk as it
 * was is kept until _confirm (forgets it) or _revert (gives back disk and flavor of before). A disk
 * does not shrink: -EINVAL. */
waits must_check int machine_resize(struct machines *m, struct str id,
				    const struct machine_flavor *to, uint64_t timeout_ms,
				    struct fault *why);
waits must_check int machine_resize_confirm(struct machines *m, struct str id, struct fault *why);
waits must_check int machine_resize_revert(struct machines *m, struct str id, struct fault *why);
/* Boots from a fresh disk of this image, with the machine's own as the second one / back again. */
waits must_check int machine_rescue(struct machines *m, struct str id,
				    const struct machine_image *image, struct fault *why);
waits must_check int machine_unrescue(struct machines *m, struct str id, struct fault *why);

/* The machine's disk as it is now, as one qcow2 file that needs no other, without stopping it.
 * *ret_body gives the bytes (*ret_size of them; body.left counts down), is in the arena, and has to
 * be closed: the copy on the host goes with it. */
waits must_check int machine_snapshot(struct machines *m, struct str id, struct arena *a,
				      uint64_t *ret_size, struct body **ret_body,
				      struct fault *why);

/* The last lines (0: all) of the serial console, at most MACHINE_CONSOLE_MAX bytes. Bytes as the
 * guest wrote them: perhaps no UTF-8. */
enum { MACHINE_CONSOLE_MAX = 100 * KIB };
waits must_check int machine_console_log(struct machines *m, struct str id, unsigned lines,
					 struct arena *a, struct str *ret, struct fault *why);
/* Where its VNC server listens, on this host only. -EBUSY: it is not running. */
struct machine_vnc {
	char ip[64];
	unsigned port;
};
waits must_check int machine_vnc(struct machines *m, struct str id, struct machine_vnc *ret,
				 struct fault *why);

waits must_check int machine_state(struct machines *m, struct str id, enum machine_state *ret,
				   struct fault *why);
/* All machines of this host, also those that an earlier process made: ids and states, in the arena.
 * One call of libvirt: cheap enough to be asked every few seconds for machines that went down by
 * themselves. -ENOTCONN. */
struct machine_entry {
	struct str id, name;
	enum machine_state state;
	bool making;                    /* machine_create has not ended */
	struct machine_flavor flavor;
};
struct machine_list {
	const struct machine_entry *v;
	unsigned n;
};
waits must_check int machine_list(struct machines *m, struct arena *a, struct machine_list *ret,
				  struct fault *why);

/* What the host has. Texts are in the arena. */
struct machine_host {
	unsigned vcpus;
	uint64_t ram_mib, disk_gib, disk_free_gib;
	struct str arch;                /* "x86_64" */
	struct str hypervisor;          /* "QEMU" */
	unsigned hypervisor_version;    /* 7002022: 7.2.22 */
	struct str cpu_model;
	bool hardware;                  /* KVM; else TCG */
	/* Of the machines that are there. */
	unsigned machines, vcpus_used;
	uint64_t ram_mib_used, disk_gib_used;
};
waits must_check int machine_host(struct machines *m, struct arena *a, struct machine_host *ret,
				  struct fault *why);
