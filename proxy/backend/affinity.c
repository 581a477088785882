/* Affinity rules: parsing and matching. */
#include "proxy/backend/affinity.h"

/* Cuts "<letter><digits>" off the front. */
static int cut_number(struct str *s, char letter, unsigned *ret)
{
	size_t n = 1;
	uint64_t v;

	if (s->n < 2 || (s->p[0] | 32) != letter)
		return -EINVAL;
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (str_to_u64(str_head(str_skip(*s, 1), n - 1), &v) < 0 || v > 1000000)
		return -EINVAL;
	*s = str_skip(*s, n);
	*ret = (unsigned)v;
	return 0;
}

static int parse_rule(struct str text, bool with_priority, struct affinity_rule *ret)
{
	struct str priority = text, place = str_trim(str_cut(&priority, '='));
	uint64_t number = 0;
	unsigned zone;

	if (!priority.p == with_priority)
		return -EINVAL;
	if (with_priority && (str_to_u64(str_trim(priority), &number) < 0 || number >= UINT_MAX))
		return -EINVAL;
	if (cut_number(&place, 'r', &ret->region) < 0)
		return -EINVAL;
	ret->zone = -1;
	if (place.n && cut_number(&place, 'z', &zone) == 0)
		ret->zone = (int)zone;
	ret->priority = (unsigned)number;
	return place.n ? -EINVAL : 0;
}

int affinity_parse(struct str text, bool with_priority, struct affinity *ret, struct fault *why)
{
	struct affinity a = { .n = 0 };
	struct str rest = text, item;

	while ((item = str_cut(&rest, ',')).p) {
		item = str_trim(item);
		if (item.n == 0)
			continue;
		if (a.n == AFFINITY_RULES_MAX)
			return fault_set(why, -EINVAL, "more than %d affinity rules",
					 AFFINITY_RULES_MAX);
		if (parse_rule(item, with_priority, &a.rules[a.n]) < 0)
			return fault_set(why, -EINVAL, "affinity \"%.*s\" is not like \"%s\"",
					 STR(item), with_priority ? "r1z2=100" : "r1z2");
		a.n++;
	}
	*ret = a;
	return 0;
}

unsigned affinity_of(const struct affinity *a, const struct ring_dev *dev)
{
	unsigned best = UINT_MAX;

	for (unsigned i = 0; i < a->n; i++) {
		const struct affinity_rule *r = &a->rules[i];

		if (r->region == dev->region && (r->zone < 0 || (unsigned)r->zone == dev->zone))
			best = MIN(best, r->priority);
	}
	return best;
}
