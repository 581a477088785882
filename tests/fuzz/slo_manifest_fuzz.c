/* Fuzzes manifests as clients send them and as they are stored: what is accepted keeps to its own
 * arithmetic, and is the same after having been written and read again. */
#include "proxy/middleware/slo_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void client_form(struct str text)
{
	AUTO(arena) a = arena_new();
	struct slo_inputs in = { 0 };
	struct str errors = STR_NONE;

	if (slo_inputs_parse(a, text, S("c/o"), &in, &errors) < 0) {
		assert(errors.n > 0);
		return;
	}
	for (unsigned i = 0; i < in.n; i++)
		assert((in.v[i].path.p != NULL) != (in.v[i].data.n > 0));
}

/* Read in pieces, the segments are those that were read at once (m), if those could be. */
static void in_pieces(struct str text, const struct slo_manifest *m, size_t piece)
{
	CLEANUP(slo_reader_done) struct slo_reader r;
	CLEANUP(slo_sum_done) struct slo_sum sum;
	struct slo_segment s;
	uint64_t size;
	int rc = 0;

	slo_reader_init(&r, 0);
	slo_sum_init(&sum, 1);
	while (rc >= 0 && text.n) {
		struct str bytes = str_head(text, piece);

		text = str_skip(text, bytes.n);
		while ((rc = slo_reader_next(&r, &bytes, NULL, &s)) > 0) {
			assert(!m || (str_eq(s.name, m->v[sum.n].name) &&
				      str_eq(s.hash, m->v[sum.n].hash) &&
				      str_eq(s.data, m->v[sum.n].data)));
			if (slo_sum_add(&sum, &s) < 0) {
				assert(!m);
				return;
			}
		}
	}
	if (m)
		assert(rc == 0 && r.ended && sum.n == m->n &&
		       slo_manifest_size(m, &size) == 0 && sum.size == size);
}

static void stored_form(struct str text)
{
	AUTO(slo_manifest) m = NULL;
	uint64_t size, first, length, got = 0;
	const struct slo_segment *s;

	bool good = slo_manifest_parse(text, &m) == 0;

	in_pieces(text, m, 7);
	in_pieces(text, m, SIZE_MAX);
	if (!good)
		return;
	assert(slo_manifest_size(m, &size) == 0);
	struct slo_walk w = { .m = m, .skip = size / 3, .left = size - size / 3 };

	while (slo_walk_next(&w, &s, &first, &length) > 0) {
		assert(first >= s->first && length <= s->length);
		got += length;
	}
	assert(got == size - size / 3);
	CLEANUP(buf_done) struct buf raw = BUF(64 * MIB);

	slo_manifest_raw(m, &raw);
	assert(!buf_failed(&raw));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size);

	client_form(text);
	stored_form(text);
	return 0;
}
