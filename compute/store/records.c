/* Records as objects: reading, optimistic changes, listing, and what is remembered of them. */
#include "compute/store/records.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"

enum {
	RECORD_MAX = 2 * MIB,           /* bytes of one document */
	RECORDS_MAX = 100000,
	ATTEMPTS = 12,
	READERS = 8,                    /* that fetch what a listing says has changed */
	DOC_FACTOR = 4,                 /* memory of a parsed document, by its text */
	DOC_EXTRA = 512,
};

struct cached {
	char etag[MD5_HEX_SIZE];
	json_t *doc;
	size_t bytes;
};

/* Changes of one record go one after another. */
struct turn {
	struct task_sem sem;
	unsigned users;
};

struct records {
	struct store *store;
	struct str container;
	struct map *cache;              /* id to struct cached */
	size_t cache_bytes;
	struct map *turns;              /* id to struct turn, while somebody uses it */
};

struct records *records_new(struct store *s, const char *container)
{
	struct records *r = xcalloc(1, sizeof *r);

	r->store = s;
	r->container = str_from(xstrdup(container));
	r->cache = map_new();
	r->turns = map_new();
	return r;
}

static void cached_free(void *value)
{
	struct cached *c = value;

	if (c)
		json_decref(c->doc);
	free(c);
}

void records_free(struct records *r)
{
	if (!r)
		return;
	assert(map_count(r->turns) == 0);
	map_free(r->cache, cached_free);
	map_free(r->turns, NULL);
	free((char *)r->container.p);
	free(r);
}

/* ---- what is remembered ---- */

static void forget(struct records *r, struct str id)
{
	struct cached *c = map_remove(r->cache, id);

	if (c)
		r->cache_bytes -= c->bytes;
	cached_free(c);
}

static void remember(struct records *r, struct str id, struct str etag, json_t *doc, size_t text)
{
	struct cached *c = xcalloc(1, sizeof *c);

	forget(r, id);
	snprintf(c->etag, sizeof c->etag, "%.*s", STR(etag));
	c->doc = json_incref(doc);
	c->bytes = text * DOC_FACTOR + id.n + DOC_EXTRA;
	r->cache_bytes += c->bytes;
	map_put(r->cache, id, c);
	while (r->cache_bytes > compute_conf.record_cache_size && map_count(r->cache) > 0) {
		struct cached *old = map_evict(r->cache);

		r->cache_bytes -= old->bytes;
		cached_free(old);
	}
}

/* ---- one record ---- */

static struct str unquoted(struct str etag)
{
	return etag.n >= 2 && etag.p[0] == '"' ? str_of(etag.p + 1, etag.n - 2) : etag;
}

/* Takes over what a GET brought: 0 with the document. */
static int take_answer(struct records *r, struct str id, struct str etag, struct str text,
		       json_t **ret)
{
	json_t *doc = json_text_parse(text);

	if (!json_is_object(doc)) {
		log_error("%.*s/%.*s in the store is not a record", STR(r->container), STR(id));
		json_decref(doc);
		return -EIO;
	}
	remember(r, id, etag, doc, text.n);
	*ret = doc;
	return 0;
}

/* The document as the store has it now, with its ETag in the arena. newest: as all replicas have
 * it, not just the first that answers. */
waits static int read_now(struct records *r, struct arena *a, struct str id, bool newest,
			  json_t **ret, struct str *ret_etag)
{
	const struct cached *c = map_get(r->cache, id);
	AUTO(json_text) known = c ? json_incref(c->doc) : NULL;
	struct str known_etag = c ? arena_str(a, str_from(c->etag)) : STR_NONE;
	struct headers h;
	struct response res;
	struct str text;

	headers_init(&h, a);
	if (newest)
		headers_add_ref(&h, S("X-Newest"), S("true"));
	if (known)
		headers_addf(&h, S("If-None-Match"), "\"%.*s\"", STR(known_etag));
	const struct store_request q = { .method = S("GET"), .container = r->container, .name = id,
					 .headers = &h, .answer_max = RECORD_MAX };
	int status = store_run(r->store, a, &q, &res, &text);

	if (status == 304 && known) {
		*ret = TAKE(known);
		*ret_etag = known_etag;
		return 0;
	}
	if (status == 404)
		forget(r, id);
	if (status != 200)
		return status < 0 ? status : store_error(status);
	*ret_etag = unquoted(headers_get_lit(&res.headers, "ETag"));
	return take_answer(r, id, *ret_etag, text, ret);
}

int records_get(struct records *r, struct arena *a, struct str id, json_t **ret)
{
	struct str etag;

	return read_now(r, a, id, false, ret, &etag);
}

int records_get_newest(struct records *r, struct arena *a, struct str id, json_t **ret)
{
	struct str etag;

	return read_now(r, a, id, true, ret, &etag);
}

/* Writes on a condition: 0; -ESTALE: it does not hold. */
waits static int write_now(struct records *r, struct arena *a, struct str id, json_t *doc,
			   struct str condition, struct str etag)
{
	struct str text = json_text_of(a, doc), answer;
	char own[MD5_HEX_SIZE];
	struct headers h;
	struct response res;

	md5_hex(text, own);
	headers_init(&h, a);
	headers_add_ref(&h, S("Content-Type"), S("application/json"));
	if (condition.n)
		headers_addf(&h, condition, etag.n ? "\"%.*s\"" : "%.*s",
			     STR(etag.n ? etag : S("*")));
	const struct store_request q = { .method = S("PUT"), .container = r->container, .name = id,
					 .headers = &h, .body = text };
	int status = store_run(r->store, a, &q, &res, &answer);

	if (status == 404) {
		int rc = store_make_container(r->store, a, r->container);

		if (rc < 0)
			return rc;
		status = store_run(r->store, a, &q, &res, &answer);
	}
	if (status == 412 || status == 409) {
		/* An attempt whose answer was lost may have been ours. */
		AUTO(json_text) there = NULL;
		struct str now = STR_NONE;
		int rc = read_now(r, a, id, true, &there, &now);

		return rc == 0 && str_eq(now, str_from(own)) ? 0 : rc < 0 && rc != -ENOENT ? rc :
								  -ESTALE;
	}
	if (status != 201)
		return status < 0 ? status : store_error(status);
	remember(r, id, str_from(own), doc, text.n);
	return 0;
}

int records_create(struct records *r, struct arena *a, struct str id, const json_t *doc)
{
	AUTO(json_text) own = json_deep_copy(doc);
	int rc = write_now(r, a, id, own, S("If-None-Match"), STR_NONE);

	return rc == -ESTALE ? -EEXIST : rc;
}

/* ---- changes ---- */

waits static int turn_take(struct records *r, struct str id, struct turn **ret)
{
	struct turn *t = map_get(r->turns, id);

	if (!t) {
		t = xcalloc(1, sizeof *t);
		task_sem_init(&t->sem, 1);
		map_put(r->turns, id, t);
	}
	t->users++;
	int rc = task_sem_take(&t->sem, 0);

	if (rc < 0 && --t->users == 0)
		free(map_remove(r->turns, id));
	*ret = t;
	return rc;
}

static void turn_give(struct records *r, struct str id, struct turn *t)
{
	task_sem_give(&t->sem);
	if (--t->users == 0)
		free(map_remove(r->turns, id));
}

waits static int change_once(struct records *r, struct arena *a, struct str id, record_change *fn,
			     void *arg, json_t **ret_doc)
{
	struct store_features can = { .if_match = false };
	AUTO(json_text) doc = NULL;
	struct str etag = STR_NONE;
	int rc = store_features(r->store, &can);

	if (rc == 0)
		rc = read_now(r, a, id, true, &doc, &etag);
	if (rc < 0)
		return rc;
	AUTO(json_text) next = json_deep_copy(doc);

	rc = fn(arg, next);
	if (rc <= 0) {
		if (rc == 0 && ret_doc)
			*ret_doc = TAKE(doc);
		return rc;
	}
	rc = write_now(r, a, id, next, can.if_match ? S("If-Match") : STR_NONE,
		       can.if_match ? etag : STR_NONE);
	if (rc == 0 && ret_doc)
		*ret_doc = TAKE(next);
	return rc;
}

int records_change(struct records *r, struct arena *a, struct str id, record_change *fn, void *arg,
		   json_t **ret_doc)
{
	struct turn *t;
	int rc = turn_take(r, id, &t);

	if (rc < 0)
		return rc;
	rc = -ESTALE;
	for (int i = 0; i < ATTEMPTS && rc == -ESTALE; i++) {
		unsigned char dice;

		rc = change_once(r, a, id, fn, arg, ret_doc);
		if (rc != -ESTALE)
			break;
		random_bytes(&dice, 1);
		if (task_sleep((uint64_t)(1 + dice % (8 << MIN(i, 5)))) < 0)
			rc = -ECANCELED;
	}
	turn_give(r, id, t);
	return rc;
}

/* Not while a change is under way, which would write the record anew where nothing but its ETag
 * could tell. */
int records_remove(struct records *r, struct arena *a, struct str id)
{
	struct turn *t;
	int rc = turn_take(r, id, &t);

	if (rc < 0)
		return rc;
	rc = store_delete(r->store, a, r->container, id);
	if (rc == 0)
		forget(r, id);
	turn_give(r, id, t);
	return rc;
}

/* ---- listing ---- */

struct fetch {
	struct records *r;
	struct record_list *list;
	size_t next;
	int rc;
};

/* Reads the records that are not remembered as the listing has them. */
waits static void fetch_some(void *arg)
{
	struct fetch *f = arg;

	while (f->rc == 0 && f->next < f->list->n) {
		struct record *rec = &f->list->v[f->next++];
		json_t *doc = NULL;

		if (rec->doc)
			continue;
		AUTO(arena) a = arena_new();
		int rc = records_get(f->r, a, rec->id, &doc);

		/* Removed since it was listed, or not readable (which was logged): left out. */
		if (rc < 0 && rc != -ENOENT && rc != -EIO)
			f->rc = rc;
		rec->doc = doc;
	}
}

waits static int fetch_missing(struct records *r, struct record_list *list)
{
	struct fetch f = { .r = r, .list = list };
	size_t missing = 0;

	for (size_t i = 0; i < list->n; i++)
		missing += list->v[i].doc == NULL;
	if (missing == 0)
		return 0;
	TASK_GROUP(g);
	for (size_t i = 0; i < MIN(missing, (size_t)READERS); i++)
		task_spawn(&g, "records", fetch_some, &f);
	int rc = task_group_join(&g);

	return rc < 0 ? rc : f.rc;
}

static void add_rows(struct records *r, struct arena *a, const json_t *rows,
		     struct record_list *list)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row) {
		struct str id = json_str(row, "name");
		const struct cached *c = map_get(r->cache, id);
		bool current = c && str_eq(str_from(c->etag), json_str(row, "hash"));

		if (id.n)
			list->v[list->n++] = (struct record){
				.id = arena_str(a, id),
				.doc = current ? json_incref(c->doc) : NULL,
			};
	}
}

int records_list_prefix(struct records *r, struct arena *a, struct str prefix,
			struct record_list *ret)
{
	CLEANUP(record_list_done) struct record_list list = { .n = 0 };
	struct str marker = S("");
	struct store_features can;
	size_t before;
	int rc = store_features(r->store, &can);

	if (rc < 0)
		return rc;
	do {
		AUTO(json_text) rows = NULL;

		rc = store_list(r->store, a, r->container, prefix, marker, &rows);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		before = list.n;
		if (list.n + json_array_size(rows) > RECORDS_MAX)
			return -EFBIG;
		list.v = xreallocarray(list.v, list.n + json_array_size(rows) + 1, sizeof *list.v);
		add_rows(r, a, rows, &list);
		if (list.n > before)
			marker = list.v[list.n - 1].id;
	} while (list.n > before && list.n >= before + can.listing_max);
	rc = fetch_missing(r, &list);
	if (rc < 0)
		return rc;
	size_t kept = 0;

	for (size_t i = 0; i < list.n; i++)
		if (list.v[i].doc)
			list.v[kept++] = list.v[i];
	list.n = kept;
	*ret = list;
	list = (struct record_list){ .n = 0 };
	return 0;
}

int records_list(struct records *r, struct arena *a, struct record_list *ret)
{
	return records_list_prefix(r, a, S(""), ret);
}

void record_list_done(struct record_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		json_decref(l->v[i].doc);
	free(l->v);
	*l = (struct record_list){ .n = 0 };
}
