/* Pages of static web: rows, escapes, sizes, style sheets. */
#include "proxy/middleware/staticweb_page.h"
#include "tests/unit/cmocka.h"

static void expect_size(uint64_t bytes, const char *text)
{
	CLEANUP(buf_done) struct buf b = BUF(100);

	web_size(bytes, &b);
	assert_string_equal(b.p, text);
}

/* The numbers are what Swift's human_readable prints. */
static void size_test(void **state)
{
	(void)state;
	expect_size(0, "0");
	expect_size(1023, "1023");
	expect_size(1024, "1Ki");
	expect_size(1535, "1Ki");
	expect_size(1536, "2Ki");
	expect_size(2560, "2Ki");       /* 2.5, to the even */
	expect_size(1048576, "1Mi");
	expect_size(1048575, "1Mi");
	expect_size(5 * GIB, "5Gi");
	expect_size(UINT64_MAX, "16Ei");
}

static bool holds(const struct buf *b, const char *text)
{
	return str_find(buf_str(b), str_from(text)) >= 0;
}

static void listing_test(void **state)
{
	struct web_site site = { 0 };
	struct web_page p = { .site = &site, .label = S("/v1/a/c/<p>/"), .prefix = S("p/"),
			      .has_parent = true, .link_query = S("?q") };
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	(void)state;
	assert_int_equal(web_page_listing(&p,
					  S("[{\"name\": \"p/a&b\", \"bytes\": 2048, "
					    "\"content_type\": \"Text/HTML\", \"last_modified\": "
					    "\"2026-11-22T09:19:12.075580\"},"
					    "{\"subdir\": \"p/s/\"}]"),
					  &b),
			 0);
	assert_true(holds(&b, "<title>Listing of /v1/a/c/&lt;p&gt;/</title>\n  <style"));
	assert_true(holds(&b, "   <tr id=\"parent\" class=\"item\">\n"
			      "    <td class=\"colname\"><a href=\"../?q\">../</a></td>\n"));
	assert_true(holds(&b, "   <tr class=\"item subdir\">\n"
			      "    <td class=\"colname\"><a href=\"s/?q\">s/</a></td>\n"
			      "    <td class=\"colsize\">&nbsp;</td>\n"
			      "    <td class=\"coldate\">&nbsp;</td>\n"
			      "   </tr>\n"
			      "   <tr class=\"item type-text type-html\">\n"
			      "    <td class=\"colname\"><a href=\"a%26b?q\">a&amp;b</a></td>\n"
			      "    <td class=\"colsize\">2Ki</td>\n"
			      "    <td class=\"coldate\">2026-11-22 09:19:12</td>\n"
			      "   </tr>\n  </table>\n </body>\n</html>\n"));
}

static void no_listing_test(void **state)
{
	struct web_site site = { 0 };
	struct web_page p = { .site = &site, .label = S("x"), .prefix = S("p/") };
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	(void)state;
	assert_int_equal(web_page_listing(&p, S("[]"), &b), -ENOENT);
	assert_int_equal(web_page_listing(&p, S("{}"), &b), -EBADMSG);
	assert_int_equal(web_page_listing(&p, S("[{\"name\""), &b), -EBADMSG);
	assert_int_equal(web_page_listing(&p, S(""), &b), -EBADMSG);
	assert_int_equal(b.n, 0);
	p.prefix = S("");
	assert_int_equal(web_page_listing(&p, S("[]"), &b), 0);
	assert_false(holds(&b, "parent"));
	buf_clear(&b);
	assert_int_equal(web_page_listing(&p, S("[1, {\"name\": 2}, {\"name\": \"n\"}]"), &b), 0);
	assert_true(holds(&b, "<a href=\"n\">n</a>"));
}

static void expect_css(const char *css, const char *prefix, const char *href)
{
	struct web_site site = { .css = str_from(css), .index = S("<i>") };
	struct web_page p = { .site = &site, .label = S("x"), .prefix = str_from(prefix) };
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	web_page_disabled(&p, &b);
	assert_true(holds(&b, href));
	assert_true(holds(&b, "Index: &lt;i&gt;</b>"));
}

static void css_test(void **state)
{
	(void)state;
	expect_css("a.css", "", "href=\"a.css\"");
	expect_css("s/a b.css", "x/y/", "href=\"../../s/a%20b.css\"");
	expect_css("/v1/a/c/a.css", "x/", "href=\"/v1/a/c/a.css\"");
	expect_css("https://h/\"a", "x/", "href=\"https://h/%22a\"");
	expect_css("javascript:x", "", "href=\"javascript%3Ax\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_test),
		cmocka_unit_test(listing_test),
		cmocka_unit_test(no_listing_test),
		cmocka_unit_test(css_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
