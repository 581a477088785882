/* Clients' manifests: what is taken, and what is said of the others. */
#include "tests/unit/cmocka.h"
#include "proxy/middleware/slo_manifest.h"

static void input(const char *json, const char *error)
{
	AUTO(arena) a = arena_new();
	struct slo_inputs in = { 0 };
	struct str errors = STR_NONE;
	int rc = slo_inputs_parse(a, str_from(json), S("c/self"), &in, &errors);

	if (!error && rc < 0)
		fail_msg("%s: %.*s", json, STR(errors));
	if (error && !str_eq(errors, str_from(error)))
		fail_msg("%s: %.*s, not %s", json, STR(errors), error);
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
	input("{}", "Manifest must be a list.\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(checks_input) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
