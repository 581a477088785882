/* Static large objects: a manifest, written by the client and checked by us, says of which objects
 * the large one is made. Swift: common/middleware/slo.py; docs/swift/large-objects.md */
#include "proxy/middleware/slo.h"
#include "lib/log/log.h"
#include "lib/swift/conditional.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/width.h"

#include <jansson.h>

struct slo_conf slo_conf;
static const struct conf_option options[] = {
	OPT_INT(struct slo_conf, max_manifest_segments, "1000", 1, 100000,
		"Objects that a manifest may name."),
	OPT_SIZE(struct slo_conf, max_manifest_size, "8MiB", 1, 64 * MIB, "Bytes of a manifest."),
	OPT_DURATION(struct slo_conf, yield_frequency, "10s", 1, 3600000,
		     "How often a blank is sent while a client waits for a long answer."),
	OPT_DURATION(struct slo_conf, max_get_time, "1d", 0, INT64_MAX / 2,
		     "How long one GET of a large object may take; 0: any time."),
	OPT_INT(struct slo_conf, concurrency, "8", 1, 1000,
		"Segments that are looked at together when a manifest is uploaded."),
	OPT_INT(struct slo_conf, delete_concurrency, "8", 1, 1000,
		"Segments that are deleted together with ?multipart-manifest=delete."),
	OPT_BOOL(struct slo_conf, allow_async_delete, "yes",
		 "Let clients delete with &async=on: segments then expire a little later."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "slo",
	.help = "Static large objects.",
	.options = options,
	.into = &slo_conf,
	.size = sizeof slo_conf,
};

bool slo_is_manifest(const struct response *res)
{
	return str_is_true(headers_get_lit(&res->headers, "X-Static-Large-Object"));
}

/* What is stored has ETags, sizes and types besides what the client sent. */
static size_t stored_max(void)
{
	return 3 * slo_conf.max_manifest_size + (size_t)slo_conf.max_manifest_segments * 8 * KIB;
}

int slo_read_manifest(struct response *res, struct slo_manifest **ret)
{
	CLEANUP(buf_done) struct buf text = BUF(stored_max());
	int rc = res->body ? body_read_all(res->body, &text) : 0;

	body_close(res->body);
	res->body = NULL;
	return rc < 0 ? rc : slo_manifest_parse(buf_str(&text), ret);
}

int slo_ask_manifest(struct middleware *mw, struct request *req, struct arena *a,
		     struct str container, struct str object, struct str query,
		     struct response *res)
{
	struct request *get =
		proxy_subrequest_in(a, req, HTTP_GET, proxy_request(req)->path.account, container,
				    object, query, S("SLO"));

	/* Of a plain object no more than its last byte is read. */
	headers_add(&get->headers, S("Range"), S("bytes=-1"));
	headers_add(&get->headers, S("X-Backend-Ignore-Range-If-Metadata-Present"),
		    S("X-Static-Large-Object"));
	middleware_call(mw, get, res);
	if (res->status / 100 == 2 && slo_is_manifest(res))
		return 0;
	body_close(res->body);
	res->body = NULL;
	return task_cancelled() ? -ECANCELED : -ENOENT;
}

int slo_fetch_manifest(struct middleware *mw, struct request *req, struct str container,
		       struct str object, struct str query, struct slo_manifest **ret,
		       int *ret_status, struct str *ret_etag)
{
	AUTO(arena) a = arena_new();
	struct response res;
	int rc = slo_ask_manifest(mw, req, a, container, object, query, &res);

	*ret_status = res.status;
	if (rc < 0)
		return rc;
	if (ret_etag)
		*ret_etag = arena_str(req->arena, headers_get(&res.headers, SLO_ETAG));
	return slo_read_manifest(&res, ret);
}

void slo_append_header(struct request *req, struct str name, struct str item)
{
	struct str old = headers_get(&req->headers, name);

	if (old.n)
		item = arena_printf(req->arena, "%.*s,%.*s", STR(old), STR(item));
	headers_set(&req->headers, name, item);
}

/* ---- many at once ---- */

struct each {
	unsigned n, next;
	void (*fn)(void *arg, unsigned i);
	void *arg;
};

waits static void each_run(void *arg)
{
	struct each *e = arg;

	while (e->next < e->n && !task_cancelled())
		e->fn(e->arg, e->next++);
}

int slo_each(unsigned n, unsigned width, void (*fn)(void *arg, unsigned i), void *arg)
{
	struct each e = { .n = n, .fn = fn, .arg = arg };
	unsigned taken = width_take(MIN(n, width));
	int rc = 0;

	if (taken == 1) {
		each_run(&e);
		rc = task_cancelled() ? -ECANCELED : 0;
	} else {
		TASK_GROUP(g);
		for (unsigned i = 0; i < MIN(n, taken); i++)
			task_spawn(&g, "segments", each_run, &e);
		rc = task_group_join(&g);
	}
	width_give(taken);
	return rc;
}

/* ---- the middleware ---- */

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	struct str manifest = request_query_lit(req, "multipart-manifest");

	if (!proxy_request(req)->path.object.n)
		middleware_next(mw, req, res);
	else if (req->method == HTTP_PUT && str_eq(manifest, S("put")))
		slo_put(mw, req, res);
	else if (req->method == HTTP_DELETE && str_eq(manifest, S("delete")))
		slo_delete(mw, req, res);
	else if (req->method == HTTP_GET || req->method == HTTP_HEAD)
		slo_get(mw, req, res);
	else if (headers_has(&req->headers, S("X-Static-Large-Object")))
		respond_html(res, 400,
			     "X-Static-Large-Object is a reserved header. To create a static large "
			     "object "
			     "add query param multipart-manifest=put.");
	else
		middleware_next(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *info = json_object();

	(void)mw, (void)why;
	json_object_set_new(info, "max_manifest_segments",
			    json_integer(slo_conf.max_manifest_segments));
	json_object_set_new(info, "max_manifest_size",
			    json_integer((json_int_t)slo_conf.max_manifest_size));
	json_object_set_new(info, "yield_frequency",
			    json_integer((json_int_t)(slo_conf.yield_frequency / 1000)));
	json_object_set_new(info, "min_segment_size", json_integer(1));
	json_object_set_new(info, "allow_async_delete", json_boolean(slo_conf.allow_async_delete));
	json_object_set_new(proxy->info, "slo", info);
	return 0;
}

const struct middleware_kind middleware_slo = {
	.name = "slo",
	.section = &section,
	.start = start,
	.handle = handle,
};
