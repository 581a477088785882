/* Fuzz: names of old versions, version ids, and X-Versions-Location. */
#include "proxy/middleware/version_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size), object, again;
	AUTO(arena) a = arena_new();
	struct timestamp ts, same;

	if (version_name_split(text, &object, &ts)) {
		struct str name = version_name(a, object, ts);

		assert(version_name_split(name, &again, &same));
		assert(str_eq(object, again) && timestamp_cmp(ts, same) == 0);
	}
	if (version_id_parse(text, &ts) == 0) {
		struct str name = version_name(a, S("o"), ts);

		assert(version_name_split(name, &again, &same) && timestamp_cmp(ts, same) == 0);
	}
	struct str location = legacy_location(a, text);

	assert(location.n <= text.n && str_chr(location, '/') < 0 &&
	       str_chr(location, 0) < 0);
	assert(str_eq(versions_container_of(versions_container_name(a, text)), text));
	return 0;
}
