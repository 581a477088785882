/* Records as objects: loading, watching for changes, writing. */
#include "proxy/identity/authtoken.h"
#include "proxy/identity/store.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "proxy/pipeline.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define ACCOUNT S(".identity")
#define RECORDS S("records")
#define STATE S("state")
#define STAMP S("stamp")

enum { CHANGES = 64, NAME_MAX_BYTES = 300, POLL_MS = 2000, LIST_MS = 30000, READY_MS = 5000,
       STAMP_MAX = 64, FETCHERS = 8 };

/* What this host's workers changed last; number n is in slot n % CHANGES. */
struct change {
	_Atomic uint64_t number;        /* 0: never used, or being written */
	unsigned length;                /* 0: too long to stand here */
	char name[NAME_MAX_BYTES];
};
static struct {
	_Atomic uint64_t last;
	struct change change[CHANGES];
} *shared;

struct identity_store {
	struct task_sem lock;           /* one refreshes at a time */
	struct waitq ready;
	struct task_group background;
	struct map *etags;              /* of each object that is in memory */
	char stamp[STAMP_MAX];
	uint64_t seen, listed_ms;
	bool loaded;
};

static struct identity self;

struct identity *identity_self(void)
{
	return &self;
}

void identity_share(void)
{
	if (shared)
		return;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		unreachable("no memory for a shared table");
}

/* ---- requests of our own ---- */

/* One request's memory, and the request that stands for the client's. */
struct job {
	struct identity *id;
	struct arena *arena;
	struct request *root;
	int64_t delete_at;              /* of the object that is PUT, unix seconds; 0: it stays */
};

static void job_begin(struct identity *id, struct job *j)
{
	j->id = id;
	j->delete_at = 0;
	j->arena = arena_new();
	struct request *root = arena_zalloc(j->arena, sizeof *root);

	root->magic = REQUEST_MAGIC;
	root->method = HTTP_GET;
	root->method_name = S("GET");
	root->path = root->target = S("/v1/.identity");
	root->scheme = S("http");
	headers_init(&root->headers, j->arena);
	root->body = body_empty(j->arena);
	root->arena = j->arena;
	root->peer_ip = S("127.0.0.1");
	root->trans_id = S("identity");
	j->root = root;
	proxy_request_new(id->proxy, root);
}

static void job_end(struct job *j)
{
	if (!j->root)
		return;
	proxy_request_done(j->root);
	arena_free(j->arena);
	j->root = NULL;
}

#define JOB(j, identity)                                                        \
	__attribute__((cleanup(job_end))) struct job j;                         \
	job_begin(identity, &(j))

/* Straight to the application: nothing that a configuration puts in front of it applies. */
waits static int ask(struct job *j, enum http_method m, struct str container, struct str object,
		     struct str query, struct str content, struct response *ret)
{
	struct request *sub =
		proxy_subrequest_new(j->root, m, ACCOUNT, container, object, query, S("ID"));
	struct middleware *app = j->id->proxy->pipeline;

	while (app->kind != &proxy_app)
		app++;
	if (content.p) {
		sub->content_length = (int64_t)content.n;
		sub->body = body_bytes(j->arena, content);
		headers_setf(&sub->headers, S("Content-Length"), "%zu", content.n);
		headers_set(&sub->headers, S("Content-Type"), S("application/json"));
		if (j->delete_at)
			headers_setf(&sub->headers, S("X-Delete-At"), "%" PRId64, j->delete_at);
	}
	headers_set(&sub->headers, S("X-Newest"), S("true"));
	proxy_request(sub)->newest = true;
	response_init(ret, j->arena);
	app->kind->handle(app, sub, ret);
	return ret->status;
}

/* The same, with the whole answer. */
waits static int ask_text(struct job *j, enum http_method m, struct str container,
			  struct str object, struct str query, struct str content,
			  struct str *ret_text, struct str *ret_etag)
{
	CLEANUP(buf_done) struct buf text = BUF(64 * MIB);
	struct response res;
	int status = ask(j, m, container, object, query, content, &res);

	if (res.body) {
		int rc = body_read_all(res.body, &text);

		body_close(res.body);
		if (rc < 0)
			return 503;
	}
	if (ret_text)
		*ret_text = arena_str(j->arena, buf_str(&text));
	if (ret_etag)
		*ret_etag = headers_get_lit(&res.headers, "Etag");
	return status;
}

/* ---- reading ---- */

static bool split_name(struct str name, enum record_kind *ret_kind, struct str *ret_id)
{
	struct str rest = name, plural = str_cut(&rest, '/');

	for (unsigned k = 0; k < RECORD_KINDS; k++) {
		if (!str_eq(plural, str_from(record_plurals[k])) || rest.n == 0)
			continue;
		*ret_kind = k;
		*ret_id = rest;
		return true;
	}
	return false;
}

static void forget(struct identity *id, struct str name)
{
	enum record_kind kind;
	struct str key;

	free(map_remove(id->store->etags, name));
	if (split_name(name, &kind, &key))
		records_put(id->records, kind, key, NULL);
}

static void remember(struct identity *id, struct str name, struct str etag, json_t *doc)
{
	enum record_kind kind;
	struct str key;

	free(map_put(id->store->etags, name, str_dup(etag)));
	if (split_name(name, &kind, &key))
		records_put(id->records, kind, key, doc);
	else
		json_decref(doc);
}

/* Brings one record up to date: 0 or -EHOSTDOWN. */
waits static int fetch(struct identity *id, struct str name)
{
	JOB(j, id);
	struct str text = STR_NONE, etag = STR_NONE;
	int status = ask_text(&j, HTTP_GET, RECORDS, name, STR_NONE, STR_NONE, &text, &etag);

	if (status == 404) {
		forget(id, name);
		return 0;
	}
	if (status != 200)
		return -EHOSTDOWN;
	json_t *doc = json_text_parse(text);

	if (!json_is_object(doc)) {
		log_error("identity: %.*s is not a record", STR(name));
		json_decref(doc);
		return 0;
	}
	remember(id, name, etag, doc);
	return 0;
}

struct missing {
	const struct map *listed;
	json_t *names;
};

static void collect_missing(void *arg, struct str key, void *value)
{
	struct missing *m = arg;

	(void)value;
	if (!map_peek(m->listed, key))
		json_array_append_new(m->names, json_of(key));
}

/* Adds what one page names, with its hash: the number of entries, or negative. */
waits static int list_page(struct job *j, struct map *listed, struct str *marker)
{
	CLEANUP(buf_done) struct buf query = BUF(8 * KIB);
	struct str text;

	buf_addf(&query, "format=json&marker=");
	percent_encode(&query, *marker, S(""));
	int status = ask_text(j, HTTP_GET, RECORDS, STR_NONE, buf_str(&query), STR_NONE, &text,
			      NULL);

	if (status == 404)
		return 0;
	if (status == 204)
		return 0;
	if (status != 200)
		return -EHOSTDOWN;
	AUTO(json_text) page = json_text_parse(text);
	json_t *row;
	size_t i;

	json_array_foreach(page, i, row) {
		struct str name = json_str(row, "name");
		struct str hash = arena_str(j->arena, json_str(row, "hash"));

		if (!name.p)
			continue;
		*marker = arena_str(j->arena, name);
		map_put(listed, name, arena_cstr(j->arena, hash));
	}
	return (int)json_array_size(page);
}

struct due {
	const struct map *have;
	json_t *names;
};

static void collect_due(void *arg, struct str key, void *value)
{
	struct due *d = arg;
	const char *etag = map_peek(d->have, key);

	if (!etag || strcmp(etag, value) != 0)
		json_array_append_new(d->names, json_of(key));
}

/* Names that are fetched by several tasks. */
struct fetching {
	struct identity *id;
	const json_t *names;
	size_t next;
	int error;
};

waits static void fetch_some(void *arg)
{
	struct fetching *f = arg;

	while (f->next < json_array_size(f->names)) {
		const json_t *name = json_array_get(f->names, f->next++);
		int rc = fetch(f->id, str_from(json_string_value(name)));

		if (rc < 0)
			f->error = rc;
	}
}

waits static int fetch_all(struct identity *id, const json_t *names)
{
	struct fetching f = { .id = id, .names = names };
	size_t n = json_array_size(names);
	TASK_GROUP(g);

	for (size_t i = 1; i < n && i < FETCHERS; i++)
		task_spawn(&g, "identity record", fetch_some, &f);
	fetch_some(&f);
	int rc = task_group_join(&g);

	return rc < 0 ? rc : f.error;
}

/* Compares all names and hashes of the container with what is in memory. What a listing does not
 * have is asked for: a replica that is behind may have answered. */
waits static int list_all(struct identity *id)
{
	JOB(j, id);
	struct map *listed = map_new();
	struct str marker = S("");
	int n;

	do
		n = list_page(&j, listed, &marker);
	while (n > 0);
	AUTO(json_text) names = json_array();

	if (n == 0) {
		struct due due = { id->store->etags, names };
		struct missing missing = { listed, names };

		map_each(listed, collect_due, &due);
		map_each(id->store->etags, collect_missing, &missing);
	}
	map_free(listed, NULL);
	if (n < 0)
		return n;
	id->store->listed_ms = clock_mono_ms();
	return fetch_all(id, names);
}

/* ---- keeping up ---- */

/* What the other workers of this host have changed. */
waits static void catch_up(struct identity *id)
{
	struct identity_store *s = id->store;
	uint64_t last = shared->last;
	bool all = last - s->seen > CHANGES;

	for (uint64_t n = s->seen + 1; n <= last && !all; n++) {
		struct change *c = &shared->change[n % CHANGES];
		char name[NAME_MAX_BYTES];
		unsigned length = c->length;

		if (c->number != n || length == 0 || length > sizeof name) {
			all = true;
			break;
		}
		memcpy(name, c->name, length);
		all = c->number != n || fetch(id, str_of(name, length)) < 0;
	}
	if (!all || list_all(id) == 0)
		s->seen = last;
}

void store_catch_up(struct identity *id)
{
	struct identity_store *s = id->store;

	if (!s || !s->loaded)
		return;
	if (s->seen == shared->last || task_sem_take(&s->lock, READY_MS) < 0)
		return;
	if (s->seen != shared->last)
		catch_up(id);
	task_sem_give(&s->lock);
}

void store_refresh(struct identity *id)
{
	struct identity_store *s = id->store;

	while (s && !s->loaded)
		if (waitq_wait(&s->ready, "identity records", READY_MS) < 0)
			return;
	store_catch_up(id);
}

/* Looks at the stamp; lists when it is another, or after a while. */
waits static int poll_once(struct identity *id)
{
	struct identity_store *s = id->store;
	JOB(j, id);
	struct response res;
	int status = ask(&j, HTTP_HEAD, STATE, STAMP, STR_NONE, STR_NONE, &res);
	struct str etag = headers_get_lit(&res.headers, "Etag");

	body_close(res.body);
	if (status == 404)
		return 0;
	if (status != 200 || etag.n >= STAMP_MAX)
		return -EHOSTDOWN;
	bool late = clock_mono_ms() - s->listed_ms > LIST_MS;

	if (str_eq(etag, str_from(s->stamp)) && !late)
		return 0;
	int rc = list_all(id);

	if (rc == 0) {
		memcpy(s->stamp, etag.p, etag.n);
		s->stamp[etag.n] = 0;
	}
	return rc;
}

static void find_expired(json_t *list, int64_t now, json_t *names)
{
	json_t *doc;
	size_t i;

	json_array_foreach(list, i, doc)
		if (json_integer_value(json_object_get(doc, "expires")) < now)
			json_array_append(names, json_object_get(doc, "id"));
}

/* How long a revocation is kept after its token has expired: so long may services go on with it. */
static int64_t kept_for_s(void)
{
	return 60 + (int64_t)(identity_conf.allow_expired_window / 1000);
}

/* Revocations of tokens that have expired anyway. In the store they are objects that expire. */
static void drop_expired(struct identity *id)
{
	AUTO(json_text) list = records_all(id->records, RECORD_REVOCATION);
	AUTO(json_text) names = json_array();
	json_t *v;
	size_t i;

	find_expired(list, clock_wall_s() - kept_for_s(), names);
	json_array_foreach(names, i, v)
		records_put(id->records, RECORD_REVOCATION, str_from(json_string_value(v)), NULL);
}

waits static void watch(void *arg)
{
	struct identity *id = arg;
	struct identity_store *s = id->store;

	do {
		if (task_sem_take(&s->lock, 0) < 0)
			return;
		int rc = poll_once(id);

		task_sem_give(&s->lock);
		if (rc == 0 && !s->loaded) {
			s->loaded = true;
			waitq_wake_all(&s->ready);
		}
		drop_expired(id);
	} while (task_sleep(POLL_MS) == 0);
}

/* ---- writing ---- */

static void tell_siblings(struct str name)
{
	uint64_t n = atomic_fetch_add(&shared->last, 1) + 1;
	struct change *c = &shared->change[n % CHANGES];

	c->number = 0;
	c->length = name.n <= NAME_MAX_BYTES ? (unsigned)name.n : 0;
	memcpy(c->name, name.p, c->length);
	c->number = n;
}

waits static int put(struct job *j, struct str container, struct str object, struct str content)
{
	int status = ask_text(j, HTTP_PUT, container, object, STR_NONE, content, NULL, NULL);

	if (status == 404) {
		status = ask_text(j, HTTP_PUT, container, STR_NONE, STR_NONE, STR_NONE, NULL,
				  NULL);
		if (status / 100 == 2)
			status = ask_text(j, HTTP_PUT, container, object, STR_NONE, content, NULL,
					  NULL);
	}
	return status / 100 == 2 ? 0 : -EHOSTDOWN;
}

int store_write(struct identity *id, enum record_kind kind, struct str key, json_t *doc)
{
	JOB(j, id);
	struct str name = arena_printf(j.arena, "%s/%.*s", record_plurals[kind], STR(key));
	struct str unique = identity_new_id(j.arena);
	int rc = 0;

	/* What the configuration makes is hidden, not removed. */
	if (!doc && records_base(id->records, kind, key))
		doc = json_pack("{s:b, s:o}", "_deleted", 1, "id", json_of(key));
	if (doc) {
		if (kind == RECORD_REVOCATION)
			j.delete_at = kept_for_s() +
				      json_integer_value(json_object_get(doc, "expires"));
		rc = put(&j, RECORDS, name, json_text_of(j.arena, doc));
		j.delete_at = 0;
	} else {
		int status = ask_text(&j, HTTP_DELETE, RECORDS, name, STR_NONE, STR_NONE, NULL,
				      NULL);

		rc = status / 100 == 2 || status == 404 ? 0 : -EHOSTDOWN;
	}
	json_decref(doc);
	/* As it is in the store now, whoever else has written. */
	if (rc == 0)
		rc = fetch(id, name);
	if (rc < 0)
		return rc;
	tell_siblings(name);
	return put(&j, STATE, STAMP, unique);
}

/* ---- begin and end ---- */

void identity_start(struct proxy *p)
{
	struct identity_store *s = xcalloc(1, sizeof *s);

	identity_share();
	self.proxy = p;
	self.records = records_new();
	identity_load_base(&self);
	task_sem_init(&s->lock, 1);
	waitq_init(&s->ready);
	s->etags = map_new();
	s->seen = shared->last;
	self.store = s;
	task_group_init(&s->background);
	s->background.owner = NULL;
	task_spawn(&s->background, "identity", watch, &self);
}

void identity_reload(void)
{
	if (!self.records)
		return;
	records_forget_base(self.records);
	identity_load_base(&self);
	token_keys_reload(self.proxy);
}

void identity_stop(void)
{
	struct identity_store *s = self.store;

	if (!s)
		return;
	s->background.owner = task_self();
	task_group_end(&s->background);
	map_free(s->etags, free);
	free(s);
	authtoken_stop();
	records_free(self.records);
	self.store = NULL;
	self.records = NULL;
}
