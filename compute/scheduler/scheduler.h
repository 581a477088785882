/* On which host a server goes: hosts are filtered, those that remain are weighed. Nothing here
 * waits; who calls reads the heartbeats and claims the chosen one. docs/compute.md#servers */
#pragma once
#include "lib/conf/conf.h"
#include "lib/json/json_text.h"

enum sched_placement { SCHED_SPREAD, SCHED_STACK };
struct scheduler_conf {         /* [scheduler] */
	double cpu_ratio, ram_ratio, disk_ratio;
	int placement;                  /* enum sched_placement */
	uint64_t heartbeat_interval, host_timeout;
};
extern struct scheduler_conf scheduler_conf;
extern const struct conf_section scheduler_section;

struct sched_host {
	struct str name, arch, zone;
	bool up, disabled;
	uint64_t vcpus, ram_mib, disk_gib;              /* what it has */
	uint64_t vcpus_used, ram_used, disk_used;       /* promised to servers */
	unsigned servers;
	/* Metadata of its aggregates: name to array of values. May be NULL. */
	const json_t *specs;
};

enum sched_policy {
	SCHED_NONE, SCHED_AFFINITY, SCHED_ANTI_AFFINITY, SCHED_SOFT_AFFINITY,
	SCHED_SOFT_ANTI_AFFINITY,
};
/* SCHED_NONE for no such policy. */
enum sched_policy sched_policy_parse(struct str name);

struct sched_wish {
	uint64_t vcpus, ram_mib, disk_gib;
	struct str arch, zone, host;    /* absent: any */
	const json_t *extra_specs;      /* the flavor's; may be NULL */
	const json_t *refused;          /* names of hosts that did not take it; may be NULL */
	enum sched_policy policy;
	const json_t *members;          /* hosts of the group's other servers, one each; or NULL */
	uint64_t per_host;              /* anti-affinity: servers of the group on a host; 0: one */
};

/* The hosts that fit, best first, in ret (room for n): how many; or 0 with what each filter left,
 * in the arena. */
unsigned schedule(struct arena *a, const struct sched_host *hosts, unsigned n,
		  const struct sched_wish *wish, const struct sched_host **ret,
		  struct str *ret_reason);
/* Whether a value satisfies what a flavor's extra spec asks for: "x", "<or> a <or> b", "<in> x",
 * "s== x", "s!= x", "= 5", ">= 5" and their kin.
 * Nova: scheduler/filters/extra_specs_ops.py */
bool sched_spec_matches(struct str value, struct str wanted);
