/* Fuzzes where the files of an archive go: whatever their names, into the container that was asked
 * for. The input is the request's object, a line end, and the file's name. */
#include "proxy/middleware/archive_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) a = arena_new();
	struct str name = str_of((const char *)data, size), object = str_cut(&name, '\n'), path;
	struct str base = archive_base(a, S("container"), object);

	if (!name.p)
		name = S("");
	assert(!str_ends(base, S("/")));
	if (archive_target(a, base, name, &path)) {
		assert(str_starts(path, S("container/")) && path.n > 10);
		assert(str_starts(path, base));
	}
	if (archive_target(a, S(""), name, &path)) {
		ssize_t slash = str_chr(path, '/');

		assert(slash > 0 && (size_t)slash + 1 < path.n);
	}
	struct str header = archive_attribute_header(a, name);

	if (header.p)
		assert(str_eq(header, S("Content-Type")) ||
		       str_starts(header, S("X-Object-Meta-")));
	return 0;
}
