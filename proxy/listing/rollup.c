/* Which rows become items of a listing. */
#include "proxy/listing/rollup.h"
#include "proxy/listing/item.h"

void listing_query_take(const struct request *req, uint64_t max, struct listing_query *ret)
{
	struct str format = request_query_lit(req, "format");
	struct listing_query q = {
		.limit = max,
		.marker = request_query_lit(req, "marker"),
		.end_marker = request_query_lit(req, "end_marker"),
		.prefix = request_query_lit(req, "prefix"),
		.delimiter = request_query_lit(req, "delimiter"),
		.path = request_query_lit(req, "path"),
		.reverse = str_is_true(request_query_lit(req, "reverse")),
	};
	uint64_t limit;

	if (str_to_u64(request_query_lit(req, "limit"), &limit) == 0)
		q.limit = MIN(limit, max);
	q.format = str_ieq(format, S("json")) ? LISTING_JSON :
		   str_ieq(format, S("xml"))  ? LISTING_XML :
						LISTING_TEXT;
	q.allow_reserved =
		str_is_true(headers_get_lit(&req->headers, "X-Backend-Allow-Reserved-Names"));
	if (q.reverse) {
		struct str marker = q.marker;

		q.marker = q.end_marker;
		q.end_marker = marker;
	}
	*ret = q;
}

void rollup_init(struct rollup *u, struct arena *a, enum swift_kind kind,
		 const struct listing_query *q)
{
	*u = (struct rollup){ .kind = kind, .q = *q };
	if (u->q.path.p) {
		struct str path = u->q.path;

		while (str_ends(path, S("/")))
			path.n--;
		u->path_prefix = u->q.path.n ? arena_printf(a, "%.*s/", STR(path)) : STR_NONE;
		u->q.prefix = u->path_prefix;
		u->q.delimiter = S("/");
	}
}

void rollup_done(struct rollup *u)
{
	for (size_t i = 0; i < u->count; i++)
		free(u->items[(u->first + i) % u->cap]);
	free(u->items);
	free(u->directory);
	*u = (struct rollup){ .items = NULL };
}

static char *keep_text(char *at, struct str *s)
{
	if (s->n)
		memcpy(at, s->p, s->n);
	if (s->p)
		s->p = at;
	return at + s->n;
}

static struct item *item_new(const struct raw_row *r, bool subdir)
{
	size_t texts = r->name.n + r->hash.n + r->content_type.n + r->swift_bytes.n;
	struct item *i = xmalloc(sizeof *i + texts);
	char *at = (char *)(i + 1);

	i->row = *r;
	i->subdir = subdir;
	at = keep_text(at, &i->row.name);
	at = keep_text(at, &i->row.hash);
	at = keep_text(at, &i->row.content_type);
	keep_text(at, &i->row.swift_bytes);
	return i;
}

static void keep(struct rollup *u, const struct raw_row *r, bool subdir)
{
	if (u->q.limit == 0)
		return;
	if (u->count == u->q.limit) {
		/* Backwards, the last ones are wanted: the first falls out. */
		assert(u->q.reverse);
		free(u->items[u->first]);
		u->items[u->first] = item_new(r, subdir);
		u->first = (u->first + 1) % u->cap;
		return;
	}
	if (u->count == u->cap) {
		assert(u->first == 0);
		u->cap = MIN(u->cap ? 2 * u->cap : 64, (size_t)u->q.limit);
		u->items = xreallocarray(u->items, u->cap, sizeof *u->items);
	}
	u->items[u->count++] = item_new(r, subdir);
}

static void pass_over(struct rollup *u, struct str directory)
{
	free(u->directory);
	u->directory = str_dup(directory);
	u->directory_n = directory.n;
	u->passed = 0;
}

static void visit_path(struct rollup *u, const struct raw_row *r, ssize_t at)
{
	size_t end = (size_t)at + 1;

	/* What lies deeper: "a/" itself is listed, "a/x" is not. */
	if (at >= 0 && r->name.n > end)
		pass_over(u, str_head(r->name, end));
	else if (!str_eq(r->name, u->path_prefix))
		keep(u, r, false);
}

static void visit(struct rollup *u, const struct raw_row *r)
{
	struct str delimiter = u->q.delimiter;
	ssize_t at = delimiter.n ? str_find(str_skip(r->name, u->q.prefix.n), delimiter) : -1;

	if (at >= 0)
		at += (ssize_t)u->q.prefix.n;
	if (u->q.path.p) {
		visit_path(u, r, at);
	} else if (at >= 0) {
		struct raw_row dir = { .name = str_head(r->name, (size_t)at + delimiter.n) };

		if (!str_eq(dir.name, u->q.marker))
			keep(u, &dir, true);
		pass_over(u, dir.name);
	} else {
		keep(u, r, false);
	}
}

static bool is_wanted(const struct rollup *u, struct str name)
{
	if (!u->q.allow_reserved && (name.n == 0 || name.p[0] == 0))
		return false;
	if (u->q.marker.n && str_cmp(name, u->q.marker) <= 0)
		return false;
	return !u->q.prefix.n || str_starts(name, u->q.prefix);
}

bool rollup_add(struct rollup *u, const struct raw_row *r)
{
	bool full = u->count >= u->q.limit;

	if ((full && !u->q.reverse) || u->q.limit == 0)
		return false;
	if (u->q.end_marker.n && str_cmp(r->name, u->q.end_marker) >= 0)
		return false;
	if (u->directory && str_starts(r->name, str_of(u->directory, u->directory_n))) {
		u->passed++;
		return true;
	}
	if (r->deleted || (u->kind == SWIFT_CONTAINER && r->policy != u->q.policy))
		return true;
	if (is_wanted(u, r->name))
		visit(u, r);
	return true;
}
