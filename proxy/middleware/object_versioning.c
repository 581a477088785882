/* Object versioning: X-Versions-Enabled makes a container keep every version of its objects, in a
 * hidden container beside it. Swift: common/middleware/versioned_writes/object_versioning.py;
 * docs/swift/versioning.md */
#include "proxy/middleware/object_versioning.h"
#include "lib/base/encode.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/version_names.h"

#include <jansson.h>

#define ENABLED S("X-Versions-Enabled")
#define STORED_ENABLED S("X-Container-Sysmeta-Versions-Enabled")
#define STORED_CONTAINER S("X-Container-Sysmeta-Versions-Container")

/* ---- containers ---- */

static int refuse(struct response *res, int status, const char *text)
{
	response_init(res, res->headers.arena);
	if (status == 409)
		respond_html(res, status, "%s", text);
	else
		respond_text(res, status, "%s", text);
	return -EINVAL;
}

/* The client may change the container; asked before anything is done in its name. */
waits static int may_change(struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);

	p->acl = STR_NONE;
	return p->authorize ? p->authorize(p->authorize_arg, req, res) : 0;
}

/* What else the container does that does not go together with versions. */
waits static int check_other_uses(struct versioned *v, struct response *res)
{
	struct request *head =
		versions_request(&v->copy, HTTP_HEAD, v->container, STR_NONE, STR_NONE);
	const struct container_info *info =
		proxy_container_info(v->copy.req, v->account, v->container);
	struct response got;

	if (headers_get_lit(&info->sysmeta, "versions-location").n || info->versions.n)
		return refuse(res, 400,
			      "Cannot enable object versioning on a container that is already "
			      "using the legacy versioned writes feature.");
	middleware_call(v->copy.mw, head, &got);
	body_close(got.body);
	if (headers_get_lit(&got.headers, "X-Container-Sync-To").n)
		return refuse(res, 400,
			      "Cannot enable object versioning on a container configured as source "
			      "of container syncing.");
	return 0;
}

/* The hidden container is in the policy of the one that clients see. */
waits static int make_hidden(struct versioned *v, struct str name, struct response *res)
{
	struct request *req = v->copy.req;
	const struct container_info *info = proxy_container_info(req, v->account, v->container);
	const struct policy *policy =
		cluster_policy(proxy_request(req)->proxy->cluster, info->policy_index);
	struct request *put = versions_request(&v->copy, HTTP_PUT, name, STR_NONE, STR_NONE);
	struct str wanted = headers_get_lit(&req->headers, "X-Storage-Policy");
	struct response got;

	if (info->status == 200 && policy && policy->deprecated)
		return refuse(res, 400,
			      "Cannot enable object versioning on a container that uses a "
			      "deprecated storage policy.");
	if (info->status == 200 && policy)
		headers_set(&put->headers, S("X-Storage-Policy"), policy->name);
	else if (req->method == HTTP_PUT && wanted.n)
		headers_set(&put->headers, S("X-Storage-Policy"), wanted);
	middleware_call(v->copy.mw, put, &got);
	body_close(got.body);
	if (got.status / 100 != 2 && got.status != 409)
		return refuse(res, 500, "Error enabling object versioning");
	return 0;
}

waits static void drop_hidden(struct versioned *v, struct str name)
{
	struct request *del = versions_request(&v->copy, HTTP_DELETE, name, STR_NONE, STR_NONE);
	struct response got;

	middleware_call(v->copy.mw, del, &got);
	body_close(got.body);
}

waits static void enable(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;
	bool on = str_is_true(headers_get(&req->headers, ENABLED));
	struct str hidden = versions_container_name(req->arena, v->container);
	bool made = on && !v->versions.n;

	if (may_change(req, res) < 0 || check_other_uses(v, res) < 0)
		return;
	/* A POST does not make containers. */
	if (req->method == HTTP_POST &&
	    proxy_container_info(req, v->account, v->container)->status != 200) {
		middleware_next(v->copy.mw, req, res);
		return;
	}
	headers_set(&req->headers, STORED_ENABLED, on ? S("True") : S("False"));
	if (on) {
		struct str quoted =
			swift_path_quote(req->arena, STR_NONE, hidden, STR_NONE, STR_NONE);

		if (make_hidden(v, hidden, res) < 0)
			return;
		headers_set(&req->headers, STORED_CONTAINER, str_skip(quoted, 1));
	}
	middleware_next(v->copy.mw, req, res);
	if (res->status / 100 != 2 && made)
		drop_hidden(v, hidden);
}

/* How many objects a container has just now: 0 with *ret, -ENOENT, or -EHOSTDOWN. */
waits static int count_objects(struct versioned *v, struct str container, uint64_t *ret)
{
	struct request *head = versions_request(&v->copy, HTTP_HEAD, container, STR_NONE, STR_NONE);
	struct response got;

	headers_set(&head->headers, S("X-Newest"), S("true"));
	middleware_call(v->copy.mw, head, &got);
	body_close(got.body);
	if (got.status == 404)
		return -ENOENT;
	if (got.status / 100 != 2 ||
	    str_to_u64(headers_get_lit(&got.headers, "X-Container-Object-Count"), ret) < 0)
		return -EHOSTDOWN;
	return 0;
}

/* The hidden container goes first; it stays when the other one cannot go. */
waits static void delete_container(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;
	uint64_t versions = 0, own = 0;

	if (!v->versions.n) {
		middleware_next(v->copy.mw, req, res);
		return;
	}
	if (may_change(req, res) < 0)
		return;
	int rc = count_objects(v, v->versions, &versions);

	if (rc == 0 && versions > 0) {
		(void)refuse(res, 409, "Delete all versions before deleting container.");
		return;
	}
	if (rc == -EHOSTDOWN) {
		(void)refuse(res, 500, "Error deleting versioned container");
		return;
	}
	if (rc == 0 && count_objects(v, v->container, &own) == 0 && own == 0)
		drop_hidden(v, v->versions);
	middleware_next(v->copy.mw, req, res);
}

waits static void handle_container(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;

	if ((req->method == HTTP_PUT || req->method == HTTP_POST) &&
	    headers_has(&req->headers, ENABLED))
		enable(v, res);
	else if (req->method == HTTP_DELETE)
		delete_container(v, res);
	else if (req->method == HTTP_GET || req->method == HTTP_HEAD)
		versioned_container_read(v, res);
	else
		middleware_next(v->copy.mw, req, res);
	struct str enabled = headers_get(&res->headers, STORED_ENABLED);

	if (enabled.p)
		headers_set(&res->headers, ENABLED, enabled);
}

/* ---- the middleware ---- */

waits static void handle_object(struct versioned *v, struct response *res)
{
	struct str id = request_query_lit(v->copy.req, "version-id");

	if (id.n)
		versioned_object_id(v, id, res);
	else if (v->versions.n)
		versioned_object(v, res);
	else
		middleware_next(v->copy.mw, v->copy.req, res);
}

static bool is_hidden(struct str name)
{
	return str_chr(name, 0) >= 0;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct versioned v = { .copy = { mw, req, VERSIONS_TAG },
			       .account = p->account,
			       .container = p->container,
			       .object = p->object };

	if (!p->account.n || is_hidden(p->container) || req->method == HTTP_OPTIONS) {
		middleware_next(mw, req, res);
		return;
	}
	if (!p->container.p) {
		if (req->method == HTTP_GET && !str_is_true(headers_get_lit(
				&req->headers, "X-Backend-Allow-Reserved-Names")))
			versioned_account_list(&v, res);
		else
			middleware_next(mw, req, res);
		return;
	}
	const struct container_info *info = proxy_container_info(req, p->account, p->container);
	struct str versions = percent_decode(
		req->arena, headers_get_lit(&info->sysmeta, "versions-container"));

	v.versions = str_cut(&versions, '/');
	v.enabled = str_is_true(headers_get_lit(&info->sysmeta, "versions-enabled"));
	if (v.versions.n)
		v.versions = arena_str(req->arena, v.versions);
	if (p->object.p)
		handle_object(&v, res);
	else
		handle_container(&v, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	json_object_set_new(proxy->info, "object_versioning", json_object());
	return 0;
}

const struct middleware_kind middleware_object_versioning = {
	.name = "object_versioning",
	.start = start,
	.handle = handle,
};
