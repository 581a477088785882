/* Listings of versioned containers, ?versions, and listings of accounts that have hidden
 * containers. */
#include "lib/base/encode.h"
#include "lib/swift/accept.h"
#include "lib/swift/metadata.h"
#include "proxy/middleware/listing_json.h"
#include "proxy/middleware/object_versioning.h"
#include "proxy/middleware/version_names.h"
#include "proxy/proxy_conf.h"

DEFINE_AUTO(json, json_t *, json_decref);

/* ---- rows that are links to current versions ---- */

static uint64_t number_of(const json_t *row, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(row, key));

	return n > 0 ? (uint64_t)n : 0;
}

/* "/v1/account/<hidden container>/<version>" of a row, decoded; absent: the row is no version. */
static struct str version_path(const struct versioned *v, const json_t *row)
{
	struct str path = percent_decode(v->copy.req->arena, row_text(row, "symlink_path"));
	struct str rest = path;

	if (!str_starts(path, S("/v1/")) || !json_object_get(row, "symlink_etag") ||
	    !json_object_get(row, "symlink_bytes"))
		return STR_NONE;
	rest = str_skip(rest, 4);
	(void)str_cut(&rest, '/');
	return str_eq(str_cut(&rest, '/'), v->versions) && rest.n ? path : STR_NONE;
}

static bool split_path(struct str path, struct str *ret_object, struct timestamp *ret_ts)
{
	struct str rest = str_skip(path, 4);

	(void)str_cut(&rest, '/');
	(void)str_cut(&rest, '/');
	return version_name_split(rest, ret_object, ret_ts);
}

/* The row shows the version, not the link. */
static void show_version(const struct versioned *v, json_t *row, struct str path, bool public)
{
	struct arena *a = v->copy.req->arena;
	struct str hash = row_text(row, "hash"), etag = row_text(row, "symlink_etag"), object;
	ssize_t at = str_chr(hash, ';');
	char id[TIMESTAMP_SIZE];
	struct timestamp ts;

	row_set(row, "hash", arena_printf(a, "%.*s%.*s", STR(etag),
					  STR(at < 0 ? S("") : str_skip(hash, (size_t)at))));
	json_object_set(row, "bytes", json_object_get(row, "symlink_bytes"));
	json_object_del(row, "symlink_bytes");
	json_object_del(row, "symlink_etag");
	json_object_set_new(row, "version_symlink", json_true());
	if (!public || !split_path(path, &object, &ts))
		return;
	timestamp_internal(ts, id);
	path = swift_path_quote(a, S("/v1"), v->account, v->container, object);
	row_set(row, "symlink_path", arena_printf(a, "%.*s?version-id=%s", STR(path), id));
}

static void show_versions(const struct versioned *v, json_t *rows, bool public)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		struct str path = version_path(v, row);

		if (path.p)
			show_version(v, row, path, public);
	}
}

/* ---- ?versions ---- */

/* The listing that is made: the container's own rows joined with the versions. */
struct merge {
	struct versioned *v;
	json_t *primary;                /* rows of the container */
	json_t *current;                /* path of a version -> its row in primary */
	json_t *latest;                 /* names whose newest version is known */
	json_t *subdirs;
	json_t *nulls, *versions, *broken;
	/* The client's query. */
	struct str delimiter;
	uint64_t limit;
	bool reverse;
};

static struct str text_key(struct arena *a, struct str s)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	percent_encode(&b, s, S("/"));
	return arena_str(a, buf_str(&b));
}

static bool know(struct merge *m, struct str name)
{
	struct str key = text_key(m->v->copy.req->arena, name);
	bool known = json_object_get(m->latest, key.p);

	json_object_set_new(m->latest, key.p, json_true());
	return known;
}

static void sort_primary(struct merge *m)
{
	struct arena *a = m->v->copy.req->arena;
	json_t *row;
	size_t i;

	json_array_foreach(m->primary, i, row) {
		struct str subdir = row_text(row, "subdir");

		if (subdir.p) {
			json_object_set_new(m->subdirs, text_key(a, subdir).p, json_true());
		} else if (json_object_get(row, "version_symlink")) {
			struct str path = percent_decode(a, row_text(row, "symlink_path"));

			json_object_set(m->current, text_key(a, path).p, row);
		} else {
			row_set(row, "version_id", S("null"));
			json_object_set_new(row, "is_latest", json_true());
			know(m, row_text(row, "name"));
			json_array_append(m->nulls, row);
		}
	}
}

static void set_version(json_t *row, struct str name, struct timestamp ts, bool latest)
{
	char id[TIMESTAMP_SIZE];

	timestamp_internal(ts, id);
	row_set(row, "name", name);
	row_set(row, "version_id", str_from(id));
	json_object_set_new(row, "is_latest", json_boolean(latest));
}

static void add_version(struct merge *m, json_t *row)
{
	struct arena *a = m->v->copy.req->arena;
	struct str stored = arena_str(a, row_text(row, "name")), name;
	struct timestamp ts;

	if (!version_name_split(stored, &name, &ts))
		return;
	struct str key = text_key(a, swift_path_join(a, arena_printf(a, "v1/%.*s",
								     STR(m->v->account)),
						     m->v->versions, stored));
	bool latest = json_object_get(m->current, key.p);

	if (latest) {
		know(m, name);
		json_object_del(m->current, key.p);
	} else if (str_eq(row_text(row, "content_type"), DELETE_MARKER)) {
		latest = !know(m, name);
	}
	set_version(row, name, ts, latest);
	json_array_append(m->versions, row);
}

static void add_versions(struct merge *m, const json_t *rows)
{
	struct arena *a = m->v->copy.req->arena;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		struct str subdir = row_text(row, "subdir");

		if (!subdir.p) {
			add_version(m, row);
			continue;
		}
		subdir = str_skip(subdir, 1);
		subdir = str_cut(&subdir, 0);
		json_object_set_new(m->subdirs, text_key(a, subdir).p, json_true());
	}
}

/* Links whose version is not in the listing. */
static void add_broken(struct merge *m)
{
	static const char *const kept[] = { "content_type", "bytes", "hash", "last_modified" };
	struct arena *a = m->v->copy.req->arena;
	const char *key;
	json_t *row;

	json_object_foreach(m->current, key, row) {
		struct str name;
		struct timestamp ts;
		json_t *copy;

		if (!split_path(percent_decode(a, str_from(key)), &name, &ts))
			continue;
		copy = json_object();
		set_version(copy, name, ts, !know(m, name));
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			json_object_set(copy, kept[i], json_object_get(row, kept[i]));
		json_array_append_new(m->broken, copy);
	}
}

/* One row of the result, with its place among those of the same name. */
struct sorted {
	struct str key;
	size_t at;
	json_t *row;
	bool reverse;
};

static int compare(const void *va, const void *vb)
{
	const struct sorted *a = va, *b = vb;
	int rc = str_cmp(a->key, b->key);

	if (rc)
		return a->reverse ? -rc : rc;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* The first `limit` rows of all of them in order. */
static json_t *sorted_rows(struct arena *a, json_t *const *parts, size_t n, bool reverse,
			   uint64_t limit)
{
	size_t count = 0, total = 0;

	for (size_t i = 0; i < n; i++)
		total += json_array_size(parts[i]);
	struct sorted *v = arena_zalloc(a, (total + 1) * sizeof *v);
	json_t *rows = json_array(), *row;
	size_t j;

	for (size_t i = 0; i < n; i++)
		json_array_foreach(parts[i], j, row) {
			struct str key = row_text(row, "subdir");

			if (!key.p)
				key = row_text(row, "name");
			v[count] = (struct sorted){ key, count, row, reverse };
			count++;
		}
	qsort(v, count, sizeof *v, compare);
	for (size_t i = 0; i < count && i < limit; i++)
		json_array_append(rows, v[i].row);
	return rows;
}

static json_t *subdir_rows(const struct merge *m)
{
	json_t *rows = json_array(), *unused, *row;
	const char *key;

	json_object_foreach(m->subdirs, key, unused) {
		row = json_object();
		row_set(row, "subdir", percent_decode(m->v->copy.req->arena, str_from(key)));
		json_array_append_new(rows, row);
	}
	return rows;
}

static void merge_done(struct merge *m)
{
	json_decref(m->primary);
	json_decref(m->current);
	json_decref(m->latest);
	json_decref(m->subdirs);
	json_decref(m->nulls);
	json_decref(m->versions);
	json_decref(m->broken);
}

waits static int refuse(struct response *res, const char *text)
{
	body_close(res->body);
	response_init(res, res->headers.arena);
	respond_html(res, 400, "%s", text);
	return -EINVAL;
}

/* The query that is asked of the hidden container. */
waits static int versions_query(struct merge *m, struct response *res, struct str *ret)
{
	const struct request *req = m->v->copy.req;
	struct arena *a = req->arena;
	struct str marker = request_query_lit(req, "marker");
	struct str version = request_query_lit(req, "version_marker");
	struct str prefix = request_query_lit(req, "prefix");
	struct str query = arena_printf(a, "format=json&limit=%" PRIu64 "&reverse=%s", m->limit,
					m->reverse ? "on" : "off");
	struct timestamp ts;

	if (version.p && !request_has_query(req, S("marker")))
		return refuse(res, "version_marker param requires marker");
	for (size_t i = 0; i < m->delimiter.n; i++)
		if (str_chr(str_of("0123456789.", 12), m->delimiter.p[i]) >= 0)
			return refuse(res, "invalid delimiter param");
	if (version.p && !str_eq(version, S("null"))) {
		if (version_id_parse(version, &ts) < 0)
			return refuse(res, "invalid version_marker param");
		query = query_with(a, query, S("marker"), version_name(a, marker, ts));
	} else if (!version.p && marker.p) {
		/* Behind all versions of that name: ':' comes after the digits. */
		char *end = arena_alloc(a, marker.n + 3);

		end[0] = 0;
		memcpy(end + 1, marker.p, marker.n);
		end[marker.n + 1] = 0;
		end[marker.n + 2] = ':';
		query = query_with(a, query, S("marker"), str_of(end, marker.n + 3));
	} else if (marker.p) {
		query = query_with(a, query, S("marker"), marker);
	}
	if (prefix.p) {
		char *p = arena_alloc(a, prefix.n + 1);

		p[0] = 0;
		memcpy(p + 1, prefix.p, prefix.n);
		query = query_with(a, query, S("prefix"), str_of(p, prefix.n + 1));
	}
	if (m->delimiter.n)
		query = query_with(a, query, S("delimiter"), m->delimiter);
	*ret = query;
	return 0;
}

waits static void list_versions(struct merge *m, struct response *res)
{
	struct versioned *v = m->v;
	struct str query, text = STR_NONE;
	struct response got;

	if (versions_query(m, res, &query) < 0)
		return;
	struct request *get = versions_request(&v->copy, HTTP_GET, v->versions, STR_NONE, query);

	middleware_call(v->copy.mw, get, &got);
	if (got.status != 404 && got.status / 100 != 2) {
		*res = got;
		return;
	}
	int rc = listing_read(&got, &text);

	if (rc < 0) {
		response_init(res, v->copy.req->arena);
		proxy_respond_error(v->copy.req, res, rc);
		return;
	}
	sort_primary(m);
	if (got.status != 404) {
		AUTO(json) rows = listing_parse(text);

		add_versions(m, rows);
	}
	add_broken(m);
	AUTO(json) subdirs = subdir_rows(m);
	json_t *parts[] = { m->nulls, m->versions, subdirs, m->broken };
	AUTO(json) rows = sorted_rows(v->copy.req->arena, parts, ARRAY_LEN(parts), m->reverse,
				      m->limit);

	listing_write(res, rows);
}

static uint64_t limit_of(const struct request *req)
{
	uint64_t limit, max = proxy_request(req)->proxy->conf->limits.container_listing_limit;

	return str_to_u64(request_query_lit(req, "limit"), &limit) == 0 ? MIN(limit, max) : max;
}

waits static void merge_versions(struct versioned *v, json_t *rows, struct response *res)
{
	struct request *req = v->copy.req;
	struct merge m = {
		.v = v,
		.primary = json_incref(rows),
		.current = json_object(),
		.latest = json_object(),
		.subdirs = json_object(),
		.nulls = json_array(),
		.versions = json_array(),
		.broken = json_array(),
		.delimiter = request_query_lit(req, "delimiter"),
		.limit = limit_of(req),
		.reverse = str_is_true(request_query_lit(req, "reverse")),
	};

	if (!v->versions.n)
		v->versions = versions_container_name(req->arena, v->container);
	list_versions(&m, res);
	merge_done(&m);
}

/* ---- the container ---- */

/* ?versions is told in JSON only: by format, or when Accept would take that. */
static bool wants_json(const struct request *req)
{
	static const struct str json[] = { STR_INIT("application/json") };
	struct request original = *req;
	struct str target = req->target, best;

	(void)str_cut(&target, '?');
	original.query = target;
	struct str format = request_query_lit(&original, "format");

	if (format.n)
		return str_ieq(format, S("json"));
	return accept_best_match(headers_get_lit(&req->headers, "Accept"), json, 1, &best) == 0;
}

waits static void add_bytes(struct versioned *v, struct response *res)
{
	struct request *head =
		versions_request(&v->copy, HTTP_HEAD, v->versions, STR_NONE, STR_NONE);
	uint64_t own, more;
	struct response got;

	if (str_to_u64(headers_get_lit(&res->headers, "X-Container-Bytes-Used"), &own) < 0)
		return;
	middleware_call(v->copy.mw, head, &got);
	body_close(got.body);
	if (got.status / 100 == 2 &&
	    str_to_u64(headers_get_lit(&got.headers, "X-Container-Bytes-Used"), &more) == 0)
		headers_setf(&res->headers, S("X-Container-Bytes-Used"), "%" PRIu64, own + more);
}

void versioned_container_read(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;
	struct str format = request_query_lit(req, "format"), text, query = req->query;
	bool versions = req->method == HTTP_GET && request_has_query(req, S("versions"));
	bool xml = str_eq(format, S("xml")) && v->versions.n;

	if (versions && !wants_json(req)) {
		respond_status(res, 406);
		return;
	}
	/* Rows are read in JSON, whatever is written in the end. */
	if (req->method == HTTP_GET && (versions || xml))
		req->query = query_with(req->arena, query, S("format"), S("json"));
	middleware_next(v->copy.mw, req, res);
	if (res->status / 100 == 2 && v->versions.n)
		add_bytes(v, res);
	bool json = str_starts(headers_get_lit(&res->headers, "Content-Type"),
			       S("application/json"));

	if (req->method != HTTP_GET || res->status != 200 || !json ||
	    (!v->versions.n && !versions))
		return;
	int rc = listing_read(res, &text);
	AUTO(json) rows = rc < 0 ? NULL : listing_parse(text);

	if (!rows) {
		response_init(res, req->arena);
		proxy_respond_error(req, res, rc < 0 ? rc : -EHOSTDOWN);
		return;
	}
	show_versions(v, rows, !versions);
	if (versions)
		merge_versions(v, rows, res);
	else if (xml)
		listing_write_xml(res, rows, v->container);
	else
		listing_write(res, rows);
}

/* ---- the account ---- */

/* A container's name in a query becomes that of its hidden one; others stay. */
static struct str hidden_query(const struct request *req)
{
	static const char *const names[] = { "prefix", "marker", "end_marker" };
	struct arena *a = req->arena;
	struct str query = query_with(a, req->query, S("format"), S("json"));

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str value = request_query(req, str_from(names[i]));

		if (value.p && str_chr(value, 0) < 0)
			query = query_with(a, query, str_from(names[i]),
					   versions_container_name(a, value));
		else if (i == 0 && !value.p)
			query = query_with(a, query, S("prefix"), str_of("\0versions", 9));
	}
	return query;
}

/* The bytes of versions count where a client sees them. */
static void add_hidden(json_t *rows, const json_t *hidden)
{
	AUTO(json) by_name = json_object();
	const char *key;
	json_t *row, *other;
	size_t i;

	json_array_foreach(hidden, i, row) {
		struct str name = row_text(row, "name");

		if (name.n && versions_container_of(name).n < name.n)
			json_object_set(by_name, versions_container_of(name).p, row);
	}
	json_array_foreach(rows, i, row) {
		struct str name = row_text(row, "name");

		other = name.n ? json_object_get(by_name, name.p) : NULL;
		if (!other)
			continue;
		json_object_set_new(row, "bytes",
				    json_integer((json_int_t)(number_of(row, "bytes") +
							      number_of(other, "bytes"))));
		json_object_del(by_name, name.p);
	}
	/* What is left belongs to no container; its owner should know. */
	json_object_foreach(by_name, key, other) {
		row_set(other, "name", str_from(key));
		json_object_set_new(other, "count", json_integer(0));
		json_array_append(rows, other);
	}
}

void versioned_account_list(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;
	struct str text, hidden_text, query = req->query;
	bool xml = str_eq(request_query_lit(req, "format"), S("xml"));
	struct response got;

	if (xml)
		req->query = query_with(req->arena, query, S("format"), S("json"));
	middleware_next(v->copy.mw, req, res);
	req->query = query;
	if (res->status != 200 ||
	    !str_starts(headers_get_lit(&res->headers, "Content-Type"), S("application/json")))
		return;
	struct request *get =
		versions_request(&v->copy, HTTP_GET, STR_NONE, STR_NONE, hidden_query(req));

	headers_set(&get->headers, S("X-Backend-Allow-Reserved-Names"), S("true"));
	middleware_call(v->copy.mw, get, &got);
	int rc = listing_read(res, &text), hidden_rc = listing_read(&got, &hidden_text);
	AUTO(json) rows = rc < 0 ? NULL : listing_parse(text);
	AUTO(json) hidden =
		hidden_rc < 0 || got.status != 200 ? NULL : listing_parse(hidden_text);

	if (!rows) {
		response_init(res, req->arena);
		proxy_respond_error(req, res, rc < 0 ? rc : -EHOSTDOWN);
		return;
	}
	if (json_array_size(hidden) == 0 && !xml) {
		res->content_length = (int64_t)text.n;
		res->body = body_bytes(req->arena, text);
		return;
	}
	add_hidden(rows, hidden);
	AUTO(json) sorted = sorted_rows(req->arena, &rows, 1,
					str_is_true(request_query_lit(req, "reverse")),
					limit_of(req));

	if (xml)
		listing_write_account_xml(res, sorted, v->account);
	else
		listing_write(res, sorted);
}
