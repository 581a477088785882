/* Query strings: every parameter that stands there is found, and the last one of a name wins. */
#include "lib/http/request.h"
#include "lib/base/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[] = { "format",    "limit",        "marker", "prefix",
					     "delimiter", "temp_url_sig", "" };
	AUTO(arena) a = arena_new();
	struct request req = { .arena = a, .query = str_of((const char *)data, n) };
	struct str rest = req.query, part;

	if (n > 4096)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str v = request_query(&req, str_from(names[i]));

		assert((v.p != NULL) == request_has_query(&req, str_from(names[i])));
		assert(v.n <= n);
	}
	for (int i = 0; i < 20 && (part = str_cut(&rest, '&')).p; i++)
		if (part.n > 0)
			assert(request_has_query(&req, query_decode(a, str_cut(&part, '='))));
	return 0;
}
