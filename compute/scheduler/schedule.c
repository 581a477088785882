/* Weighs the hosts that fit: spread or stack, and groups that would rather be together or apart. */
#include "compute/scheduler/internal.h"

enum sched_policy sched_policy_parse(struct str name)
{
	static const char *const names[] = { "", "affinity", "anti-affinity", "soft-affinity",
					     "soft-anti-affinity" };

	for (unsigned i = 1; i < ARRAY_LEN(names); i++)
		if (str_eq(name, str_from(names[i])))
			return (enum sched_policy)i;
	return SCHED_NONE;
}

static double share(uint64_t used, uint64_t have, double ratio)
{
	return have ? (double)used / ((double)have * ratio) : 1;
}

/* How full a host is: 0 … 2. */
static double fullness(const struct sched_host *h)
{
	return share(h->ram_used, h->ram_mib, scheduler_conf.ram_ratio) +
	       share(h->vcpus_used, h->vcpus, scheduler_conf.cpu_ratio);
}

/* A soft policy counts more than how full hosts are. */
static double weight(const struct sched_host *h, const struct sched_wish *w)
{
	double full = fullness(h), members = sched_members(h, w);
	double v = scheduler_conf.placement == SCHED_STACK ? full : -full;

	if (w->policy == SCHED_SOFT_AFFINITY)
		v += 10 * members;
	if (w->policy == SCHED_SOFT_ANTI_AFFINITY)
		v -= 10 * members;
	return v;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct sched_host *x = *(const struct sched_host *const *)a;
	const struct sched_host *y = *(const struct sched_host *const *)b;
	double wx = weight(x, arg), wy = weight(y, arg);

	if (wx < wy || wx > wy)
		return wx > wy ? -1 : 1;
	return str_cmp(x->name, y->name);
}

unsigned schedule(struct arena *a, const struct sched_host *hosts, unsigned n,
		  const struct sched_wish *wish, const struct sched_host **ret,
		  struct str *ret_reason)
{
	unsigned left = sched_filter(a, hosts, n, wish, ret, ret_reason);

	qsort_r(ret, left, sizeof *ret, compare, (void *)wish);
	return left;
}

static bool number_matches(struct str value, struct str op, struct str wanted)
{
	double have, want;

	if (str_to_double(value, &have) < 0 || str_to_double(str_trim(wanted), &want) < 0)
		return false;
	if (str_eq(op, S("==")))
		return have >= want && have <= want;
	if (str_eq(op, S("!=")))
		return have < want || have > want;
	/* "=" is "at least", too. */
	return str_eq(op, S("<=")) ? have <= want : have >= want;
}

static bool any_of(struct str value, struct str rest)
{
	ssize_t at;

	while (rest.n) {
		at = str_find(rest, S("<or>"));
		struct str one = str_trim(at < 0 ? rest : str_head(rest, (size_t)at));

		if (one.n && str_eq(one, value))
			return true;
		rest = at < 0 ? STR_NONE : str_skip(rest, (size_t)at + 4);
	}
	return false;
}

bool sched_spec_matches(struct str value, struct str wanted)
{
	static const struct str numeric[] = { STR_INIT("=="), STR_INIT("!="), STR_INIT(">="),
					      STR_INIT("<="), STR_INIT("=") };
	struct str want = str_trim(wanted);

	if (str_starts(want, S("<or>")))
		return any_of(value, want);
	if (str_starts(want, S("<in>")))
		return str_find(value, str_trim(str_skip(want, 4))) >= 0;
	if (str_starts(want, S("s==")))
		return str_eq(value, str_trim(str_skip(want, 3)));
	if (str_starts(want, S("s!=")))
		return !str_eq(value, str_trim(str_skip(want, 3)));
	for (size_t i = 0; i < ARRAY_LEN(numeric); i++)
		if (str_starts(want, numeric[i]))
			return number_matches(value, numeric[i], str_skip(want, numeric[i].n));
	return str_eq(value, want);
}
