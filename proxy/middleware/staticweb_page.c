/* HTML of static web. Swift: _listing in common/middleware/staticweb.py */
#include "proxy/middleware/staticweb_page.h"
#include "lib/base/encode.h"

#include <jansson.h>

#define DOCTYPE                                                                                \
	"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\" "                    \
	"\"http://www.w3.org/TR/html4/loose.dtd\">\n"

static void add_html(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&':
			buf_add_lit(to, "&amp;");
			break;
		case '<':
			buf_add_lit(to, "&lt;");
			break;
		case '>':
			buf_add_lit(to, "&gt;");
			break;
		case '"':
			buf_add_lit(to, "&quot;");
			break;
		case '\'':
			buf_add_lit(to, "&#x27;");
			break;
		default:
			buf_add_char(to, s.p[i]);
		}
	}
}

/* Where the style sheet is, seen from a page of that prefix. URLs and absolute paths stand. */
static void add_css_path(const struct web_page *p, struct buf *to)
{
	struct str css = p->site->css;

	if (str_starts(css, S("/")) || str_starts(css, S("http://")) ||
	    str_starts(css, S("https://"))) {
		percent_encode(to, css, S(":/"));
		return;
	}
	for (size_t i = 0; i < p->prefix.n; i++)
		if (p->prefix.p[i] == '/')
			buf_add_lit(to, "../");
	percent_encode(to, css, S("/"));
}

static void add_style(const struct web_page *p, struct str own, struct buf *to)
{
	if (p->site->css.n) {
		buf_add_lit(to, "  <link rel=\"stylesheet\" type=\"text/css\" href=\"");
		add_css_path(p, to);
		buf_add_lit(to, "\" />\n");
	} else {
		buf_add_lit(to, "  <style type=\"text/css\">\n");
		buf_add_str(to, own);
		buf_add_lit(to, "  </style>\n");
	}
}

void web_page_disabled(const struct web_page *p, struct buf *to)
{
	buf_add_lit(to, DOCTYPE "<html>\n<head>\n<title>Listing of ");
	add_html(to, p->label);
	buf_add_lit(to, "</title>\n");
	add_style(p,
		  S("   h1 {font-size: 1em; font-weight: bold;}\n"
		    "   p {font-size: 2}\n"),
		  to);
	buf_add_lit(to, "</head>\n<body>"
			"  <h1>Web Listing Disabled</h1>"
			"   <p>The owner of this web site has disabled web listing."
			"   <p>If you are the owner of this web site, you can enable"
			"   web listing by setting X-Container-Meta-Web-Listings.</p>");
	if (p->site->index.n) {
		buf_add_lit(to, "<h1>Index File Not Found</h1>"
				" <p>The owner of this web site has set "
				" <b>X-Container-Meta-Web-Index: ");
		add_html(to, p->site->index);
		buf_add_lit(to, "</b>.  However, this file is not found.</p>");
	}
	buf_add_lit(to, " </body>\n</html>\n");
}

void web_size(uint64_t bytes, struct buf *to)
{
	static const char suffixes[] = "KMGTPE";
	int index = -1;

	/* Python's round: halves go to the even one. */
	while (bytes >= 1024) {
		uint64_t rest = bytes % 1024;

		bytes /= 1024;
		bytes += rest > 512 || (rest == 512 && bytes % 2);
		index++;
	}
	if (index < 0)
		buf_addf(to, "%" PRIu64, bytes);
	else
		buf_addf(to, "%" PRIu64 "%ci", bytes, suffixes[index]);
}

static struct str text_of(const json_t *item, const char *key)
{
	const json_t *v = json_object_get(item, key);

	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}

static struct str without_prefix(const struct web_page *p, struct str name)
{
	return str_starts(name, p->prefix) ? str_skip(name, p->prefix.n) : name;
}

/* The class is opened by the caller. */
static void add_row(const struct web_page *p, struct str name, struct buf *to)
{
	buf_add_lit(to, "\">\n    <td class=\"colname\"><a href=\"");
	percent_encode(to, name, S("/"));
	buf_add_str(to, p->link_query);
	buf_add_lit(to, "\">");
	add_html(to, name);
	buf_add_lit(to, "</a></td>\n    <td class=\"colsize\">");
}

static void end_row(struct buf *to)
{
	buf_add_lit(to, "</td>\n   </tr>\n");
}

static void add_folder(const struct web_page *p, const json_t *item, struct buf *to)
{
	struct str name = text_of(item, "subdir");

	if (!name.p)
		return;
	buf_add_lit(to, "   <tr class=\"item subdir");
	add_row(p, without_prefix(p, name), to);
	buf_add_lit(to, "&nbsp;</td>\n    <td class=\"coldate\">&nbsp;");
	end_row(to);
}

/* "type-text type-html" */
static void add_type(struct str type, struct buf *to)
{
	struct str part;

	while ((part = str_cut(&type, '/')).p) {
		buf_add_lit(to, " type-");
		for (size_t i = 0; i < part.n; i++) {
			char c = part.p[i];

			c = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
			add_html(to, str_of(&c, 1));
		}
	}
}

/* "2026-11-22T09:19:12.075580" is shown as "2026-11-22 09:19:12". */
static void add_date(struct str date, struct buf *to)
{
	date = str_cut(&date, '.');
	for (size_t i = 0; i < date.n; i++) {
		char c = date.p[i] == 'T' ? ' ' : date.p[i];

		add_html(to, str_of(&c, 1));
	}
}

static void add_file(const struct web_page *p, const json_t *item, struct buf *to)
{
	struct str name = text_of(item, "name");
	json_int_t bytes = json_integer_value(json_object_get(item, "bytes"));

	if (!name.p)
		return;
	buf_add_lit(to, "   <tr class=\"item");
	add_type(text_of(item, "content_type"), to);
	add_row(p, without_prefix(p, name), to);
	web_size(bytes < 0 ? 0 : (uint64_t)bytes, to);
	buf_add_lit(to, "</td>\n    <td class=\"coldate\">");
	add_date(text_of(item, "last_modified"), to);
	end_row(to);
}

static void add_head(const struct web_page *p, struct buf *to)
{
	buf_add_lit(to, DOCTYPE "<html>\n <head>\n  <title>Listing of ");
	add_html(to, p->label);
	buf_add_lit(to, "</title>\n");
	add_style(p,
		  S("   h1 {font-size: 1em; font-weight: bold;}\n"
		    "   th {text-align: left; padding: 0px 1em 0px 1em;}\n"
		    "   td {padding: 0px 1em 0px 1em;}\n"
		    "   a {text-decoration: none;}\n"),
		  to);
	buf_add_lit(to, " </head>\n <body>\n  <h1 id=\"title\">Listing of ");
	add_html(to, p->label);
	buf_add_lit(to, "</h1>\n"
			"  <table id=\"listing\">\n"
			"   <tr id=\"heading\">\n"
			"    <th class=\"colname\">Name</th>\n"
			"    <th class=\"colsize\">Size</th>\n"
			"    <th class=\"coldate\">Date</th>\n"
			"   </tr>\n");
	if (!p->has_parent)
		return;
	buf_add_lit(to, "   <tr id=\"parent\" class=\"item\">\n"
			"    <td class=\"colname\"><a href=\"../");
	buf_add_str(to, p->link_query);
	buf_add_lit(to, "\">../</a></td>\n"
			"    <td class=\"colsize\">&nbsp;</td>\n"
			"    <td class=\"coldate\">&nbsp;</td>\n"
			"   </tr>\n");
}

int web_page_listing(const struct web_page *p, struct str json, struct buf *to)
{
	json_t *list = json_loadb(json.p, json.n, JSON_ALLOW_NUL, NULL), *item;
	int rc = !json_is_array(list) ? -EBADMSG :
		 p->prefix.n && json_array_size(list) == 0 ? -ENOENT :
							     0;
	size_t i;

	if (rc == 0) {
		add_head(p, to);
		json_array_foreach(list, i, item)
			add_folder(p, item, to);
		json_array_foreach(list, i, item)
			add_file(p, item, to);
		buf_add_lit(to, "  </table>\n </body>\n</html>\n");
	}
	json_decref(list);
	return rc;
}
