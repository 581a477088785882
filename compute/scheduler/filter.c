/* Filters: which hosts can take a server at all, and why the others cannot. */
#include "compute/scheduler/internal.h"

static double ratio(uint64_t have, double by)
{
	return (double)have * by;
}

static bool is_up(const struct sched_host *h, const struct sched_wish *w)
{
	(void)w;
	return h->up && !h->disabled;
}

static bool in_zone(const struct sched_host *h, const struct sched_wish *w)
{
	return (!w->zone.n || str_eq(h->zone, w->zone)) &&
	       (!w->host.n || str_eq(h->name, w->host));
}

static bool holds(const json_t *list, struct str name)
{
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)list, i, v)
		if (str_eq(str_of(json_string_value(v), json_string_length(v)), name))
			return true;
	return false;
}

unsigned sched_members(const struct sched_host *h, const struct sched_wish *w)
{
	const json_t *v;
	unsigned n = 0;
	size_t i;

	json_array_foreach((json_t *)w->members, i, v)
		n += str_eq(str_from(json_string_value(v)), h->name);
	return n;
}

static bool not_refused(const struct sched_host *h, const struct sched_wish *w)
{
	return !holds(w->refused, h->name);
}

static bool right_arch(const struct sched_host *h, const struct sched_wish *w)
{
	return !w->arch.n || str_eq(h->arch, w->arch);
}

/* Of the host's values one has to satisfy it. */
static bool spec_holds(const json_t *values, const json_t *wanted)
{
	struct str text = str_of(json_string_value(wanted), json_string_length(wanted));
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)values, i, v)
		if (sched_spec_matches(str_from(json_string_value(v)), text))
			return true;
	return false;
}

static bool aggregate_fits(const struct sched_host *h, const struct sched_wish *w)
{
	static const struct str scope = STR_INIT("aggregate_instance_extra_specs:");
	const char *key;
	json_t *wanted;

	json_object_foreach((json_t *)w->extra_specs, key, wanted) {
		struct str name = str_from(key);

		if (str_starts(name, scope))
			name = str_skip(name, scope.n);
		else if (str_chr(name, ':') >= 0)
			continue;       /* it is about something else: "hw:cpu_policy" */
		if (!spec_holds(json_object_get(h->specs, name.p), wanted))
			return false;
	}
	return true;
}

static bool enough_cpu(const struct sched_host *h, const struct sched_wish *w)
{
	return w->vcpus <= h->vcpus &&
	       (double)(h->vcpus_used + w->vcpus) <= ratio(h->vcpus, scheduler_conf.cpu_ratio);
}

static bool enough_ram(const struct sched_host *h, const struct sched_wish *w)
{
	return (double)(h->ram_used + w->ram_mib) <= ratio(h->ram_mib, scheduler_conf.ram_ratio);
}

static bool enough_disk(const struct sched_host *h, const struct sched_wish *w)
{
	return (double)(h->disk_used + w->disk_gib) <=
	       ratio(h->disk_gib, scheduler_conf.disk_ratio);
}

static bool group_fits(const struct sched_host *h, const struct sched_wish *w)
{
	unsigned here = sched_members(h, w);

	if (w->policy == SCHED_AFFINITY)
		return json_array_size(w->members) == 0 || here > 0;
	if (w->policy == SCHED_ANTI_AFFINITY)
		return here < MAX(w->per_host, (uint64_t)1);
	return true;
}

static const struct {
	const char *name;
	bool (*fits)(const struct sched_host *h, const struct sched_wish *w);
} filters[] = {
	{ "ComputeFilter (up and enabled)", is_up },
	{ "AvailabilityZoneFilter", in_zone },
	{ "RetryFilter (did not refuse it)", not_refused },
	{ "ImagePropertiesFilter (architecture)", right_arch },
	{ "AggregateInstanceExtraSpecsFilter", aggregate_fits },
	{ "CoreFilter (enough vCPUs)", enough_cpu },
	{ "RamFilter (enough memory)", enough_ram },
	{ "DiskFilter (enough disk)", enough_disk },
	{ "ServerGroupFilter (affinity)", group_fits },
};

unsigned sched_filter(struct arena *a, const struct sched_host *hosts, unsigned n,
		      const struct sched_wish *w, const struct sched_host **ret,
		      struct str *ret_reason)
{
	CLEANUP(buf_done) struct buf why = BUF(16 * KIB);

	for (unsigned i = 0; i < n; i++)
		ret[i] = &hosts[i];
	buf_addf(&why, "No valid host was found. Hosts: %u", n);
	for (size_t f = 0; f < ARRAY_LEN(filters) && n; f++) {
		unsigned left = 0, before = n;

		for (unsigned i = 0; i < n; i++)
			if (filters[f].fits(ret[i], w))
				ret[left++] = ret[i];
		n = left;
		if (left < before)
			buf_addf(&why, "; %s left %u of %u", filters[f].name, left, before);
	}
	*ret_reason = arena_str(a, buf_str(&why));
	return n;
}
