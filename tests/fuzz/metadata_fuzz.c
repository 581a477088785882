/* Fuzzes the headers that an upload is checked by, a line each: X-Delete-At and -After, metadata,
 * Content-Type. What is accepted is within the limits, and expires in the future. */
#include "lib/swift/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1795362131 };

static const struct timestamp now = { .t = NOW_S * 100000ULL };

static void check_deletion(const struct request *req)
{
	struct str at = headers_get_lit(&req->headers, "X-Delete-At");
	uint64_t v;

	assert(!headers_has(&req->headers, S("X-Delete-After")));
	if (!at.p)
		return;
	assert(str_to_u64(at, &v) == 0 && at.n == 10 && v <= 9999999999);
	assert(v > NOW_S ||
	       str_is_true(headers_get_lit(&req->headers, "X-Backend-Replication")));
}

static void check_metadata(const struct request *req, enum swift_kind kind, struct str prefix)
{
	const struct swift_limits *l = &swift_limits_default;
	struct response res;
	size_t n = 0, bytes = 0;

	response_init(&res, req->arena);
	if (metadata_check(l, kind, req, &res) < 0) {
		assert(res.status == 400);
		return;
	}
	for (unsigned i = 0; i < req->headers.n; i++) {
		const struct header *h = &req->headers.v[i];

		if (!str_istarts(h->name, prefix))
			continue;
		assert(h->name.n > prefix.n);
		assert(h->name.n - prefix.n <= l->max_meta_name_length);
		assert(h->value.n <= l->max_meta_value_length);
		bytes += h->name.n - prefix.n + h->value.n;
		n++;
	}
	assert(n <= l->max_meta_count && bytes <= l->max_meta_overall_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) a = arena_new();
	struct request req = { .magic = REQUEST_MAGIC, .arena = a, .method = HTTP_PUT };
	struct str rest = str_of((const char *)data, size), line;
	struct response res;

	headers_init(&req.headers, a);
	headers_add(&req.headers, S("Content-Length"), S("0"));
	while (req.headers.n < 300 && (line = str_cut(&rest, '\n')).p) {
		struct str value = line, name = str_cut(&value, ':');

		if (header_name_valid(name) && value.p)
			headers_add(&req.headers, name, str_trim(value));
	}
	check_metadata(&req, SWIFT_ACCOUNT, S("x-account-meta-"));
	check_metadata(&req, SWIFT_CONTAINER, S("x-container-meta-"));
	check_metadata(&req, SWIFT_OBJECT, S("x-object-meta-"));
	response_init(&res, a);
	if (object_creation_check(&swift_limits_default, &req, S("o"), now, &res) == 0)
		check_deletion(&req);
	else
		assert(res.status == 400 || res.status == 411);
	return 0;
}
