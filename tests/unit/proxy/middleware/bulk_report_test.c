/* Reports in their three forms. */
#include "tests/unit/cmocka.h"
#include "proxy/middleware/bulk_report.h"

static void prints(const char *type, const char *want)
{
	AUTO(arena) a = arena_new();
	CLEANUP(buf_done) struct buf b = BUF(4096);
	struct bulk_report r;

	bulk_report_init(&r, a);
	bulk_report_text(&r, S("Response Status"), bulk_status(a, 400));
	bulk_report_text(&r, S("Response Body"), S("a<b"));
	bulk_report_number(&r, S("Number Deleted"), 3);
	bulk_report_error(&r, S("/c/\"o\""), S("404 Not Found"));
	bulk_report_print(&r, str_from(type), "delete", &b);
	assert_string_equal(b.p, want);
}

static void forms(void **state)
{
	(void)state;
	prints("text/plain",
	       "Number Deleted: 3\nResponse Body: a<b\nResponse Status: 400 Bad Request\n"
	       "Errors:\n/c/\"o\", 404 Not Found\n");
	prints("application/json",
	       "{\"Response Status\": \"400 Bad Request\", \"Response Body\": \"a<b\", "
	       "\"Number Deleted\": 3, \"Errors\": [[\"/c/\\\"o\\\"\", \"404 Not Found\"]]}");
	prints("text/xml", "<delete>\n<number_deleted>3</number_deleted>\n"
			   "<response_body>a&lt;b</response_body>\n"
			   "<response_status>400 Bad Request</response_status>\n<errors>\n"
			   "<object><name>/c/\"o\"</name><status>404 Not Found</status></object>\n"
			   "</errors>\n</delete>\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(forms) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
