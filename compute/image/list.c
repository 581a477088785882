/* GET /v2/images. */
#include "compute/image/filter.h"
#include "lib/base/encode.h"

enum { YIELD_EVERY = 500 };     /* images that are looked at before others have their turn */

/* The query without marker, for the links to other pages. */
static struct str query_without_marker(struct api_call *c)
{
	CLEANUP(buf_done) struct buf b = BUF(16 * KIB);

	for (unsigned i = 0; i < c->queries; i++) {
		if (str_eq(c->query[i].key, S("marker")))
			continue;
		buf_addf(&b, b.n ? "&" : "");
		percent_encode(&b, c->query[i].key, S(""));
		buf_add_char(&b, '=');
		percent_encode(&b, c->query[i].value, S(""));
	}
	return arena_str(c->arena, buf_str(&b));
}

static int compare(const void *a, const void *b, void *arg)
{
	return filter_compare(arg, a, b);
}

/* Index behind the marker; -ENOENT when the listing has no such image. */
static ssize_t behind_marker(const struct image_filter *f, const struct sort_item *items, size_t n)
{
	if (!f->marker.p)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (str_eq(json_str(items[i].doc, "id"), f->marker))
			return (ssize_t)i + 1;
	return -ENOENT;
}

/* An image that the filters leave out may be a marker as well: the page begins where it would
 * stand. */
static ssize_t find_start(struct api_call *c, const struct image_filter *f,
			  const struct sort_item *items, size_t n, const struct record_list *all)
{
	ssize_t at = behind_marker(f, items, n);

	if (at >= 0)
		return at;
	for (size_t i = 0; i < all->n; i++) {
		size_t from = 0;

		if (!str_eq(all->v[i].id, f->marker) ||
		    !image_visible(c->caller, all->v[i].doc))
			continue;
		const struct sort_item marker = filter_sort_item(f, all->v[i].doc);

		while (from < n && filter_compare(f, &items[from], &marker) <= 0)
			from++;
		return (ssize_t)from;
	}
	return -ENOENT;
}

static void respond_page(struct api_call *c, const struct image_filter *f,
			 const struct sort_item *items, size_t from, size_t n)
{
	json_t *list = json_array();
	struct str query = query_without_marker(c);
	size_t end = MIN(n, from + (size_t)f->limit);

	for (size_t i = from; i < end; i++)
		json_array_append_new(list, image_view(items[i].doc));
	json_t *doc = json_pack("{s:o, s:s, s:o}", "images", list, "schema", "/v2/schemas/images",
				"first", json_sprintf("/v2/images%s%.*s", query.n ? "?" : "",
						      STR(query)));

	if (end < n && end > from)
		json_object_set_new(doc, "next",
				    json_sprintf("/v2/images?marker=%.*s%s%.*s",
						 STR(json_str(items[end - 1].doc, "id")),
						 query.n ? "&" : "", STR(query)));
	api_respond(c, 200, doc);
}

void image_list(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	struct image_filter f;
	struct fault why;
	size_t n = 0;

	if (filter_parse(c, &f, &why) < 0) {
		api_error(c, 400, "%s", why.text);
		return;
	}
	int rc = records_list(image_state(c)->images, c->arena, &all);

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	struct sort_item *items = arena_alloc(c->arena, (all.n + 1) * sizeof *items);

	for (size_t i = 0; i < all.n; i++) {
		if (filter_matches(&f, c->caller, all.v[i].doc))
			items[n++] = filter_sort_item(&f, all.v[i].doc);
		if (i % YIELD_EVERY == YIELD_EVERY - 1)
			task_yield();
	}
	qsort_r(items, n, sizeof *items, compare, &f);
	ssize_t from = find_start(c, &f, items, n, &all);

	if (from < 0) {
		api_error(c, 400, "Invalid marker: %.*s", STR(f.marker));
		return;
	}
	respond_page(c, &f, items, (size_t)from, n);
}
