/* The questions to another Keystone: this service's own login, and what a token is good for. */
#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "lib/log/log.h"
#include "lib/net/resolve.h"
#include "lib/net/tls.h"
#include "proxy/identity/authtoken_internal.h"

enum { ANSWER_MAX = 1 * MIB, HOST_MAX = 256, PATH_MAX_BYTES = 512, RETRY_MS = 100 };

static struct {
	struct http_client *client;
	struct tls_client *tls;
	char host[HOST_MAX], path[PATH_MAX_BYTES];      /* of auth_url, the latter without /v3 */
	unsigned port;
	struct task_sem login;          /* one logs in */
	char *token;                    /* this service's own; NULL: none yet */
} self;

static int parse_url(struct fault *why)
{
	struct str url = str_from(authtoken_now.auth_url), host, path;
	bool tls = str_starts(url, S("https://"));
	uint64_t port = tls ? 443 : 80;

	url = str_skip(url, tls ? 8 : 7);
	ssize_t slash = str_chr(url, '/');

	host = slash < 0 ? url : str_head(url, (size_t)slash);
	path = slash < 0 ? S("") : str_skip(url, (size_t)slash);
	while (str_ends(path, S("/")))
		path.n--;
	if (str_ends(path, S("/v3")))
		path.n -= 3;
	ssize_t colon = str_rchr(host, ':');

	if (colon > str_rchr(host, ']')) {
		if (str_to_u64(str_skip(host, (size_t)colon + 1), &port) < 0 || port > 65535)
			return fault_set(why, -EINVAL, "[authtoken] auth_url: no such port");
		host = str_head(host, (size_t)colon);
	}
	if (!host.n || host.n >= HOST_MAX || path.n >= PATH_MAX_BYTES)
		return fault_set(why, -EINVAL, "[authtoken] auth_url: no such host");
	memcpy(self.host, host.p, host.n);
	self.host[host.n] = 0;
	memcpy(self.path, path.p, path.n);
	self.path[path.n] = 0;
	self.port = (unsigned)port;
	return tls ? tls_client_new(authtoken_now.cafile, &self.tls, why) : 0;
}

int authtoken_client_start(struct fault *why)
{
	struct http_client_options o = http_client_options_default;
	int rc = parse_url(why);

	if (rc < 0)
		return rc;
	o.connect_timeout_ms = authtoken_now.http_connect_timeout;
	o.response_timeout_ms = authtoken_now.http_request_timeout;
	o.write_timeout_ms = authtoken_now.http_request_timeout;
	o.tls = self.tls;
	self.client = http_client_new(&o);
	task_sem_init(&self.login, 1);
	return 0;
}

void authtoken_client_stop(void)
{
	if (self.client)
		http_client_free(self.client);
	tls_client_free(self.tls);
	free(self.token);
	self.client = NULL;
	self.tls = NULL;
	self.token = NULL;
}

/* ---- one exchange ---- */

struct answer {
	int status;
	struct str token;               /* X-Subject-Token */
	json_t *doc;                    /* NULL: no JSON */
};

static void answer_done(struct answer *w)
{
	json_decref(w->doc);
}

waits static int exchange_once(struct arena *a, struct str method, struct str target,
			       const struct headers *h, struct str body, struct answer *ret)
{
	CLEANUP(buf_done) struct buf text = BUF(ANSWER_MAX);
	AUTO(exchange) x = NULL;
	struct http_address to = { .port = self.port, .tls = self.tls != NULL,
				   .host = self.host };
	struct response res;
	int rc = net_resolve(str_from(self.host), to.ip);

	if (rc == 0)
		rc = exchange_start(self.client, &to, &x);
	if (rc >= 0)
		rc = exchange_send(x, method, target, h, (int64_t)body.n, body);
	if (rc >= 0)
		rc = exchange_receive(x, a, false, &res);
	if (rc < 0)
		return rc;
	rc = body_read_all(res.body, &text);
	body_close(res.body);
	if (rc < 0)
		return rc;
	ret->status = res.status;
	ret->token = headers_get_lit(&res.headers, "X-Subject-Token");
	ret->doc = json_text_parse(buf_str(&text));
	return 0;
}

/* The same, again after an error: of the network, or 5xx. */
waits static int exchange_some(struct arena *a, struct str method, struct str path,
			       const struct headers *h, struct str body, struct answer *ret)
{
	struct str target = arena_printf(a, "%s%.*s", self.path, STR(path));
	int64_t left = authtoken_now.http_request_max_retries;
	int rc;

	for (;;) {
		*ret = (struct answer){ .status = 0 };
		rc = exchange_once(a, method, target, h, body, ret);
		if (rc >= 0 && ret->status < 500)
			return 0;
		answer_done(ret);
		if (rc == -ECANCELED || left-- == 0)
			break;
		if (task_sleep(RETRY_MS) < 0)
			return -ECANCELED;
	}
	log_error("authtoken: %.*s %s: %s", STR(method), authtoken_now.auth_url,
		  rc < 0 ? strerror(-rc) : http_reason(ret->status).p);
	return -EHOSTDOWN;
}

/* ---- logging in ---- */

static struct str login_body(struct arena *a)
{
	const struct authtoken_conf *c = &authtoken_now;
	AUTO(json_text) doc = json_pack(
		"{s:{s:{s:[s], s:{s:{s:s, s:s, s:{s:s}}}}, s:{s:{s:s, s:{s:s}}}}}", "auth",
		"identity", "methods", "password", "password", "user", "name", c->username,
		"password", c->password, "domain", "name", c->user_domain_name, "scope", "project",
		"name", c->project_name, "domain", "name", c->project_domain_name);

	return json_text_of(a, doc);
}

waits static int log_in(struct arena *a)
{
	CLEANUP(answer_done) struct answer w = { .status = 0 };
	struct headers h;

	headers_init(&h, a);
	headers_add(&h, S("Content-Type"), S("application/json"));
	int rc = exchange_some(a, S("POST"), S("/v3/auth/tokens?nocatalog"), &h, login_body(a), &w);

	if (rc < 0)
		return rc;
	if (w.status != 201 || !w.token.n) {
		log_error("authtoken: %s refuses the user %s: %d", authtoken_now.auth_url,
			  authtoken_now.username, w.status);
		return -EHOSTDOWN;
	}
	free(self.token);
	self.token = str_dup(w.token);
	return 0;
}

/* This service's token, as a copy; not the one that was refused. */
waits static int own_token(struct arena *a, struct str refused, struct str *ret)
{
	if (task_sem_take(&self.login, authtoken_now.http_request_timeout) < 0)
		return -EHOSTDOWN;
	int rc = 0;

	if (!self.token || str_eq(str_from(self.token), refused))
		rc = log_in(a);
	if (rc == 0)
		*ret = arena_str(a, str_from(self.token));
	task_sem_give(&self.login);
	return rc;
}

/* ---- asking ---- */

int authtoken_ask(struct arena *a, struct str text, bool late, json_t **ret)
{
	struct str path = late ? S("/v3/auth/tokens?nocatalog&allow_expired=1") :
				 S("/v3/auth/tokens?nocatalog");
	struct str own = STR_NONE;

	for (unsigned attempt = 0; attempt < 2; attempt++) {
		CLEANUP(answer_done) struct answer w = { .status = 0 };
		struct headers h;
		int rc = own_token(a, own, &own);

		if (rc < 0)
			return rc;
		headers_init(&h, a);
		headers_add(&h, S("X-Auth-Token"), own);
		headers_add(&h, S("X-Subject-Token"), text);
		headers_add(&h, S("OpenStack-Identity-Access-Rules"), S("1.0"));
		rc = exchange_some(a, S("GET"), path, &h, STR_NONE, &w);
		if (rc < 0)
			return rc;
		if (w.status == 404)
			return -EACCES;
		json_t *token = json_object_get(w.doc, "token");

		if (w.status == 200 && json_is_object(token)) {
			*ret = json_incref(token);
			return 0;
		}
		if (w.status != 401) {
			log_error("authtoken: %s answers %d", authtoken_now.auth_url, w.status);
			return -EHOSTDOWN;
		}
	}
	return -EHOSTDOWN;
}
