/* DELETE ?multipart-manifest=delete: segments, the manifests among them, and the manifest; with a
 * report. Swift: handle_multipart_delete and handle_async_delete in common/middleware/slo.py, and
 * handle_delete_iter in bulk.py */
#include "lib/base/encode.h"
#include "proxy/middleware/bulk_report.h"
#include "proxy/middleware/heartbeat.h"
#include "proxy/middleware/slo.h"

enum { FAILED_MAX = 1000, BATCH_MAX = 1000, QUEUE_FACTOR = 10 };

/* An object to delete, or a manifest to read first. */
struct victim {
	struct victim *next;
	struct str name; /* "/container/object" */
	bool manifest;
	bool versioned; /* the one that was asked for, maybe with a version-id */
};

struct slo_deletion {
	struct middleware *mw;
	struct request *req;
	struct str type; /* of the report; absent: none was acceptable */
	struct str version; /* ?version-id=, or absent */
	struct victim *first, **last;
	unsigned queued;
	struct victim *batch[BATCH_MAX];
	unsigned batch_n;
	uint64_t deleted, missing;
	bool server_errors;
	struct bulk_report report;
};

static void push(struct slo_deletion *d, struct str name, bool manifest, bool versioned)
{
	struct victim *v = arena_alloc(d->req->arena, sizeof *v);

	*v = (struct victim){ .name = name, .manifest = manifest, .versioned = versioned };
	*d->last = v;
	d->last = &v->next;
	d->queued++;
}

static struct victim *pop(struct slo_deletion *d)
{
	struct victim *v = d->first;

	if (!v)
		return NULL;
	d->first = v->next;
	if (!d->first)
		d->last = &d->first;
	d->queued--;
	return v;
}

static void failed(struct slo_deletion *d, const struct victim *v, struct str what)
{
	CLEANUP(buf_done) struct buf name = BUF(64 * KIB);

	percent_encode(&name, v->name, S("/"));
	bulk_report_error(&d->report, buf_str(&name), what);
}

static struct str version_query(const struct slo_deletion *d, const struct victim *v,
				const char *prefix)
{
	if (!v->versioned || !d->version.p)
		return *prefix ? str_from(prefix) : STR_NONE;
	return arena_printf(d->req->arena, "%s%sversion-id=%.*s", prefix, *prefix ? "&" : "",
			    STR(d->version));
}

/* ---- deleting ---- */

static void count(struct slo_deletion *d, const struct victim *v, int status)
{
	if (status / 100 == 2) {
		d->deleted++;
	} else if (status == 404) {
		d->missing++;
	} else {
		d->server_errors |= status / 100 == 5;
		failed(d, v, bulk_status(d->req->arena, status));
	}
}

waits static void delete_one(void *arg, unsigned i)
{
	struct slo_deletion *d = arg;
	const struct victim *v = d->batch[i];
	AUTO(arena) a = arena_new();
	struct str container, object;
	struct response res;

	if (d->report.error_n >= FAILED_MAX || !segment_path_split(v->name, &container, &object))
		return;
	struct request *sub =
		proxy_subrequest_in(a, d->req, HTTP_DELETE, proxy_request(d->req)->path.account,
				    container, object, version_query(d, v, ""), S("SLO"));

	middleware_call(d->mw, sub, &res);
	body_close(res.body);
	count(d, v, res.status);
}

waits static int delete_batch(struct slo_deletion *d)
{
	int rc = slo_each(d->batch_n, (unsigned)slo_conf.delete_concurrency, delete_one, d);

	d->batch_n = 0;
	if (rc < 0)
		return rc;
	return d->report.error_n >= FAILED_MAX ? -E2BIG : 0;
}

/* ---- reading manifests ---- */

static struct str refusal(int status, int rc)
{
	if (status == 404)
		return S("SLO manifest not found");
	if (status == 401)
		return S("401 Unauthorized");
	if (status / 100 == 2)
		return rc == -ENOENT ? S("Not an SLO manifest") : S("Unable to load SLO manifest");
	return S("Unable to load SLO manifest or segment.");
}

/* Puts what the manifest names behind the queue, and itself behind that. */
waits static void expand(struct slo_deletion *d, struct victim *v)
{
	AUTO(slo_manifest) m = NULL;
	struct str container, object;
	int status = 400, rc = -ENOENT;

	if (segment_path_split(v->name, &container, &object))
		rc = slo_fetch_manifest(d->mw, d->req, container, object,
					version_query(d, v, "multipart-manifest=get"), &m, &status,
					NULL);
	if (rc < 0 && status == 404) {
		d->missing++;
		return;
	}
	if (rc < 0) {
		failed(d, v, refusal(status, rc));
		return;
	}
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].name.p)
			push(d, arena_str(d->req->arena, m->v[i].name), m->v[i].sub_slo, false);
	push(d, v->name, false, v->versioned);
}

/* 0; -EFBIG when too many segments wait; -E2BIG after too many failures; -ECANCELED. */
waits static int walk(struct slo_deletion *d)
{
	struct victim *v;
	int rc = 0;

	for (;;) {
		if (d->queued > QUEUE_FACTOR * slo_conf.max_manifest_segments)
			return -EFBIG;
		v = pop(d);
		if (d->batch_n && (!v || v->manifest || d->batch_n == BATCH_MAX))
			rc = delete_batch(d);
		if (rc < 0 || !v)
			return rc;
		if (v->manifest)
			expand(d, v);
		else
			d->batch[d->batch_n++] = v;
	}
}

/* ---- the report ---- */

static void summarize(struct slo_deletion *d, int rc, struct str *ret_status, struct str *ret_text)
{
	struct arena *a = d->req->arena;

	*ret_text = S("");
	*ret_status = bulk_status(a, 200);
	if (!d->type.p) {
		*ret_status = bulk_status(a, 406);
	} else if (rc == -EFBIG || rc == -E2BIG) {
		*ret_status = bulk_status(a, 400);
		*ret_text = rc == -EFBIG ? S("Too many buffered slo segments to delete.")
					 : S("Max delete failures exceeded");
	} else if (rc < 0) {
		*ret_status = bulk_status(a, 500);
	} else if (d->report.error_n) {
		*ret_status = bulk_status(a, d->server_errors ? 502 : 400);
	} else if (!d->deleted && !d->missing) {
		*ret_status = bulk_status(a, 400);
		*ret_text = S("Invalid bulk delete.");
	}
}

waits static void work(void *arg, struct buf *result)
{
	struct slo_deletion *d = arg;
	struct str status, text;
	int rc = 0;

	bulk_report_init(&d->report, d->req->arena);
	if (d->type.p)
		rc = walk(d);
	summarize(d, rc, &status, &text);
	bulk_report_text(&d->report, S("Response Status"), status);
	bulk_report_text(&d->report, S("Response Body"), text);
	bulk_report_number(&d->report, S("Number Deleted"), d->deleted);
	bulk_report_number(&d->report, S("Number Not Found"), d->missing);
	bulk_report_print(&d->report, d->type, "delete", result);
}

static struct str whole_name(struct request *req)
{
	const struct swift_path *p = &proxy_request(req)->path;

	return arena_printf(req->arena, "/%.*s/%.*s", STR(p->container), STR(p->object));
}

/* ---- &async=on: the segments expire, the manifest goes at once ---- */

struct schedule {
	struct slo_deletion *d;
	const struct slo_manifest *m;
	int refused; /* a status that ends it; 0: none */
};

/* Each segment is told to expire, which its own device remembers and does: nothing is forgotten
 * when this proxy stops. (Swift queues them for its expirer.) */
waits static void expire_one(void *arg, unsigned i)
{
	struct schedule *s = arg;
	struct slo_deletion *d = s->d;
	AUTO(arena) a = arena_new();
	struct str container, object;
	struct response res;

	if (s->refused || !s->m->v[i].name.p ||
	    !segment_path_split(s->m->v[i].name, &container, &object))
		return;
	struct request *sub =
		proxy_subrequest_in(a, d->req, HTTP_POST, proxy_request(d->req)->path.account,
				    container, object, STR_NONE, S("SLO"));

	headers_set(&sub->headers, S("X-Delete-After"), S("1"));
	middleware_call(d->mw, sub, &res);
	body_close(res.body);
	if (res.status / 100 != 2 && res.status != 404)
		s->refused = res.status;
}

/* All segments in one container, and none a manifest: else the answer is filled. */
static int check_schedule(const struct slo_manifest *m, struct response *res)
{
	struct str container, object, only = STR_NONE;

	for (unsigned i = 0; i < m->n; i++) {
		if (!m->v[i].name.p || !segment_path_split(m->v[i].name, &container, &object))
			continue;
		if (only.p && !str_eq(only, container)) {
			CLEANUP(buf_done) struct buf list = BUF(16 * KIB);

			percent_encode(&list, only, S("/"));
			buf_add_lit(&list, "\", \"");
			percent_encode(&list, container, S("/"));
			respond_text(
				res, 400,
				"All segments must be in one container. Found segments in \"%.*s\"",
				STR(buf_str(&list)));
			return -EINVAL;
		}
		only = container;
	}
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].sub_slo) {
			respond_text(res, 400, "No segments may be large objects.");
			return -EINVAL;
		}
	return 0;
}

static void respond_no_manifest(struct response *res, int status, int rc)
{
	int code = status == 404 || status == 401       ? status
		   : status / 100 == 2 && rc == -ENOENT ? 400
							: 500;

	respond_text(res, code, "%.*s", STR(refusal(status, rc)));
}

/* Who may not write where the manifest is must not lose its segments: asked before anything
 * happens. */
waits static bool may_delete(struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);

	p->acl = proxy_container_info(req, p->path.account, p->path.container)->write_acl;
	return !p->authorize || p->authorize(p->authorize_arg, req, res) == 0;
}

waits static void delete_async(struct slo_deletion *d, struct response *res)
{
	const struct swift_path *p = &proxy_request(d->req)->path;
	AUTO(slo_manifest) m = NULL;
	struct victim v = { .versioned = true };
	int status = 0;
	int rc = slo_fetch_manifest(d->mw, d->req, p->container, p->object,
				    version_query(d, &v, "multipart-manifest=get"), &m, &status,
				    NULL);

	if (rc < 0) {
		respond_no_manifest(res, status, rc);
		return;
	}
	if (check_schedule(m, res) < 0 || !may_delete(d->req, res))
		return;
	struct schedule s = { .d = d, .m = m };

	if (slo_each(m->n, (unsigned)slo_conf.delete_concurrency, expire_one, &s) < 0)
		respond_status(res, 499);
	else if (s.refused)
		respond_status(res, s.refused / 100 == 5 ? 503 : s.refused);
	else
		middleware_next(d->mw, d->req, res);
}

void slo_delete(struct middleware *mw, struct request *req, struct response *res)
{
	struct slo_deletion *d = arena_zalloc(req->arena, sizeof *d);

	d->mw = mw;
	d->req = req;
	d->last = &d->first;
	d->version = request_query_lit(req, "version-id");
	if (slo_conf.allow_async_delete && str_is_true(request_query_lit(req, "async"))) {
		delete_async(d, res);
		return;
	}
	if (bulk_report_type(headers_get_lit(&req->headers, "Accept"), &d->type) < 0)
		d->type = STR_NONE;
	push(d, whole_name(req), true, true);
	struct heartbeat h = {
		.work = work,
		.arg = d,
		.result_max = 64 * MIB,
		.every_ms = slo_conf.yield_frequency,
		.first = str_ends(d->type, S("/xml"))
				 ? S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
				 : S(" "),
		.beat = S(" "),
		.separator = S("\r\n\r\n"),
	};

	respond(res, 200, d->type.p ? d->type : S("text/html; charset=UTF-8"), STR_NONE);
	res->body = heartbeat_body(req->arena, &h);
	res->content_length = -1;
}
