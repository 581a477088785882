/* The [scheduler] section. */
#include "compute/scheduler/scheduler.h"

struct scheduler_conf scheduler_conf;

#define T struct scheduler_conf

static const char *const placements[] = { "spread", "stack", NULL };

static const struct conf_option options[] = {
	OPT_DOUBLE(T, cpu_ratio, "4", 1, 1000, "Virtual processors per processor of a host."),
	OPT_DOUBLE(T, ram_ratio, "1", 1, 1000, "Memory promised per memory of a host."),
	OPT_DOUBLE(T, disk_ratio, "1", 1, 1000, "Disk promised per disk of a host."),
	OPT_ENUM(T, placement, "spread", placements,
		 "Which of the hosts that fit gets a server: the emptiest, or the fullest."),
	OPT_DURATION(T, heartbeat_interval, "5s", 100, 3600000,
		     "How often a host announces itself."),
	OPT_DURATION(T, host_timeout, "30s", 500, 24LL * 3600000,
		     "A host that was not heard of for so long gets no servers."),
	OPT_END,
};

const struct conf_section scheduler_section = {
	.name = "scheduler",
	.help = "On which hosts needletail-compute puts servers.",
	.options = options,
	.into = &scheduler_conf,
	.size = sizeof scheduler_conf,
};
