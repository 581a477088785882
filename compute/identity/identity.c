/* Checks tokens with Keystone, and remembers for a short time whose they are. */
#include "compute/identity/identity.h"
#include "compute/call.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/crypto/digest.h"
#include "lib/json/json_text.h"
#include "lib/log/log.h"

enum { ANSWER_MAX = 1 * MIB, TOKEN_MAX = 8 * KIB, ROLES_MAX = 1000 };

struct remembered {
	struct caller *caller;
	int64_t until_us;
};

struct identity {
	struct http_client *http;
	struct login *login;
	struct map *tokens;             /* SHA-256 of the token to struct remembered */
};

/* ---- callers ---- */

struct caller *caller_ref(struct caller *c)
{
	c->refs++;
	return c;
}

void caller_unref(struct caller *c)
{
	if (c && --c->refs == 0)
		arena_free(c->arena);
}

bool caller_has_role(const struct caller *c, struct str name)
{
	for (unsigned i = 0; i < c->role_count; i++)
		if (str_eq(c->roles[i], name))
			return true;
	return false;
}

static void add_roles(struct caller *c, const json_t *roles)
{
	size_t n = MIN(json_array_size(roles), (size_t)ROLES_MAX);
	struct str *names = arena_alloc(c->arena, (n + 1) * sizeof *names);

	for (size_t i = 0; i < n; i++)
		names[i] = arena_str(c->arena, json_str(json_array_get(roles, i), "name"));
	c->roles = names;
	c->role_count = (unsigned)n;
	c->admin = caller_has_role(c, str_from(compute_conf.admin_role));
	c->member = c->admin;
	for (unsigned i = 0; i < compute_conf.member_roles.count; i++)
		c->member |= caller_has_role(c, compute_conf.member_roles.items[i]);
}

static struct str copy(struct arena *a, const json_t *object, const char *key)
{
	struct str s = json_str(object, key);

	return s.p ? arena_str(a, s) : STR_NONE;
}

struct caller *caller_parse(struct str text)
{
	AUTO(json_text) doc = json_text_parse(text);
	const json_t *token = json_object_get(doc, "token");
	const json_t *user = json_object_get(token, "user");
	const json_t *project = json_object_get(token, "project");
	int64_t expires_us;

	if (!json_str(user, "id").n ||
	    clock_iso_parse(json_str(token, "expires_at"), &expires_us) < 0)
		return NULL;
	struct arena *a = arena_new();
	struct caller *c = arena_zalloc(a, sizeof *c);

	c->refs = 1;
	c->arena = a;
	c->expires_us = expires_us;
	c->user_id = copy(a, user, "id");
	c->user_name = copy(a, user, "name");
	c->user_domain_id = copy(a, json_object_get(user, "domain"), "id");
	c->project_id = copy(a, project, "id");
	c->project_name = copy(a, project, "name");
	c->project_domain_id = copy(a, json_object_get(project, "domain"), "id");
	add_roles(c, json_object_get(token, "roles"));
	return c;
}

/* ---- tokens ---- */

struct identity *identity_new(struct http_client *http)
{
	struct identity *id = xcalloc(1, sizeof *id);

	id->http = http;
	id->login = login_new(http, LOGIN_KEYSTONE);
	id->tokens = map_new();
	return id;
}

static void remembered_free(void *value)
{
	struct remembered *r = value;

	if (r)
		caller_unref(r->caller);
	free(r);
}

void identity_free(struct identity *id)
{
	if (!id)
		return;
	map_free(id->tokens, remembered_free);
	login_free(id->login);
	free(id);
}

struct login *identity_login(struct identity *id)
{
	return id->login;
}

static void remember(struct identity *id, struct str key, struct caller *c)
{
	struct remembered *r = xcalloc(1, sizeof *r);

	r->caller = caller_ref(c);
	r->until_us = MIN(c->expires_us,
			  clock_wall_us() + (int64_t)compute_conf.token_cache_time * 1000);
	remembered_free(map_put(id->tokens, key, r));
	while (map_count(id->tokens) > (size_t)compute_conf.token_cache_entries)
		remembered_free(map_evict(id->tokens));
}

/* One question: the status, with the caller when it is 200. */
waits static int ask(struct identity *id, struct arena *a, struct str own, struct str token,
		     struct caller **ret)
{
	struct headers h;
	struct response res;
	struct str answer;

	headers_init(&h, a);
	headers_add_ref(&h, S("X-Auth-Token"), own);
	headers_add_ref(&h, S("X-Subject-Token"), token);
	headers_add_ref(&h, S("Accept"), S("application/json"));
	const struct call c = {
		.method = S("GET"),
		.url = arena_printf(a, "%s/auth/tokens?nocatalog", compute_conf.auth_url),
		.headers = &h,
		.answer_max = ANSWER_MAX,
	};
	int status = call_run(id->http, a, &c, &res, &answer);

	if (status == 200) {
		*ret = caller_parse(answer);
		return *ret ? 200 : -EPROTO;
	}
	return status;
}

/* 401 is about our own token, so it is asked again with a new one; 404 about the other. */
waits static int ask_identity(struct identity *id, struct str token, struct caller **ret)
{
	AUTO(arena) a = arena_new();
	int status = 401;

	for (int tries = 0; tries < 2 && status == 401; tries++) {
		struct str own;
		int rc = login_token(id->login, a, &own);

		if (rc < 0)
			return rc == -ECANCELED ? rc : -EAGAIN;
		status = ask(id, a, own, token, ret);
		if (status == 401)
			login_refused(id->login, own);
	}
	if (status == 200)
		return 0;
	if (status == 404)
		return -EACCES;
	if (status != -ECANCELED)
		log_warn("identity cannot check a token: %d, ignoring", status);
	return status == -ECANCELED ? status : -EAGAIN;
}

int identity_check(struct identity *id, struct str token, struct caller **ret)
{
	unsigned char digest[SHA256_SIZE];
	struct str key = str_of((char *)digest, sizeof digest);
	struct caller *c = NULL;

	if (token.n == 0 || token.n > TOKEN_MAX)
		return -EACCES;
	digest_of(DIGEST_SHA256, token.p, token.n, digest);
	struct remembered *r = map_get(id->tokens, key);

	if (r && clock_wall_us() < r->until_us) {
		*ret = caller_ref(r->caller);
		return 0;
	}
	remembered_free(map_remove(id->tokens, key));
	int rc = ask_identity(id, token, &c);

	if (rc == 0 && c->expires_us <= clock_wall_us()) {
		caller_unref(c);
		rc = -EACCES;
	}
	if (rc < 0)
		return rc;
	remember(id, key, c);
	*ret = c;
	return 0;
}
