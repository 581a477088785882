/* Clients' manifests: what is taken, and what is said of the others. */
#include "tests/unit/cmocka.h"
#include "proxy/middleware/slo_manifest.h"

static void in_pieces(const char *json, const char *error, size_t piece)
{
	AUTO(arena) a = arena_new();
	CLEANUP(slo_inputs_done) struct slo_inputs in;
	struct str text = str_from(json), errors = STR_NONE;

	slo_inputs_init(&in, S("c/self"), 1000);
	for (size_t i = 0; i < text.n; i += piece)
		slo_inputs_feed(&in, str_head(str_skip(text, i), piece));
	int rc = slo_inputs_end(&in, a, &errors);

	if (!error && rc < 0)
		fail_msg("%s: %.*s", json, STR(errors));
	if (error && !str_eq(errors, str_from(error)))
		fail_msg("%s: %.*s, not %s", json, STR(errors), error);
}

static void input(const char *json, const char *error)
{
	in_pieces(json, error, SIZE_MAX);
	in_pieces(json, error, 1);
	in_pieces(json, error, 5);
}

static void checks_input(void **state)
{
	(void)state;
	input("[]", NULL);
	input("[{\"path\": \"c/o\"}, {\"data\": \"YQ==\"}]", NULL);
	input("[{\"path\": \"/c/o\", \"etag\": null, \"size_bytes\": \" 12 \", \"range\": \"-4\"}]",
	      NULL);
	input("[{\"path\": \"/c/o\", \"size_bytes\": null, \"range\": \"\"}]", NULL);
	input("[{\"path\": \"/c/o\", \"size_bytes\": 0}]", NULL);
	input("x", "Manifest must be valid JSON.\n");
	input("", "Manifest must be valid JSON.\n");
	input(" [ ] ", NULL);
	input("[", "Manifest must be valid JSON.\n");
	input("[,]", "Manifest must be valid JSON.\n");
	input("[3}", "Manifest must be valid JSON.\n");
	input("[3]]", "Manifest must be valid JSON.\n");
	input("[3] 4", "Manifest must be valid JSON.\n");
	input("[{]}", "Manifest must be valid JSON.\n");
	input("[{},]", "Manifest must be valid JSON.\n");
	input("[\"],[\", {}", "Manifest must be valid JSON.\n");
	input("[{}, 1 2]", "Manifest must be valid JSON.\n");
	input("{}", "Manifest must be a list.\n");
	input(" \"[]\" ", "Manifest must be a list.\n");
	input("{} {}", "Manifest must be valid JSON.\n");
	input("[\"],\\\"[{\"]", "Index 0: not a JSON object\n");
	input("[3]", "Index 0: not a JSON object\n");
	input("[{}]", "Index 0: expected keys to include one of 'data' or 'path'\n");
	input("[{\"path\": \"/c/o\", \"b\": 1, \"a\": 1}]",
	      "Index 0: extraneous keys \"a\", \"b\"\n");
	input("[{\"path\": 1}]", "Index 0: \"path\" must be a string\n");
	input("[{\"path\": \"/c/o\", \"etag\": 1}]",
	      "Index 0: \"etag\" must be a string or null (if provided)\n");
	input("[{\"path\": \"/co/\"}]",
	      "Index 0: path does not refer to an object. Path must be of the "
	      "form /container/object.\n");
	input("[{\"path\": \"/c/o\", \"size_bytes\": \"x\"}]", "Index 0: invalid size_bytes\n");
	input("[{\"path\": \"/c/o\", \"size_bytes\": 0}, {\"path\": \"/c/p\"}]",
	      "Index 0: too small; each segment must be at least 1 byte.\n");
	input("[{\"path\": \"//c/self\"}]",
	      "Index 0: manifest must not include itself as a segment\n");
	input("[{\"path\": \"/c/o\", \"range\": \"a-b\"}]", "Index 0: invalid range\n");
	input("[{\"path\": \"/c/o\", \"range\": \"1-2,3-4\"}]",
	      "Index 0: multiple ranges (only one allowed)\n");
	input("[{\"path\": \"/c/o\", \"size_bytes\": 5, \"range\": \"7-9\"}]",
	      "Index 0: unsatisfiable range\n");
	input("[{\"data\": \"YQ\"}]",
	      "Index 0: data must be valid base64\n"
	      "Inline data segments require at least one object-backed segment.\n");
	input("[{\"data\": \"\"}, {\"path\": 1}]",
	      "Index 0: too small; each segment must be at least 1 byte.\n"
	      "Index 1: \"path\" must be a string\n");
}

/* What is kept is what was sent. */
static void keeps_entries(void **state)
{
	static const char json[] =
		"[{\"path\": \"/c/o,[]\", \"range\": \"1-2\", \"size_bytes\": 9}, {\"data\": "
		"\"YWI=\"},{\"etag\":\"\",\"path\":\"/c/o\\\"\"}]";
	AUTO(arena) a = arena_new();
	CLEANUP(slo_inputs_done) struct slo_inputs in;
	CLEANUP(slo_unpack_done) struct slo_unpack from;
	struct str errors;
	struct slo_entry e;

	(void)state;
	slo_inputs_init(&in, S("c/self"), 2);
	slo_inputs_feed(&in, str_from(json));
	assert_int_equal(slo_inputs_end(&in, a, &errors), 0);
	assert_int_equal(in.n, 3);
	assert_int_equal(in.objects, 2);
	slo_unpack_init(&from, &in.pack);
	assert_true(slo_unpack_next(&from, &e));
	assert_true(str_eq(e.path, S("/c/o,[]")) && str_eq(e.range, S("bytes=1-2")));
	assert_true(e.sized && e.size == 9 && !e.etag.p && !e.data.p);
	assert_true(slo_unpack_next(&from, &e));
	assert_true(!e.path.p && str_eq(e.data, S("ab")));
	assert_true(slo_unpack_next(&from, &e));
	assert_true(str_eq(e.path, S("/c/o\"")) && e.etag.p && !e.etag.n && !e.range.p && !e.sized);
	assert_false(slo_unpack_next(&from, &e));
}

/* Of too many they are only counted. */
static void keeps_no_more(void **state)
{
	AUTO(arena) a = arena_new();
	CLEANUP(slo_inputs_done) struct slo_inputs in;
	struct str errors;

	(void)state;
	slo_inputs_init(&in, S("c/self"), 2);
	slo_inputs_feed(&in, S("[{\"path\": \"a/b\"}, {\"path\": \"a/b\"}, {\"path\": \"a/b\"}]"));
	assert_int_equal(slo_inputs_end(&in, a, &errors), 0);
	assert_int_equal(in.objects, 3);
	assert_int_equal(in.pack.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(checks_input),
					    cmocka_unit_test(keeps_entries),
					    cmocka_unit_test(keeps_no_more) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
