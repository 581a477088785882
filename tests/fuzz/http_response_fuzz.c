/* Response heads, as the client reads them from a peer that may be anything. */
#include "lib/http/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void parse(struct str text, const struct head_scan *scan, bool head_request)
{
	AUTO(arena) a = arena_new();
	struct headers headers;
	struct head h = { .headers = &headers };

	headers_init(&headers, a);
	if (head_parse_response(&h, arena_str(a, text), scan, head_request) < 0)
		return;
	assert(h.status >= 100 && h.status <= 999);
	assert(h.content_length >= -1);
	assert(h.framing != BODY_LENGTH || h.content_length >= 0);
	assert(h.framing != BODY_UNTIL_CLOSE || !h.keep_alive);
	assert(!head_request || h.framing == BODY_NONE);
	for (unsigned i = 0; i < headers.n; i++) {
		assert(field_name_ok(headers.v[i].name));
		assert(header_value_valid(headers.v[i].value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct head_limits limits = { 500, 500, 50 };
	struct str text = str_of((const char *)data, n);
	struct head_scan scan = { 0 };
	struct refusal why;
	ssize_t end = head_scan(&scan, text, &limits, &why);

	assert(end <= (ssize_t)n);
	if (end > 0) {
		parse(str_head(text, (size_t)end), &scan, false);
		parse(str_head(text, (size_t)end), &scan, true);
	}
	return 0;
}
