/* Fuzz: cleaning an ACL header, and evaluating what came out against a Referer. */
#include "lib/base/base.h"
#include "lib/swift/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) a = arena_new();
	struct str rest = str_of((const char *)data, size), acl = str_cut(&rest, '\n'), clean;
	struct fault why;

	for (int write = 0; write < 2; write++)
		if (acl_clean(a, acl, write, &clean, &why) == 0) {
			struct str again;

			/* Cleaning is idempotent, but that a star in front of a host is taken off
			 * each time, as in Swift. */
			if (str_chr(acl, '*') < 0)
				assert(acl_clean(a, clean, write, &again, &why) == 0 &&
				       str_eq(clean, again));
			(void)acl_referrer_allowed(a, clean, rest);
			(void)acl_group_allowed(a, clean, rest);
		}
	return 0;
}
