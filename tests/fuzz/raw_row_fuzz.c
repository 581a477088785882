/* Raw rows of a listing: any line is read or refused, and what was read can be merged
 * and printed. */
#include "proxy/listing/rollup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each line becomes a row; the first byte of the input chooses how they are listed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 64 * KIB)
		return 0;
	unsigned how = data[0];
	struct listing_query q = {
		.limit = 5,
		.reverse = how & 1,
		.delimiter = how & 2 ? S("/") : STR_NONE,
		.path = how & 4 ? S("a") : STR_NONE,
		.format = (enum listing_format)(how >> 4 & 3) % 3,
	};
	AUTO(arena) a = arena_new();
	CLEANUP(buf_done) struct buf out = BUF(8 * MIB);
	struct str rest = str_of((const char *)data + 1, size - 1), line;
	enum swift_kind kind = how & 8 ? SWIFT_ACCOUNT : SWIFT_CONTAINER;
	struct raw_row joined = { .name = S("x") };
	struct rollup u;

	rollup_init(&u, a, kind, &q);
	while ((line = str_cut(&rest, '\n')).p) {
		struct raw_row r;

		if (raw_row_parse(arena_cstr(a, line), line.n, &r) < 0)
			continue;
		raw_row_join(kind, &joined, &r);
		if (!rollup_add(&u, &r))
			break;
	}
	rollup_print(&u, S("name"), &out);
	rollup_done(&u);
	return 0;
}
