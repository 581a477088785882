/* GET and HEAD of a container. Swift: GETorHEAD in proxy/controllers/container.py. */
#include "proxy/container/container.h"
#include "proxy/listing/listing.h"

/* A limit beyond the cluster's is refused; one that is no number is ignored. */
static int check_parameters(struct request *req, struct response *res)
{
	static const struct str names[] = {
		STR_INIT("marker"),    STR_INIT("end_marker"), STR_INIT("prefix"),
		STR_INIT("delimiter"), STR_INIT("path"),       STR_INIT("format"),
		STR_INIT("reverse"),   STR_INIT("states"),     STR_INIT("includes"),
	};
	unsigned max = proxy_request(req)->proxy->conf->limits.container_listing_limit;
	uint64_t limit;

	for (size_t i = 0; req->query.n && i < ARRAY_LEN(names); i++)
		if (!str_is_utf8(request_query(req, names[i]))) {
			respond_text(res, 400, "\"%.*s\" parameter not valid UTF-8", STR(names[i]));
			return -EINVAL;
		}
	if (str_to_u64(request_query_lit(req, "limit"), &limit) == 0 && limit > max) {
		respond_html(res, 412, "Maximum limit is %u", max);
		return -EINVAL;
	}
	return 0;
}

/* The account is checked after the container's ACL could not be: who may not read is not told. */
waits static int check_account(struct request *req, struct response *res)
{
	struct response refusal;

	response_init(&refusal, req->arena);
	if (container_check_account(req, &refusal) == 0)
		return 0;
	if (app_authorize(req, res, STR_NONE) == 0)
		*res = refusal;
	return -ENOENT;
}

static void name_policy(struct request *req, struct response *res)
{
	uint64_t index;

	if (res->status / 100 != 2 ||
	    str_to_u64(headers_get_lit(&res->headers, "X-Backend-Storage-Policy-Index"), &index) <
		    0)
		return;
	const struct policy *policy =
		cluster_policy(proxy_request(req)->proxy->cluster, (unsigned)index);

	if (policy)
		headers_set(&res->headers, S("X-Storage-Policy"), policy->name);
}

waits static int ask(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	struct headers h;
	struct target t;

	target_container(req, p->path.account, p->path.container, &t);
	headers_init(&h, req->arena);
	headers_add_ref(&h, S("X-Trans-Id"), req->trans_id);
	for (unsigned i = 0; i < req->headers.n; i++)
		if (str_istarts(req->headers.v[i].name, S("X-Backend-")))
			headers_add_ref(&h, req->headers.v[i].name, req->headers.v[i].value);
	if (req->method == HTTP_GET)
		return listing_get(req, &t, &h, res);
	struct get g = {
		.target = &t,
		.query = req->query,
		.headers = &h,
		.head = true,
		.newest = str_is_true(headers_get_lit(&req->headers, "X-Newest")),
	};
	return backend_get(req, &g, res);
}

void container_get(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	struct response answer;

	if (req->method == HTTP_GET && check_parameters(req, res) < 0)
		return;
	if (check_account(req, res) < 0)
		return;
	int rc = ask(req, &answer);

	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return;
	}
	if (app_authorize(req, res, headers_get_lit(&answer.headers, "X-Container-Read")) < 0) {
		body_close(answer.body);
		return;
	}
	*res = answer;
	name_policy(req, res);
	app_accept_ranges(res);
	app_hide_owner_headers(req, &res->headers);
	if (p->reseller_request) {
		struct str sharding =
			headers_get_lit(&res->headers, "X-Container-Sysmeta-Sharding");

		headers_set(&res->headers, S("X-Container-Sharding"),
			    str_is_true(sharding) ? S("True") : S("False"));
	}
}
