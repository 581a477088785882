/* Small things that the whole compute service needs: links, times, pages, errors. */
#include "compute/server/server.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"

void answer_fail(struct api_call *c, int rc, const char *what, struct str id)
{
	if (rc == -ENOENT)
		api_error(c, 404, "%s %.*s could not be found.", what, STR(str_head(id, 300)));
	else
		api_fail(c, rc);
}

int64_t number(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(doc, key));
}

struct str text(const json_t *doc, const char *key)
{
	struct str s = json_str(doc, key);

	return s.p ? s : S("");
}

json_t *links_of(struct api_call *c, const char *kind, struct str id)
{
	CLEANUP(buf_done) struct buf name = BUF(4 * KIB);

	percent_encode(&name, id, S(""));
	struct str self = api_url(c, arena_printf(c->arena, "/v2.1/%s/%s", kind, name.p).p);
	struct str bookmark = api_url(c, arena_printf(c->arena, "/%s/%s", kind, name.p).p);

	return json_pack("[{s:s, s:o}, {s:s, s:o}]", "rel", "self", "href", json_of(self), "rel",
			 "bookmark", "href", json_of(bookmark));
}

json_t *time_or_null(int64_t us)
{
	return us ? api_time(us) : json_null();
}

json_t *time_legacy(int64_t us)
{
	char t[ISO_DATE_SIZE];

	if (!us)
		return json_null();
	clock_iso_us(us, t);
	return json_string(t);
}

bool page_of(struct api_call *c, size_t n, struct str (*id)(const void *items, size_t i),
	     const void *items, struct page *ret)
{
	struct str marker = api_query(c, "marker");
	uint64_t limit = (uint64_t)server_conf.limit_max;
	size_t from = 0;

	if (api_query_u64(c, "limit", &limit) < 0) {
		api_error(c, 400,
			  "Invalid input for query parameters limit. Value: %.*s. It is not "
			  "a number",
			  STR(str_head(api_query(c, "limit"), 100)));
		return false;
	}
	if (limit == 0 || limit > (uint64_t)server_conf.limit_max)
		limit = (uint64_t)server_conf.limit_max;
	if (marker.n) {
		while (from < n && !str_eq(id(items, from), marker))
			from++;
		if (from++ == n) {
			api_error(c, 400, "marker [%.*s] not found", STR(str_head(marker, 300)));
			return false;
		}
	}
	*ret = (struct page){ .from = from, .end = MIN(n, from + (size_t)limit) };
	ret->more = ret->end < n || (api_query(c, "limit").n && ret->end > from &&
				     ret->end - from == limit);
	return true;
}

json_t *page_links(struct api_call *c, struct str last)
{
	CLEANUP(buf_done) struct buf b = BUF(16 * KIB);
	struct str path = c->req->path;

	for (unsigned i = 0; i < c->queries; i++) {
		if (str_eq(c->query[i].key, S("marker")))
			continue;
		percent_encode(&b, c->query[i].key, S(""));
		buf_add_char(&b, '=');
		percent_encode(&b, c->query[i].value, S(""));
		buf_add_char(&b, '&');
	}
	buf_add_lit(&b, "marker=");
	percent_encode(&b, last, S(""));
	struct str url = api_url(c, arena_printf(c->arena, "%.*s?%s", STR(path), b.p).p);

	return json_pack("[{s:s, s:o}]", "rel", "next", "href", json_of(url));
}

bool may_see(const struct api_call *c, struct str project)
{
	return c->caller->admin ||
	       (c->caller->project_id.n && str_eq(project, c->caller->project_id));
}
