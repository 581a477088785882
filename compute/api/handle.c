/* One request: its id, its route, whose token it carries, its handler. */
#include "compute/api/route.h"
#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

enum { PAGE_MAX = 4 * MIB };

static void set_request_id(struct request *req)
{
	char uuid[UUID_SIZE];

	uuid_make(uuid);
	req->trans_id = arena_printf(req->arena, "req-%s", uuid);
	task_set_trans_id(req->trans_id);
}

static void read_query(struct api_call *c)
{
	struct str rest = c->req->query, part;

	if (!rest.p)
		return;
	struct api_pair *list = arena_alloc(c->arena, API_QUERY_MAX * sizeof *list);

	c->query = list;
	while (rest.p && c->queries < API_QUERY_MAX && (part = str_cut(&rest, '&')).p) {
		if (part.n == 0)
			continue;
		struct str value = part, key = str_cut(&value, '=');

		list[c->queries++] = (struct api_pair){
			query_decode(c->arena, key),
			value.p ? query_decode(c->arena, value) : S(""),
		};
	}
}

/* What every service answers on its port. */
static bool answer_common(struct request *req, struct response *res)
{
	if (req->method != HTTP_GET && req->method != HTTP_HEAD)
		return false;
	if (str_eq(req->path, S("/healthcheck"))) {
		respond(res, 200, S("text/plain; charset=UTF-8"), S("OK"));
		return true;
	}
	if (str_eq(req->path, S("/metrics"))) {
		CLEANUP(buf_done) struct buf page = BUF(PAGE_MAX);

		metrics_format(&page);
		respond(res, 200, S("text/plain; version=0.0.4; charset=utf-8"),
			arena_str(req->arena, buf_str(&page)));
		return true;
	}
	return false;
}

static void refuse_unauthorized(struct api_call *c)
{
	api_error(c, 401, "This server could not verify that you are authorized to access the "
			  "document you requested.");
	headers_setf(&c->res->headers, S("WWW-Authenticate"), "Keystone uri=\"%s\"",
		     compute_conf.auth_url);
}

/* Whether the request may go on to the route's handler. */
waits static bool admit(struct api_call *c, const struct api_route *r)
{
	struct str token = headers_get_lit(&c->req->headers, "X-Auth-Token");

	if (!token.n && (r->flags & API_OPEN))
		return true;
	int rc = identity_check(c->compute->identity, token, &c->caller);

	if (r->flags & API_OPEN)
		return true;
	if (rc == -EACCES) {
		refuse_unauthorized(c);
		return false;
	}
	if (rc < 0) {
		api_fail(c, rc);
		return false;
	}
	bool may = (r->flags & API_ADMIN)  ? c->caller->admin :
		   (r->flags & API_MEMBER) ? c->caller->member : true;

	if (!may)
		api_error(c, 403, "You are not authorized to complete this action.");
	return may;
}

waits static void run_route(struct api_call *c)
{
	struct api_match m;

	route_find(c->api->routes, c->arena, c->req->method, c->req->path, &m);
	if (!m.route && !m.allowed.n) {
		api_error(c, 404, "The resource could not be found.");
		return;
	}
	if (!m.route) {
		api_error(c, 405, "The method is not allowed for this resource.");
		headers_set(&c->res->headers, S("Allow"), m.allowed);
		return;
	}
	memcpy(c->arg, m.arg, sizeof c->arg);
	c->args = m.args;
	if (admit(c, m.route) && (!c->api->before || c->api->before(c)))
		m.route->handle(c);
}

void api_handle(const struct api *api, struct compute *compute, void *state, struct request *req,
		struct response *res)
{
	struct api_call *c = arena_zalloc(req->arena, sizeof *c);

	*c = (struct api_call){ .magic = API_CALL_MAGIC, .compute = compute, .api = api,
				.state = state, .req = req, .res = res, .arena = req->arena };
	req->user = c;
	set_request_id(req);
	if (!answer_common(req, res)) {
		read_query(c);
		run_route(c);
		if (res->status == 0) {
			log_error("%.*s %.*s was not answered", STR(req->method_name),
				  STR(req->path));
			api_error(c, 500, "An unexpected error occurred.");
		}
		if (api->after)
			api->after(c);
	}
	caller_unref(TAKE(c->caller));
	headers_set(&res->headers, S("X-Openstack-Request-Id"), req->trans_id);
}
