/* What the proxy knows of a request beyond HTTP: its begin and end, sub-requests, errors. */
#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "proxy/info.h"
#include "proxy/proxy.h"

struct ring_hold {
	struct ring_hold *next;
	struct ring *ring;
};

struct proxy_request *proxy_request_new(struct proxy *p, struct request *req)
{
	struct proxy_request *r = arena_zalloc(req->arena, sizeof *r);

	r->magic = PROXY_REQUEST_MAGIC;
	r->proxy = p;
	r->arena = req->arena;
	r->policy_index = -1;
	r->timestamp = timestamp_now();
	r->token = headers_get_lit(&req->headers, "X-Auth-Token");
	if (!r->token.p)
		r->token = headers_get_lit(&req->headers, "X-Storage-Token");
	r->newest = str_is_true(headers_get_lit(&req->headers, "X-Newest"));
	headers_init(&r->backend_headers, req->arena);
	r->path_error = swift_path_parse(req->arena, req->path, &r->path);
	req->user = r;
	return r;
}

void proxy_request_done(struct request *req)
{
	struct proxy_request *r = proxy_request(req);

	for (struct ring_hold *h = r->rings; h; h = h->next)
		ring_unref(h->ring);
	r->rings = NULL;
	infos_release(r);
	r->magic = 0;
	req->user = NULL;
}

void proxy_hold_ring(struct request *req, struct ring *ring)
{
	struct proxy_request *root = proxy_root(req);

	for (struct ring_hold *h = root->rings; h; h = h->next)
		if (h->ring == ring)
			return;
	struct ring_hold *h = arena_alloc(root->arena, sizeof *h);

	*h = (struct ring_hold){ .next = root->rings, .ring = ring_ref(ring) };
	root->rings = h;
}

struct request *proxy_subrequest_new(struct request *req, enum http_method m, struct str account,
				     struct str container, struct str object, struct str query,
				     struct str source)
{
	return proxy_subrequest_in(req->arena, req, m, account, container, object, query, source);
}

struct request *proxy_subrequest_in(struct arena *a, struct request *req, enum http_method m,
				    struct str account, struct str container, struct str object,
				    struct str query, struct str source)
{
	const struct proxy_request *from = proxy_request(req);
	struct request *sub = arena_zalloc(a, sizeof *sub);
	struct proxy_request *r = arena_zalloc(a, sizeof *r);

	sub->magic = REQUEST_MAGIC;
	sub->method = m;
	sub->method_name = str_from(http_method_name(m));
	sub->path = swift_path_quote(a, S("/v1"), account, container, object);
	sub->query = query;
	sub->target = query.n ? arena_printf(a, "%.*s?%.*s", STR(sub->path), STR(query)) :
				sub->path;
	sub->scheme = req->scheme;
	sub->minor = req->minor;
	headers_init(&sub->headers, a);
	sub->body = body_empty(a);
	sub->arena = a;
	sub->peer_ip = req->peer_ip;
	sub->peer_port = req->peer_port;
	sub->started_us = req->started_us;
	sub->trans_id = req->trans_id;
	sub->user = r;
	r->magic = PROXY_REQUEST_MAGIC;
	r->proxy = from->proxy;
	r->arena = a;
	r->parent = proxy_request(req);
	r->path = (struct swift_path){ S("v1"), account, container, object };
	r->authorize = from->authorize;
	r->authorize_arg = from->authorize_arg;
	r->authorize_override = from->authorize_override;
	r->swift_owner = from->swift_owner;
	r->reseller_request = from->reseller_request;
	r->user_id = from->user_id;
	r->groups = from->groups;
	r->token = from->token;
	r->source = source;
	r->policy_index = -1;
	r->timestamp = timestamp_now();
	r->subrequest = true;
	headers_init(&r->backend_headers, a);
	/* ACLs by referrer hold for what is read on somebody's behalf, too. */
	if (headers_has(&req->headers, S("Referer")))
		headers_add(&sub->headers, S("Referer"),
			    headers_get_lit(&req->headers, "Referer"));
	return sub;
}

void proxy_respond_error(const struct request *req, struct response *res, int error)
{
	switch (error) {
	case -ETIMEDOUT:
		respond_status(res, 408);
		break;
	case -EPIPE:
	case -ECONNRESET:
	case -ECANCELED:
	case -EBADMSG:
		respond_status(res, 499);
		break;
	case -EFBIG:
		respond_text(res, 413, "Your request is too large.");
		break;
	case -ENOSPC:
		respond_status(res, 507);
		break;
	case -EHOSTUNREACH:
	case -EHOSTDOWN:
	case -ECONNREFUSED:
		respond_status(res, 503);
		break;
	default:
		log_error("%s %.*s: %s", http_method_name(req->method), STR(req->path),
			  strerror(-error));
		respond_status(res, 500);
	}
	/* What is left of the body cannot be told from the next request. */
	if (error == -ETIMEDOUT || error == -EBADMSG || error == -EPIPE || error == -ECONNRESET)
		res->close = true;
}

void proxy_add_realm(struct response *res, struct str account)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	buf_add_lit(&b, "Swift realm=\"");
	percent_encode(&b, account.n ? account : S("unknown"), S("/"));
	buf_add_char(&b, '"');
	headers_set(&res->headers, S("Www-Authenticate"), buf_str(&b));
}
