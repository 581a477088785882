/* Regions and zones that are preferred: "r1z1=100, r1=200" for reading (lower first), "r1, r2z1"
 * for writing. Swift: affinity_key_function and affinity_locality_predicate in common/utils. */
#pragma once
#include "lib/base/fault.h"
#include "lib/ring/ring.h"

enum { AFFINITY_RULES_MAX = 32 };

struct affinity {
	unsigned n;
	struct affinity_rule {
		unsigned region;
		int zone;               /* -1: any */
		unsigned priority;
	} rules[AFFINITY_RULES_MAX];
};

/* with_priority: each rule has "=number". text absent: no rules. 0, or -EINVAL with the reason. */
int affinity_parse(struct str text, bool with_priority, struct affinity *ret,
		   struct fault *why) must_check;
/* The lowest priority of the rules that match; UINT_MAX when none does. */
unsigned affinity_of(const struct affinity *a, const struct ring_dev *dev);
