/* An account's info as response headers. */
#include "objectd/account/account_server.h"

static void add_policy(struct db_request *r, struct str name, const struct db_stat *s)
{
	static const char *const what[] = { "Container-Count", "Object-Count", "Bytes-Used" };
	const int64_t counts[] = { s->containers, s->objects, s->bytes };
	struct arena *a = r->req->arena;

	for (unsigned i = 0; i < ARRAY_LEN(what); i++) {
		struct str header =
			arena_printf(a, "X-Account-Storage-Policy-%.*s-%s", STR(name), what[i]);

		headers_setf(&r->res->headers, header_title(a, header), "%" PRId64, counts[i]);
	}
}

void account_respond_info(struct db_request *r, const struct db_info *i)
{
	struct db_stat sum = db_info_total(i);
	struct headers *h = &r->res->headers;

	headers_setf(h, S("X-Account-Container-Count"), "%" PRId64, sum.containers);
	headers_setf(h, S("X-Account-Object-Count"), "%" PRId64, sum.objects);
	headers_setf(h, S("X-Account-Bytes-Used"), "%" PRId64, sum.bytes);
	db_respond_ts(r->res, S("X-Timestamp"), i->created_ts, false);
	db_respond_ts(r->res, S("X-PUT-Timestamp"), i->put_ts, false);
	for (unsigned k = 0; k < i->stat_n; k++) {
		const struct policy *p = cluster_policy(r->o->cluster, i->stats[k].policy);

		if (p)
			add_policy(r, p->name, &i->stats[k]);
	}
	db_meta_respond(r, i);
	db_respond_digest(r, i);
}

void account_respond_deleted(struct db_request *r, const struct db_info *i, int status)
{
	if (status == 403)
		respond(r->res, 403, S("text/html; charset=UTF-8"), S("Recently deleted"));
	else
		respond_status(r->res, status);
	if (i->exists)
		headers_set(&r->res->headers, S("X-Account-Status"), S("Deleted"));
}
