/* Tokens of another Keystone on the Swift API: who asks, and what was heard before. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/metrics/metrics.h"
#include "proxy/identity/access_rules.h"
#include "proxy/identity/authtoken_internal.h"

enum { TOKEN_MAX = 16 * KIB };

static const char *const outcomes[] = { "cached", "asked", "failed", NULL };
enum outcome { CACHED, ASKED, FAILED };
METRIC_COUNTER_BY(checks, "needletail_authtoken_checks_total",
		  "Tokens of another Keystone, by where the answer came from.", "source", outcomes);

/* What was heard about a token. */
struct known {
	json_t *token;                  /* NULL: it is not good */
	uint64_t until_ms;
};

/* A question that is being asked; others who have the same wait for its answer. */
struct question {
	struct waitq done;
	bool answered;
	int rc;
	unsigned waiting;
};

static struct {
	struct map *known, *questions;  /* by digest of the token */
	struct task_sem sem;
} self;

static void known_free(void *p)
{
	struct known *k = p;

	if (!k)
		return;
	json_decref(k->token);
	free(k);
}

int authtoken_start(struct fault *why)
{
	if (!authtoken_configured())
		return 0;
	authtoken_now = authtoken_conf;
	self.known = map_new();
	self.questions = map_new();
	task_sem_init(&self.sem, (unsigned)authtoken_now.concurrency);
	return authtoken_client_start(why);
}

bool authtoken_enabled(void)
{
	return self.known != NULL;
}

void authtoken_stop(void)
{
	if (!self.known)
		return;
	authtoken_client_stop();
	map_free(self.known, known_free);
	map_free(self.questions, NULL);
	self.known = self.questions = NULL;
}

/* ---- remembering ---- */

static void key_of(struct str text, bool late, char key[2 * SHA256_SIZE + 2])
{
	unsigned char digest[SHA256_SIZE];

	digest_of(DIGEST_SHA256, text.p, text.n, digest);
	hex_encode(digest, sizeof digest, key);
	key[2 * SHA256_SIZE] = late ? 'L' : 'N';
	key[2 * SHA256_SIZE + 1] = 0;
}

static void remember(struct str key, json_t *token)
{
	struct known *k = xcalloc(1, sizeof *k);

	k->token = json_incref(token);
	k->until_ms = clock_mono_ms() + authtoken_now.token_cache_time;
	known_free(map_put(self.known, key, k));
	while (map_count(self.known) > (size_t)authtoken_now.token_cache_size)
		known_free(map_evict(self.known));
}

/* 1: nothing is known; else as check(). */
static int recall(struct str key, json_t **ret)
{
	struct known *k = map_get(self.known, key);

	if (!k || k->until_ms <= clock_mono_ms())
		return 1;
	metric_add_at(&checks, CACHED, 1);
	*ret = json_incref(k->token);
	return k->token ? 0 : -EACCES;
}

waits static int ask(struct arena *a, struct str key, struct str text, bool late)
{
	json_t *token = NULL;

	if (task_sem_take(&self.sem, authtoken_now.http_request_timeout) < 0)
		return -EHOSTDOWN;
	int rc = authtoken_ask(a, text, late, &token);

	task_sem_give(&self.sem);
	metric_add_at(&checks, rc == 0 || rc == -EACCES ? ASKED : FAILED, 1);
	if (rc == 0 || rc == -EACCES)
		remember(key, token);
	json_decref(token);
	return rc;
}

/* The one who asks first asks for all. The answer is given even if it is not to be remembered. */
waits static int ask_once(struct arena *a, struct str key, struct str text, bool late)
{
	struct question *q = map_peek(self.questions, key);
	int rc;

	if (!q) {
		q = xcalloc(1, sizeof *q);
		waitq_init(&q->done);
		map_put(self.questions, key, q);
		rc = q->rc = ask(a, key, text, late);
		q->answered = true;
		map_remove(self.questions, key);
		waitq_wake_all(&q->done);
	} else {
		q->waiting++;
		rc = 0;
		while (!q->answered && rc == 0)
			rc = waitq_wait(&q->done, "authtoken", 0);
		if (q->answered)
			rc = q->rc;
		q->waiting--;
	}
	if (q->answered && q->waiting == 0)
		free(q);
	return rc;
}

static bool is_expired(const json_t *token)
{
	int64_t us;

	return clock_iso_parse(json_str(token, "expires_at"), &us) < 0 || us <= clock_wall_us();
}

/* 0 with the "token" object (new reference), -EACCES or -EHOSTDOWN. */
waits static int check(struct arena *a, struct str text, bool late, json_t **ret)
{
	char text_key[2 * SHA256_SIZE + 2];
	json_t *token = NULL;

	if (!text.n || text.n > TOKEN_MAX || !header_value_valid(text))
		return -EACCES;
	key_of(text, late, text_key);
	struct str key = str_from(text_key);
	int rc = recall(key, &token);

	if (rc == 1) {
		/* Whose client has gone asked for the others as well. */
		do
			rc = ask_once(a, key, text, late);
		while (rc == -ECANCELED && !task_cancelled());
		struct known *k = map_peek(self.known, key);

		/* With token_cache_time = 0 it is remembered for just this moment. */
		if (rc == 0)
			token = k ? json_incref(k->token) : NULL;
		if (rc == 0 && !token)
			rc = -EHOSTDOWN;
	}
	if (rc == 0 && !late && is_expired(token)) {
		json_decref(token);
		return -EACCES;
	}
	if (rc == 0)
		*ret = token;
	return rc;
}

/* ---- who asks ---- */

static struct str text_at(struct arena *a, const json_t *object, const char *key)
{
	struct str s = json_str(object, key);

	return s.p ? arena_str(a, s) : STR_NONE;
}

static bool in_default_domain(const json_t *doc)
{
	return str_eq(json_str(json_object_get(doc, "domain"), "id"), S("default"));
}

static bool has_service_role(const json_t *token)
{
	const struct conf_list *roles = &authtoken_now.service_token_roles;
	bool has = false;

	for (unsigned i = 0; i < roles->count; i++)
		has |= roles_have(json_object_get(token, "roles"), roles->items[i]);
	return has;
}

static bool rules_allow(const struct request *req, const json_t *token)
{
	const json_t *rules = json_object_get(json_object_get(token, "application_credential"),
					      "access_rules");

	return !rules || access_rules_allow(rules, S("object-store"), req->method_name,
					    percent_decode(req->arena, req->path));
}

static void set_caller(struct request *req, const json_t *token, const json_t *service)
{
	struct arena *a = req->arena;
	struct keystone_caller *k = arena_zalloc(a, sizeof *k);
	const json_t *user = json_object_get(token, "user");
	const json_t *project = json_object_get(token, "project");

	k->user = text_at(a, user, "id");
	k->user_name = text_at(a, user, "name");
	k->project = text_at(a, project, "id");
	k->project_name = text_at(a, project, "name");
	k->names_in_acls =
		in_default_domain(user) && (!project || in_default_domain(project));
	k->names = keystone_role_names(a, json_object_get(token, "roles"));
	if (service)
		k->service_names = keystone_role_names(a, json_object_get(service, "roles"));
	keystone_authorize(req, k);
}

static void refuse(struct request *req, struct response *res, int error)
{
	const char *uri = authtoken_now.www_authenticate_uri;

	(void)req;
	if (error != -EACCES) {
		respond_text(res, 503, "The Keystone service is temporarily unavailable.");
		return;
	}
	respond_status(res, 401);
	headers_setf(&res->headers, S("Www-Authenticate"), "Keystone uri=\"%s\"",
		     uri ? uri : authtoken_now.auth_url);
}

bool authtoken_identify(struct request *req, struct response *res, struct str text)
{
	struct str service_text = headers_get_lit(&req->headers, "X-Service-Token");
	AUTO(json_text) service = NULL;
	AUTO(json_text) token = NULL;
	int rc = service_text.n ? check(req->arena, service_text, false, &service) : 0;
	bool by_service = service && has_service_role(service);

	if (rc == 0 && service && !by_service && authtoken_now.service_token_roles_required)
		rc = -EACCES;
	if (rc == 0)
		rc = check(req->arena, text, by_service, &token);
	if (rc == 0 && !by_service && !rules_allow(req, token))
		rc = -EACCES;
	if (rc < 0) {
		refuse(req, res, rc);
		return false;
	}
	proxy_request(req)->token = text;
	set_caller(req, token, service);
	return true;
}
