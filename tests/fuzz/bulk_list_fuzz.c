/* Fuzzes lists of bulk deletes: the names are the same however the list comes in pieces, and none
 * is longer than allowed. The first byte is the size of a piece. */
#include "proxy/middleware/bulk_delete.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_list(struct bulk_list *l, struct str bytes, size_t piece)
{
	int rc = 0;

	bulk_list_init(l, 20, 50);
	while (rc == 0 && bytes.n) {
		rc = bulk_list_feed(l, str_head(bytes, piece));
		bytes = str_skip(bytes, piece);
	}
	return rc < 0 ? rc : bulk_list_end(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(bulk_list_done) struct bulk_list whole, cut;
	struct str bytes = size ? str_of((const char *)data + 1, size - 1) : S("");
	int rc = read_list(&whole, bytes, SIZE_MAX);
	int rc_cut = read_list(&cut, bytes, size ? (size_t)data[0] + 1 : 1);
	struct str name, container, object;
	unsigned n = 0;

	assert((rc == 0) == (rc_cut == 0));
	if (rc == 0)
		assert(str_eq(buf_str(&whole.names), buf_str(&cut.names)));
	for (size_t at = 0; bulk_list_next(&whole, &at, &name); n++) {
		bool is_object = bulk_name_split(name, &container, &object);

		assert(name.n <= 100 && str_chr(container, '/') < 0);
		assert(is_object == (object.p != NULL));
		assert(container.n + object.n <= name.n);
	}
	assert(n == whole.n && n <= 20);
	return 0;
}
