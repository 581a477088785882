/* What the account verbs share: writing, autocreate, the ACL's header. */
#include "proxy/account/account.h"
#include "lib/log/log.h"

const struct verb account_verbs[] = {
	{ HTTP_GET, 0, account_get },
	{ HTTP_HEAD, 0, account_get },
	{ HTTP_PUT, 0, account_put },
	{ HTTP_POST, 0, account_post },
	{ HTTP_DELETE, 0, account_delete },
	{ HTTP_OPTIONS, 0, app_options },
	{ 0 },
};

void account_write(struct request *req, enum http_method m, bool transfer, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	struct target t;

	target_account(req, p->path.account, &t);
	AUTO(write) w = write_new(req, &t, m, 0);

	for (unsigned i = 0; i < w->n; i++) {
		app_add_timestamp(&w->headers[i], app_timestamp(req));
		if (transfer)
			app_transfer_headers(req, SWIFT_ACCOUNT, NULL, &w->headers[i]);
	}
	int rc = write_run(w);

	proxy_forget_account(p->proxy, p->path.account);
	if (rc < 0)
		proxy_respond_error(req, res, rc);
	else
		write_respond(req, w, res);
}

int account_autocreate(struct request *req, struct str account)
{
	struct proxy *p = proxy_request(req)->proxy;
	struct response res;
	struct target t;

	target_account(req, account, &t);
	AUTO(write) w = write_new(req, &t, HTTP_PUT, 0);

	for (unsigned i = 0; i < w->n; i++) {
		app_add_timestamp(&w->headers[i], timestamp_now());
		for (unsigned j = 0; j < req->headers.n; j++)
			if (str_istarts(req->headers.v[j].name, S("X-Account-Sysmeta-")))
				headers_add(&w->headers[i], req->headers.v[j].name,
					    req->headers.v[j].value);
	}
	int rc = write_run(w);

	proxy_forget_account(p, account);
	if (rc < 0)
		return rc;
	write_respond(req, w, &res);
	if (res.status / 100 == 2)
		return 0;
	log_warn("account %.*s could not be created: %d", STR(account), res.status);
	return -EHOSTDOWN;
}

void account_show_acl(const struct request *req, struct response *res)
{
	struct str name = S("X-Account-Sysmeta-Core-Access-Control");
	struct str acl = headers_get(&res->headers, name);

	if (!proxy_request(req)->swift_owner) {
		app_hide_owner_headers(req, &res->headers);
		return;
	}
	headers_remove(&res->headers, name);
	if (acl.n && !str_eq(acl, S("{}")))
		headers_set(&res->headers, S("X-Account-Access-Control"), acl);
}
