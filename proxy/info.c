/* What is known of accounts and containers: asked by HEAD, remembered per worker.
 *
 * A change made through one worker must be seen by its siblings at once (a client may set an ACL
 * here and try it there), so the workers share a table of counters: whoever changes something
 * counts up its slot, and an entry is only believed while its slot is as it was before the entry
 * was fetched. Swift keeps them in memcached: get_container_info and its kin in
 * proxy/controllers/base.py. */
#include "proxy/info.h"
#include "lib/base/clock.h"
#include "proxy/backend/backend.h"
#include "proxy/proxy_conf.h"

#include <sys/mman.h>

enum { SLOTS = 1 << 16 };

static uint32_t *changes;               /* SLOTS counters, shared by the workers */

struct entry {
	unsigned refs;
	uint32_t *slot, seen;           /* the counter, and what it was */
	uint64_t until_ms;
	struct str key;
	union {
		struct account_info account;
		struct container_info container;
	};
};

struct info_hold {
	struct info_hold *next;
	struct map *cache;              /* which kind */
	struct entry *entry;
};

void infos_share(void)
{
	if (changes)
		return;
	changes = mmap(NULL, SLOTS * sizeof *changes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (changes == MAP_FAILED)
		unreachable("no memory for a shared table");
}

static void entry_unref(void *p)
{
	struct entry *e = p;

	if (e && --e->refs == 0)
		free(e);
}

void infos_start(struct proxy *p)
{
	infos_share();
	p->account_infos = map_new();
	p->container_infos = map_new();
}

void infos_stop(struct proxy *p)
{
	map_free(p->account_infos, entry_unref);
	map_free(p->container_infos, entry_unref);
}

void infos_release(struct proxy_request *root)
{
	for (struct info_hold *h = root->infos; h; h = h->next)
		entry_unref(h->entry);
	root->infos = NULL;
}

/* FNV-1a; workers of one program only compare it with their own. */
static uint32_t *slot_of(struct str key)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < key.n; i++)
		hash = (hash ^ (unsigned char)key.p[i]) * 0x100000001b3ULL;
	return &changes[(hash ^ (hash >> 32)) % SLOTS];
}

static struct str key_of(struct arena *a, struct str account, struct str container)
{
	if (!container.p)
		return account;
	char *key = arena_alloc(a, account.n + 1 + container.n), *p = key;

	p = mempcpy(p, account.p, account.n);
	*p++ = '/';
	p = mempcpy(p, container.p, container.n);
	return str_of(key, (size_t)(p - key));
}

static void forget(struct map *cache, struct str key)
{
	__atomic_add_fetch(slot_of(key), 1, __ATOMIC_RELAXED);
	entry_unref(map_remove(cache, key));
}

void proxy_forget_account(struct proxy *p, struct str account)
{
	forget(p->account_infos, account);
}

void proxy_forget_container(struct proxy *p, struct str account, struct str container)
{
	AUTO(arena) a = arena_new();

	forget(p->container_infos, key_of(a, account, container));
}

/* ---- entries in one piece of memory ---- */

/* Copies strings behind one another; with at NULL it only counts. */
struct packer {
	char *at;
	size_t n;
};

static void *pack(struct packer *k, const void *p, size_t n)
{
	void *to = k->at;

	k->n += n;
	if (!k->at)
		return NULL;
	if (n)
		memcpy(k->at, p, n);
	k->at += n;
	return to;
}

static void pack_str(struct packer *k, struct str *s)
{
	if (s->p)
		s->p = pack(k, s->p, s->n);
}

static void pack_headers(struct packer *k, struct headers *h)
{
	struct header *v = h->v;

	for (unsigned i = 0; i < h->n; i++) {
		pack_str(k, &v[i].name);
		pack_str(k, &v[i].value);
	}
	h->arena = NULL;
	h->cap = h->n;
}

/* The arrays of two sets of headers, which are what needs alignment. */
static void pack_arrays(struct packer *k, struct headers *a, struct headers *b)
{
	a->v = pack(k, a->v, a->n * sizeof *a->v);
	b->v = pack(k, b->v, b->n * sizeof *b->v);
}

static size_t strings_size(const struct headers *h)
{
	size_t n = 0;

	for (unsigned i = 0; i < h->n; i++)
		n += sizeof h->v[i] + h->v[i].name.n + h->v[i].value.n;
	return n;
}

static struct entry *entry_of_account(const struct account_info *info, struct str key)
{
	size_t room = strings_size(&info->meta) + strings_size(&info->sysmeta) +
		      strings_size(&info->policies) + key.n;
	struct entry *e = xcalloc(1, sizeof *e + room);
	struct packer k = { .at = (char *)(e + 1) };

	e->account = *info;
	struct headers none = { 0 };

	pack_arrays(&k, &e->account.meta, &e->account.sysmeta);
	pack_arrays(&k, &e->account.policies, &none);
	pack_headers(&k, &e->account.meta);
	pack_headers(&k, &e->account.sysmeta);
	pack_headers(&k, &e->account.policies);
	e->key = key;
	pack_str(&k, &e->key);
	assert(k.n <= room);
	return e;
}

static struct entry *entry_of_container(const struct container_info *info, struct str key)
{
	size_t room = strings_size(&info->meta) + strings_size(&info->sysmeta) + key.n +
		      info->read_acl.n + info->write_acl.n + info->sync_key.n + info->versions.n +
		      info->cors_allow_origin.n + info->cors_expose_headers.n +
		      info->cors_max_age.n;
	struct entry *e = xcalloc(1, sizeof *e + room);
	struct packer k = { .at = (char *)(e + 1) };
	struct container_info *c = &e->container;

	*c = *info;
	pack_arrays(&k, &c->meta, &c->sysmeta);
	pack_headers(&k, &c->meta);
	pack_headers(&k, &c->sysmeta);
	pack_str(&k, &c->read_acl);
	pack_str(&k, &c->write_acl);
	pack_str(&k, &c->sync_key);
	pack_str(&k, &c->versions);
	pack_str(&k, &c->cors_allow_origin);
	pack_str(&k, &c->cors_expose_headers);
	pack_str(&k, &c->cors_max_age);
	e->key = key;
	pack_str(&k, &e->key);
	assert(k.n <= room);
	return e;
}

/* ---- looking up and remembering ---- */

static bool is_fresh(const struct entry *e)
{
	return clock_mono_ms() < e->until_ms &&
	       __atomic_load_n(e->slot, __ATOMIC_RELAXED) == e->seen;
}

static struct entry *hold(struct request *req, struct map *cache, struct entry *e)
{
	struct proxy_request *root = proxy_root(req);
	struct info_hold *h = arena_alloc(root->arena, sizeof *h);

	*h = (struct info_hold){ .next = root->infos, .cache = cache, .entry = e };
	root->infos = h;
	e->refs++;
	return e;
}

static struct entry *look_up(struct request *req, struct map *cache, struct str key)
{
	if (proxy_request(req)->infocache_fresh)
		return NULL;
	for (struct info_hold *h = proxy_root(req)->infos; h; h = h->next)
		if (h->cache == cache && str_eq(h->entry->key, key) &&
		    __atomic_load_n(h->entry->slot, __ATOMIC_RELAXED) == h->entry->seen)
			return h->entry;
	struct entry *e = map_get(cache, key);

	if (!e)
		return NULL;
	if (!is_fresh(e)) {
		entry_unref(map_remove(cache, key));
		return NULL;
	}
	return hold(req, cache, e);
}

static struct entry *remember(struct request *req, struct map *cache, struct entry *e,
			      uint32_t *slot, uint32_t seen, bool exists, uint64_t ttl_ms)
{
	e->slot = slot;
	e->seen = seen;
	e->until_ms = clock_mono_ms() + ttl_ms;
	hold(req, cache, e);
	if (exists && ttl_ms) {
		e->refs++;
		entry_unref(map_put(cache, e->key, e));
		while (map_count(cache) > proxy_request(req)->proxy->conf->info_cache_entries)
			entry_unref(map_evict(cache));
	}
	return e;
}

/* ---- from the headers of a HEAD ---- */

static struct str lower(struct arena *a, struct str s)
{
	struct str copy = arena_str(a, s);
	char *p = (char *)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] |= 32;
	return copy;
}

static uint64_t number_in(const struct headers *h, struct str name)
{
	uint64_t v = 0;

	if (str_to_u64(headers_get(h, name), &v) < 0)
		return 0;
	return v;
}

/* What follows the prefix goes to, with lower-case names. */
static void gather(struct headers *to, const struct headers *from, struct str prefix)
{
	for (unsigned i = 0; i < from->n; i++)
		if (str_istarts(from->v[i].name, prefix))
			headers_add_ref(to, lower(to->arena, str_skip(from->v[i].name, prefix.n)),
					from->v[i].value);
}

static int simple_status(int status)
{
	return status / 100 == 2 ? 200 : status == 404 || status == 410 ? status : 503;
}

static void account_from(struct arena *a, const struct response *res, struct account_info *info)
{
	const struct headers *h = &res->headers;

	info->status = simple_status(res->status);
	info->container_count = number_in(h, S("X-Account-Container-Count"));
	info->object_count = number_in(h, S("X-Account-Object-Count"));
	info->bytes_used = number_in(h, S("X-Account-Bytes-Used"));
	headers_init(&info->meta, a);
	headers_init(&info->sysmeta, a);
	headers_init(&info->policies, a);
	gather(&info->policies, h, S("X-Account-Storage-Policy-"));
	gather(&info->meta, h, S("X-Account-Meta-"));
	gather(&info->sysmeta, h, S("X-Account-Sysmeta-"));
}

static void container_from(struct arena *a, const struct response *res, struct container_info *info)
{
	const struct headers *h = &res->headers;

	info->status = simple_status(res->status);
	info->object_count = number_in(h, S("X-Container-Object-Count"));
	info->bytes_used = number_in(h, S("X-Container-Bytes-Used"));
	info->policy_index = (unsigned)number_in(h, S("X-Backend-Storage-Policy-Index"));
	info->read_acl = headers_get_lit(h, "X-Container-Read");
	info->write_acl = headers_get_lit(h, "X-Container-Write");
	info->sync_key = headers_get_lit(h, "X-Container-Sync-Key");
	info->versions = headers_get_lit(h, "X-Versions-Location");
	headers_init(&info->meta, a);
	headers_init(&info->sysmeta, a);
	gather(&info->meta, h, S("X-Container-Meta-"));
	gather(&info->sysmeta, h, S("X-Container-Sysmeta-"));
	info->cors_allow_origin = headers_get_lit(&info->meta, "access-control-allow-origin");
	info->cors_expose_headers = headers_get_lit(&info->meta, "access-control-expose-headers");
	info->cors_max_age = headers_get_lit(&info->meta, "access-control-max-age");
}

waits static void head(struct request *req, const struct target *t, struct response *res)
{
	struct headers h;

	headers_init(&h, req->arena);
	headers_add_ref(&h, S("X-Trans-Id"), req->trans_id);
	struct get g = { .target = t, .headers = &h, .head = true };

	if (backend_get(req, &g, res) < 0) {
		response_init(res, req->arena);
		res->status = 503;
	}
}

const struct account_info *proxy_account_info(struct request *req, struct str account)
{
	struct proxy *p = proxy_request(req)->proxy;
	struct entry *e = look_up(req, p->account_infos, account);
	struct account_info info = { 0 };
	struct response res;
	struct target t;

	if (e)
		return &e->account;
	uint32_t *slot = slot_of(account), seen = __atomic_load_n(slot, __ATOMIC_RELAXED);

	target_account(req, account, &t);
	head(req, &t, &res);
	account_from(req->arena, &res, &info);
	if (info.status == 404 &&
	    str_ieq(headers_get_lit(&res.headers, "X-Account-Status"), S("deleted")))
		info.status = 410;
	else if (info.status == 404 && p->conf->account_autocreate)
		info = (struct account_info){ .status = 200, .fake = true };
	return &remember(req, p->account_infos, entry_of_account(&info, account), slot, seen,
			 info.status == 200 && !info.fake, p->conf->recheck_account_existence)
			->account;
}

/* Accounts that begin with '.' belong to the cluster, and are there when they are needed. */
static bool is_hidden(struct str account)
{
	return account.n && account.p[0] == '.';
}

waits static void ask_container(struct request *req, struct str account, struct str container,
				struct container_info *info)
{
	struct response res;
	struct target t;

	if (!is_hidden(account)) {
		const struct account_info *ai = proxy_account_info(req, account);

		if (ai->status != 200 || ai->fake) {
			info->status = ai->status == 503 ? 503 : 404;
			return;
		}
	}
	target_container(req, account, container, &t);
	head(req, &t, &res);
	container_from(req->arena, &res, info);
}

const struct container_info *proxy_container_info(struct request *req, struct str account,
						  struct str container)
{
	struct proxy *p = proxy_request(req)->proxy;
	struct str key = key_of(req->arena, account, container);
	struct entry *e = look_up(req, p->container_infos, key);
	struct container_info info = { 0 };

	if (e)
		return &e->container;
	uint32_t *slot = slot_of(key), seen = __atomic_load_n(slot, __ATOMIC_RELAXED);

	ask_container(req, account, container, &info);
	return &remember(req, p->container_infos, entry_of_container(&info, key), slot, seen,
			 info.status == 200, p->conf->recheck_container_existence)->container;
}
