/* Logging in as the service's user, and remembering it. */
#include "compute/identity/login.h"
#include "compute/call.h"
#include "lib/base/clock.h"
#include "lib/json/json_text.h"
#include "lib/log/log.h"

enum {
	ANSWER_MAX = 1 * MIB,
	PAUSE_MS = 1000,                /* between attempts that fail */
	EARLY_US = 60 * 1000000,        /* a token is renewed before it ends */
	V1_LIFE_US = 600 * 1000000,     /* v1 answers need not say when theirs ends */
};

struct login {
	struct http_client *http;
	enum login_kind kind;
	struct task_sem turn;           /* one logs in, the others wait for it */
	struct arena *arena;            /* of what follows */
	struct str token, store_url;
	json_t *catalog;
	int64_t expires_us;
	int failure;                    /* of the last attempt, and when it was */
	uint64_t failed_ms;
};

struct login *login_new(struct http_client *http, enum login_kind kind)
{
	struct login *l = xcalloc(1, sizeof *l);

	l->http = http;
	l->kind = kind;
	l->arena = arena_new();
	task_sem_init(&l->turn, 1);
	return l;
}

void login_free(struct login *l)
{
	if (!l)
		return;
	json_decref(l->catalog);
	arena_free(l->arena);
	free(l);
}

/* Takes over what a login brought. */
static void remember(struct login *l, struct str token, struct str store_url, json_t *catalog,
		     int64_t expires_us)
{
	struct arena *a = arena_new();

	l->token = arena_str(a, token);
	l->store_url = arena_str(a, store_url);
	json_decref(l->catalog);
	l->catalog = json_incref(catalog);
	l->expires_us = expires_us - EARLY_US;
	arena_free(l->arena);
	l->arena = a;
}

static json_t *v3_request(void)
{
	const struct compute_conf *c = &compute_conf;

	return json_pack("{s:{s:{s:[s], s:{s:{s:s, s:s, s:{s:s}}}}, s:{s:{s:s, s:{s:s}}}}}",
			 "auth", "identity", "methods", "password", "password", "user", "name",
			 c->username, "password", c->password, "domain", "name",
			 c->user_domain_name, "scope", "project", "name", c->project_name,
			 "domain", "name", c->project_domain_name);
}

waits static int log_in_v3(struct login *l, struct arena *a)
{
	AUTO(json_text) doc = v3_request();
	struct headers h;
	struct response res;
	struct str answer;
	int64_t expires_us;

	headers_init(&h, a);
	headers_add_ref(&h, S("Content-Type"), S("application/json"));
	headers_add_ref(&h, S("Accept"), S("application/json"));
	const struct call c = {
		.method = S("POST"),
		.url = arena_printf(a, "%s/auth/tokens", compute_conf.auth_url),
		.headers = &h,
		.body = json_text_of(a, doc),
		.answer_max = ANSWER_MAX,
	};
	int status = call_run(l->http, a, &c, &res, &answer);

	if (status < 0)
		return status;
	if (status != 201)
		return status == 401 || status == 403 ? -EACCES : -EPROTO;
	AUTO(json_text) body = json_text_parse(answer);
	const json_t *token = json_object_get(body, "token");
	struct str text = headers_get_lit(&res.headers, "X-Subject-Token");

	if (!text.n || clock_iso_parse(json_str(token, "expires_at"), &expires_us) < 0)
		return -EPROTO;
	remember(l, text, S(""), json_object_get(token, "catalog"), expires_us);
	return 0;
}

waits static int log_in_v1(struct login *l, struct arena *a)
{
	const struct compute_conf *conf = &compute_conf;
	struct headers h;
	struct response res;
	struct str answer;
	uint64_t life;

	headers_init(&h, a);
	headers_add_ref(&h, S("X-Auth-User"), str_from(conf->store_user));
	headers_add_ref(&h, S("X-Auth-Key"), str_from(conf->store_key));
	const struct call c = { .method = S("GET"),
				.url = str_from(conf->store_auth_url),
				.headers = &h,
				.answer_max = ANSWER_MAX };
	int status = call_run(l->http, a, &c, &res, &answer);

	if (status < 0)
		return status;
	if (status / 100 != 2)
		return status == 401 || status == 403 ? -EACCES : -EPROTO;
	struct str token = headers_get_lit(&res.headers, "X-Auth-Token");
	struct str url = headers_get_lit(&res.headers, "X-Storage-Url");

	if (!token.n || !url.n)
		return -EPROTO;
	bool told = str_to_u64(headers_get_lit(&res.headers, "X-Auth-Token-Expires"), &life) == 0 &&
		    life < 365ULL * 24 * 3600;

	remember(l, token, url, NULL,
		 clock_wall_us() + (told ? (int64_t)life * 1000000 : V1_LIFE_US));
	return 0;
}

static bool is_good(const struct login *l)
{
	return l->token.n && clock_wall_us() < l->expires_us;
}

/* One attempt; said in the log when it changes. */
waits static int attempt(struct login *l)
{
	AUTO(arena) a = arena_new();
	int rc = l->kind == LOGIN_V1 ? log_in_v1(l, a) : log_in_v3(l, a);

	if (rc < 0 && rc != -ECANCELED && rc != -EACCES) {
		log_warn("logging in to %s: %s",
			 l->kind == LOGIN_V1 ? compute_conf.store_auth_url : compute_conf.auth_url,
			 rc == -EPROTO ? "the answer is not understood" : strerror(-rc));
		rc = -EAGAIN;
	} else if (rc == -EACCES) {
		log_error("the login of this daemon's user is refused");
	}
	if (rc < 0 && rc != -ECANCELED) {
		l->failure = rc;
		l->failed_ms = clock_mono_ms();
	} else if (rc == 0) {
		l->failure = 0;
	}
	return rc;
}

waits static int need_login(struct login *l)
{
	if (is_good(l))
		return 0;
	int rc = task_sem_take(&l->turn, 0);

	if (rc < 0)
		return rc;
	if (is_good(l))
		rc = 0;
	else if (l->failure < 0 && clock_mono_ms() - l->failed_ms < PAUSE_MS)
		rc = l->failure;
	else
		rc = attempt(l);
	task_sem_give(&l->turn);
	return rc;
}

int login_token(struct login *l, struct arena *a, struct str *ret)
{
	int rc = need_login(l);

	if (rc == 0)
		*ret = arena_str(a, l->token);
	return rc;
}

static struct str endpoint_of(const json_t *catalog, struct str type)
{
	const json_t *service, *endpoint;
	size_t i, j;

	json_array_foreach((json_t *)catalog, i, service) {
		if (!str_eq(json_str(service, "type"), type))
			continue;
		json_array_foreach(json_object_get(service, "endpoints"), j, endpoint)
			if (str_eq(json_str(endpoint, "interface"), S("public")) &&
			    str_eq(json_str(endpoint, "region_id"), str_from(compute_conf.region)))
				return json_str(endpoint, "url");
	}
	return STR_NONE;
}

int login_endpoint(struct login *l, struct arena *a, struct str type, struct str *ret)
{
	int rc = need_login(l);

	if (rc < 0)
		return rc;
	struct str url = l->kind == LOGIN_V1 ? l->store_url : endpoint_of(l->catalog, type);

	if (!url.n)
		return -ENOENT;
	*ret = arena_str(a, url);
	return 0;
}

void login_refused(struct login *l, struct str token)
{
	if (str_eq(l->token, token))
		l->expires_us = 0;
}
