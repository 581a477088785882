/* Workloads by name: each makes the objects it needs (outside the measurement), runs, and prints
 * a line of JSON. */
#pragma once
#include "tests/bench/load/load.h"

/* The number of errors; dies for a name that does not exist. */
uint64_t workload_run(struct load *l, const char *name);
/* Deletes every container of the prefix and what is in it. */
void clean(struct load *l);
/* idle: l->conns connections ask once, hold still for l->seconds and ask once more; mute: they
 * never say anything. A line of JSON; the number of connections that fared badly. */
uint64_t idle_run(struct load *l, bool mute);
