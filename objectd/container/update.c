/* UPDATE of a container: rows as a JSON list, as Swift's proxy and replicator print them. */
#include "objectd/container/container_server.h"

#include <jansson.h>

enum { UPDATE_BODY_MAX = 32 * MIB };

static struct str text_of(const json_t *item, const char *key)
{
	const json_t *v = json_object_get(item, key);

	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}

/* Numbers also come as strings. */
static int number_of(const json_t *item, const char *key, uint64_t *ret)
{
	const json_t *v = json_object_get(item, key);

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*ret = (uint64_t)json_integer_value(v);
		return 0;
	}
	return !v || json_is_null(v) ? 0 : str_to_u64(text_of(item, key), ret);
}

/* One "+hex" or "-hex" off the front: what is to be added. */
static int take_delta(struct str *rest, uint64_t *ret)
{
	bool negative = rest->p[0] == '-';
	uint64_t v = 0;
	size_t i = 1;

	for (; i < rest->n && rest->p[i] != '+' && rest->p[i] != '-'; i++) {
		const char *digits = "0123456789abcdef", *at = strchr(digits, rest->p[i] | 0x20);

		if (!at || !*at || i > 14)
			return -EINVAL;
		v = v << 4 | (uint64_t)(at - digits);
	}
	if (i == 1)
		return -EINVAL;
	*rest = str_skip(*rest, i);
	*ret = negative ? -v : v;
	return 0;
}

/* Swift's decode_timestamps: "t1[+-delta[+-delta]]" with hexadecimal deltas; what is not there
 * is as the one before it. */
static int decode_times(struct str text, struct container_row_update *u)
{
	size_t n = 0;
	uint64_t delta;

	while (n < text.n && text.p[n] != '+' && text.p[n] != '-')
		n++;
	struct str rest = str_skip(text, n);

	if (timestamp_parse(str_head(text, n), &u->ts) < 0)
		return -EINVAL;
	u->content_type_ts = u->ts;
	if (rest.n) {
		if (take_delta(&rest, &delta) < 0)
			return -EINVAL;
		if (delta)
			u->content_type_ts = (struct timestamp){ .t = u->ts.t + delta };
	}
	u->meta_ts = u->content_type_ts;
	if (rest.n) {
		if (take_delta(&rest, &delta) < 0 || rest.n)
			return -EINVAL;
		if (delta)
			u->meta_ts = (struct timestamp){ .t = u->content_type_ts.t + delta };
	}
	return 0;
}

static int take_item(struct db_request *r, const json_t *item, struct container_row_update *u)
{
	uint64_t deleted = 0, policy = 0;
	struct str ctype_ts = text_of(item, "ctype_timestamp"),
		   meta_ts = text_of(item, "meta_timestamp");

	*u = (struct container_row_update){
		.account = r->path->account, .container = r->path->container,
		.partition = r->path->partition, .object = text_of(item, "name"),
		.content_type = text_of(item, "content_type"), .etag = text_of(item, "etag"),
	};
	if (!json_is_object(item) || !u->object.n || !u->content_type.p || !u->etag.p ||
	    number_of(item, "size", &u->size) < 0 || number_of(item, "deleted", &deleted) < 0 ||
	    number_of(item, "storage_policy_index", &policy) < 0 || policy > POLICY_INDEX_MAX ||
	    decode_times(text_of(item, "created_at"), u) < 0)
		return -EINVAL;
	u->deleted = deleted;
	u->policy_index = (unsigned)policy;
	if (ctype_ts.n) {
		if (timestamp_parse(ctype_ts, &u->content_type_ts) < 0)
			return -EINVAL;
		u->meta_ts = u->content_type_ts;
	}
	return meta_ts.n ? timestamp_parse(meta_ts, &u->meta_ts) : 0;
}

/* An update of no rows still says whether the container is there, and creates it. */
static int apply_nothing(struct db_batch *b, struct db_change *c)
{
	const struct container_row_update *u = c->arg;

	if (db_batch_info(b)->exists)
		return 0;
	if (!u->auto_create)
		return -ENOENT;
	db_info_create(db_batch_info(b), u->account, u->container, u->ts, u->policy_index);
	db_batch_touch(b);
	return 0;
}

waits static void apply(struct db_request *r, const json_t *list,
			struct container_row_update *first)
{
	size_t n = json_array_size(list);
	struct container_row_update *rows = arena_alloc(r->req->arena, (n + 1) * sizeof *rows);
	int *status = arena_alloc(r->req->arena, (n + 1) * sizeof *status);

	for (size_t i = 0; i < n; i++)
		if (take_item(r, json_array_get(list, i), &rows[i]) < 0)
			return respond_text(r->res, 400, "item %zu is no row", i);
	struct db_change c = { .apply = apply_nothing, .arg = first };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == 0)
		rc = container_apply_rows(r->o, rows, (unsigned)n, status);
	if (rc == -ENOENT)
		respond_status(r->res, 404);
	else if (rc < 0)
		db_respond_error(r, rc);
	else
		respond_status(r->res, 202);
}

static void json_unref(json_t *j)
{
	json_decref(j);
}
DEFINE_AUTO(json, json_t *, json_unref);

struct parse {
	struct str bytes;
	json_t *list;
	json_error_t why;
};

/* In the pool: a long list takes many milliseconds. */
static void parse_list(void *arg)
{
	struct parse *p = arg;

	p->list = json_loadb(p->bytes.p, p->bytes.n, JSON_ALLOW_NUL, &p->why);
}

void container_update(struct db_request *r)
{
	CLEANUP(buf_done) struct buf body = BUF(UPDATE_BODY_MAX);
	struct container_row_update first = {
		.account = r->path->account, .container = r->path->container, .ts = r->ts,
		.auto_create = container_autocreates(r->path->account,
						     db_header(r, "X-Backend-Auto-Create")),
	};
	struct parse p;
	bool given;

	if (db_policy_index(r, &given, &first.policy_index) < 0)
		return;
	if (first.auto_create && !given)
		return respond_text(r->res, 400,
				    "X-Backend-Storage-Policy-Index header is required");
	if (db_read_body(r, &body) < 0)
		return;
	p.bytes = buf_str(&body);
	task_run_blocking("rows in JSON", parse_list, &p);
	AUTO(json) list = p.list;

	if (!json_is_array(list))
		return respond_text(r->res, 400, "no JSON list of rows: %s",
				    list ? "" : p.why.text);
	apply(r, list, &first);
}
