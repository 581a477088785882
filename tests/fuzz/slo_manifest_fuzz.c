/* Fuzzes manifests as clients send them and as they are stored: what is accepted keeps to its own
 * arithmetic, and is the same after having been written and read again. */
#include "proxy/middleware/slo_json.h"
#include "proxy/middleware/slo_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces: what is said of it, in the arena. */
static struct str client_form(struct arena *a, struct str text, size_t piece)
{
	CLEANUP(slo_inputs_done) struct slo_inputs in;
	CLEANUP(slo_unpack_done) struct slo_unpack from;
	struct str errors = STR_NONE;
	struct slo_entry e;
	unsigned n = 0;

	slo_inputs_init(&in, S("c/o"), 1000);
	slo_unpack_init(&from, &in.pack);
	for (size_t i = 0; i < text.n; i += MIN(piece, text.n))
		slo_inputs_feed(&in, str_head(str_skip(text, i), piece));
	if (slo_inputs_end(&in, a, &errors) < 0) {
		assert(errors.n > 0);
		return errors;
	}
	for (; slo_unpack_next(&from, &e); n++)
		assert((e.path.p != NULL) != (e.data.n > 0));
	assert(n == in.n || in.objects > 1000);
	return STR_NONE;
}

/* Pieces do not matter, and the library agrees on what is a list. */
static void client_forms(struct str text)
{
	AUTO(arena) a = arena_new();
	struct str whole = client_form(a, text, SIZE_MAX), pieces = client_form(a, text, 7);
	AUTO(slo_json) root = slo_json_load(text);
	struct str want = !root			  ? S("Manifest must be valid JSON.\n")
			  : !json_is_array(root) ? S("Manifest must be a list.\n")
						 : STR_NONE;

	assert(str_eq(whole, pieces));
	assert(want.n ? str_eq(whole, want) : !str_starts(whole, S("Manifest must be ")));
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

	client_forms(text);
	stored_form(text);
	return 0;
}
