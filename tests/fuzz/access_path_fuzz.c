/* Fuzz: the paths of access rules. The matcher agrees with one that tries everything. */
#include "proxy/identity/access_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SMALL = 20 };                    /* what trying everything can do */

static bool tries(struct str pattern, struct str path)
{
	bool parts = str_starts(pattern, S("**"));
	ssize_t close = pattern.n && pattern.p[0] == '{' ? str_chr(pattern, '}') : -1;

	if (!pattern.n)
		return path.n == 0;
	if (parts || pattern.p[0] == '*' || close >= 0) {
		struct str rest = str_skip(pattern, parts ? 2 : close >= 0 ? (size_t)close + 1 : 1);

		for (size_t n = 0; n <= path.n; n++) {
			if (n && !parts && path.p[n - 1] == '/')
				return false;
			if ((n || parts) && tries(rest, str_skip(path, n)))
				return true;
		}
		return false;
	}
	return path.n && path.p[0] == pattern.p[0] &&
	       tries(str_skip(pattern, 1), str_skip(path, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str path = str_of((const char *)data, size), pattern = str_cut(&path, '\n');
	bool matches = access_path_matches(pattern, path);

	assert(!matches || (pattern.n <= ACCESS_PATH_MAX && path.n <= ACCESS_PATH_MAX));
	assert(path.n > ACCESS_PATH_MAX || access_path_matches(S("**"), path));
	if (pattern.n <= SMALL && path.n <= SMALL)
		assert(matches == tries(pattern, path));
	return 0;
}
