/* Common parts of the account and the container server. */
#include "objectd/db/serve.h"
#include "lib/base/encode.h"

/* Swift's MAX_META_COUNT and MAX_META_OVERALL_SIZE. */
enum { META_COUNT_MAX = 90, META_SIZE_MAX = 4096, BODY_MAX = 32 * MIB };

/* ---- names ---- */

static bool is_reserved(struct str s)
{
	return s.n && s.p[0] == 0;
}

static int check_name(struct db_request *r, struct str name, const char *what)
{
	if (str_chr(name, 0) <= 0)
		return 0;
	respond_text(r->res, 400, "Invalid reserved-namespace %s", what);
	return -EINVAL;
}

bool db_account_is_hidden(struct str account)
{
	return account.n && account.p[0] == '.';
}

int db_check_names(struct db_request *r)
{
	const struct backend_path *p = r->path;

	if (check_name(r, p->account, "account") < 0)
		return -EINVAL;
	if (p->container.n && check_name(r, p->container, "container") < 0)
		return -EINVAL;
	if (!p->object.n || db_account_is_hidden(p->account))
		return 0;
	if (check_name(r, p->object, "object") < 0)
		return -EINVAL;
	if (is_reserved(p->object) == is_reserved(p->container))
		return 0;
	respond_text(r->res, 400, is_reserved(p->container) ?
		     "Invalid user-namespace object in reserved-namespace container" :
		     "Invalid reserved-namespace object in user-namespace container");
	return -EINVAL;
}

/* ---- numbers in headers ---- */

int db_policy_index(struct db_request *r, bool *ret_given, unsigned *ret)
{
	struct str text = db_header(r, "X-Backend-Storage-Policy-Index");
	uint64_t v;

	*ret_given = text.p;
	*ret = 0;
	if (!text.p)
		return 0;
	if (str_to_u64(str_trim(text), &v) < 0 || v > POLICY_INDEX_MAX ||
	    !cluster_policy(r->o->cluster, (unsigned)v)) {
		respond_text(r->res, 400, "Invalid X-Backend-Storage-Policy-Index '%.*s'",
			     STR(text));
		return -EINVAL;
	}
	*ret = (unsigned)v;
	return 0;
}

int db_header_timestamp(const struct db_request *r, struct str name, struct timestamp *ret)
{
	struct str text = headers_get(&r->req->headers, name);

	return text.p ? timestamp_parse(text, ret) : -EINVAL;
}

/* ---- metadata ---- */

static struct str user_prefix(enum db_kind kind)
{
	return kind == DB_CONTAINER ? S("x-container-meta-") : S("x-account-meta-");
}

static bool begins_longer(struct str name, struct str prefix)
{
	return name.n > prefix.n && str_istarts(name, prefix);
}

bool db_meta_is_stored(enum db_kind kind, struct str name)
{
	static const struct str saved[] = {
		STR_INIT("x-container-read"), STR_INIT("x-container-write"),
		STR_INIT("x-container-sync-key"), STR_INIT("x-container-sync-to"),
	};

	if (begins_longer(name, user_prefix(kind)))
		return true;
	if (kind == DB_ACCOUNT)
		return begins_longer(name, S("x-account-sysmeta-"));
	for (unsigned i = 0; i < ARRAY_LEN(saved); i++)
		if (str_ieq(name, saved[i]))
			return true;
	return begins_longer(name, S("x-container-sysmeta-"));
}

static struct str lower(struct arena *a, struct str s)
{
	struct str copy = arena_str(a, s);
	char *p = arena_cstr(a, copy);

	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	return str_of(p, s.n);
}

unsigned db_meta_take(struct db_request *r, struct db_meta **ret)
{
	const struct headers *h = &r->req->headers;
	struct db_meta *v = arena_alloc(r->req->arena, (h->n + 1) * sizeof *v);
	unsigned n = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (db_meta_is_stored(r->id.kind, h->v[i].name))
			v[n++] = (struct db_meta){ lower(r->req->arena, h->v[i].name),
						   h->v[i].value, r->ts };
	*ret = v;
	return n;
}

static int check_meta(const struct db_info *info)
{
	struct str prefix = user_prefix(info->kind);
	size_t count = 0, size = 0;

	for (unsigned i = 0; i < info->meta_n; i++) {
		const struct db_meta *m = &info->meta[i];

		if (!str_is_utf8(m->name) || !str_is_utf8(m->value) || str_chr(m->value, 0) >= 0)
			return -EILSEQ;
		if (m->value.n == 0 || !str_starts(m->name, prefix))
			continue;
		count++;
		size += m->name.n - prefix.n + m->value.n;
	}
	return count > META_COUNT_MAX ? -E2BIG : size > META_SIZE_MAX ? -EOVERFLOW : 0;
}

int db_batch_meta(struct db_batch *b, const struct db_meta *meta, unsigned n)
{
	AUTO(db_info) copy = NULL;
	bool changed = false;

	if (n == 0)
		return 0;
	copy = db_info_copy(db_batch_info(b));
	for (unsigned k = 0; k < n; k++)
		changed |= db_info_set_meta(copy, meta[k].name, meta[k].value, meta[k].ts);
	int rc = changed ? check_meta(copy) : 0;

	if (rc == 0 && changed)
		db_batch_replace(b, TAKE(copy));
	return rc;
}

void db_respond_error(struct db_request *r, int error)
{
	switch (error) {
	case -EILSEQ:
		respond_text(r->res, 400, "Metadata must be valid UTF-8");
		break;
	case -E2BIG:
		respond_html(r->res, 400, "Too many metadata items; max %d", META_COUNT_MAX);
		break;
	case -EOVERFLOW:
		respond_html(r->res, 400, "Total metadata too large; max %d", META_SIZE_MAX);
		break;
	default:
		objectd_respond_error(r->res, error);
	}
}

void db_meta_respond(struct db_request *r, const struct db_info *i)
{
	struct arena *a = r->req->arena;

	for (unsigned k = 0; k < i->meta_n; k++)
		if (i->meta[k].value.n)
			headers_add_ref(&r->res->headers, header_title(a, i->meta[k].name),
					arena_str(a, i->meta[k].value));
}

/* ---- answers ---- */

void db_respond_digest(struct db_request *r, const struct db_info *i)
{
	char text[2 * DB_DIGEST_SIZE + 1];

	hex_encode(i->digest, DB_DIGEST_SIZE, text);
	headers_set(&r->res->headers, S("X-Needletail-Digest"), str_from(text));
}

void db_respond_ts(struct response *res, struct str name, struct timestamp ts, bool internal)
{
	char text[TIMESTAMP_SIZE];

	if (internal)
		timestamp_internal(ts, text);
	else
		timestamp_normal(ts, text);
	headers_set(&res->headers, name, str_from(text));
}

void db_respond_type(struct response *res, struct str type)
{
	headers_setf(&res->headers, S("Content-Type"), "%.*s; charset=utf-8", STR(type));
}

int db_read_body(struct db_request *r, struct buf *ret)
{
	ret->max = MIN(ret->max, (size_t)BODY_MAX);
	int rc = body_read_all(r->req->body, ret);

	if (rc == -EFBIG)
		respond_status(r->res, 413);
	else if (rc < 0)
		objectd_respond_error(r->res, rc);
	return rc;
}
