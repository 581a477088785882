/* Requests to other services by URL. */
#include "compute/call.h"
#include "lib/http/url.h"
#include "lib/net/resolve.h"

int call_connect(struct http_client *http, struct arena *a, struct str url, struct str *ret_target,
		 struct exchange **ret)
{
	struct http_address to = { .port = 0 };
	struct url u;
	int rc = url_parse(url, &u);

	if (rc == 0)
		rc = net_resolve(u.host, to.ip);
	if (rc < 0)
		return rc == -ENOENT ? -EAGAIN : rc;
	to.port = u.port;
	to.tls = u.tls;
	to.host = arena_cstr(a, u.host);
	*ret_target = u.path.n == 0 ? S("/") :
		      u.path.p[0] == '?' ? arena_printf(a, "/%.*s", STR(u.path)) : u.path;
	return exchange_start(http, &to, ret);
}

int call_open(struct http_client *http, struct arena *a, const struct call *c,
	      struct response *ret_res, struct exchange **ret)
{
	AUTO(exchange) x = NULL;
	struct headers none;
	struct str target;
	int rc = call_connect(http, a, c->url, &target, &x);

	if (rc < 0)
		return rc;
	headers_init(&none, a);
	rc = exchange_send(x, c->method, target, c->headers ? c->headers : &none,
			   (int64_t)c->body.n, c->body);
	if (rc == 0)
		rc = exchange_receive(x, a, str_eq(c->method, S("HEAD")), ret_res);
	if (rc >= 0)
		*ret = TAKE(x);
	return rc;
}

int call_run(struct http_client *http, struct arena *a, const struct call *c,
	     struct response *ret_res, struct str *ret_body)
{
	CLEANUP(buf_done) struct buf text = BUF(c->answer_max);
	AUTO(exchange) x = NULL;
	struct response res = { .body = NULL };
	int status = call_open(http, a, c, &res, &x);

	if (status < 0)
		return status;
	assert(res.body);
	int rc = body_read_all(res.body, &text);

	body_close(res.body);
	if (rc < 0)
		return rc;
	res.body = NULL;
	*ret_res = res;
	*ret_body = arena_str(a, buf_str(&text));
	return status;
}
