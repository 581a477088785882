/* GET and HEAD of an account. One that is not there yet shows as empty where the first write would
 * make it. Swift: GETorHEAD in proxy/controllers/account.py, account/utils.py. */
#include "lib/base/encode.h"
#include "proxy/account/account.h"
#include "proxy/listing/listing.h"

static void respond_empty(struct request *req, struct response *res)
{
	struct str format = request_query_lit(req, "format");
	struct str account = proxy_request(req)->path.account;
	char now[TIMESTAMP_SIZE];

	response_init(res, req->arena);
	timestamp_normal(proxy_request(req)->timestamp, now);
	if (str_ieq(format, S("json"))) {
		respond(res, 200, S("application/json; charset=utf-8"), S("[]"));
	} else if (str_ieq(format, S("xml"))) {
		CLEANUP(buf_done) struct buf name = BUF(16 * KIB);

		xml_escape(&name, account);
		respond(res, 200, S("application/xml; charset=utf-8"),
			arena_printf(req->arena, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
						 "<account name=\"%.*s\">\n</account>",
				     STR(buf_str(&name))));
	} else {
		respond(res, req->method == HTTP_HEAD ? 200 : 204, S("text/plain; charset=utf-8"),
			STR_NONE);
	}
	headers_add_ref(&res->headers, S("X-Account-Container-Count"), S("0"));
	headers_add_ref(&res->headers, S("X-Account-Object-Count"), S("0"));
	headers_add_ref(&res->headers, S("X-Account-Bytes-Used"), S("0"));
	headers_add(&res->headers, S("X-Timestamp"), str_from(now));
	headers_add(&res->headers, S("X-Put-Timestamp"), str_from(now));
	headers_add_ref(&res->headers, S("X-Backend-Fake-Account-Listing"), S("yes"));
}

void account_get(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	struct headers h;
	struct target t;

	if (app_check_name(req, res, SWIFT_ACCOUNT) < 0)
		return;
	target_account(req, p->path.account, &t);
	headers_init(&h, req->arena);
	headers_add_ref(&h, S("X-Trans-Id"), req->trans_id);
	for (unsigned i = 0; i < req->headers.n; i++)
		if (str_istarts(req->headers.v[i].name, S("X-Backend-")))
			headers_add_ref(&h, req->headers.v[i].name, req->headers.v[i].value);
	struct get g = {
		.target = &t,
		.query = req->query,
		.headers = &h,
		.head = true,
		.newest = str_is_true(headers_get_lit(&req->headers, "X-Newest")),
	};
	int rc =
		req->method == HTTP_GET ? listing_get(req, &t, &h, res) : backend_get(req, &g, res);

	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return;
	}
	app_accept_ranges(res);
	if (res->status == 404 &&
	    str_ieq(headers_get_lit(&res->headers, "X-Account-Status"), S("deleted"))) {
		respond_status(res, 410);
	} else if (res->status == 404 && p->proxy->conf->account_autocreate) {
		body_close(res->body);
		respond_empty(req, res);
	}
	account_show_acl(req, res);
}
