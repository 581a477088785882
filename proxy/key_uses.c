/* Uses of temporary-URL keys: a hash table in memory that the workers share. Accounts are only ever
 * added; one is claimed by setting its hash, and is believed when its name is there as well. */
#include "proxy/key_uses.h"

#include <stdatomic.h>
#include <sys/mman.h>

enum { NAME_MAX_BYTES = 256, RESULTS = 3, PROBES = 32, SLOTS = 1 << 11 };

_Static_assert((int)KEY_USES_ACCOUNTS < (int)SLOTS, "a search ends at a free slot");

struct account {
	_Atomic unsigned size;          /* of the name; 0 until it is there */
	char name[NAME_MAX_BYTES];
	_Atomic uint64_t count[KEY_USES][KEY_SCOPES][KEY_NUMBERS][RESULTS];
};

struct table {
	_Atomic uint64_t hash[SLOTS];   /* 0: free */
	_Atomic unsigned index[SLOTS];  /* into account, of slots with a hash */
	_Atomic unsigned used;
	struct account account[KEY_USES_ACCOUNTS + 1];  /* the first: all others */
};

static struct table *table;

void key_uses_share(void)
{
	if (table)
		return;
	void *p = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		unreachable("no memory for a shared table");
	table = p;
}

/* FNV-1a, never 0. */
static uint64_t hash_of(struct str s)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < s.n; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
	return hash ? hash : 1;
}

/* The slot is ours: gives it an account, or the one of all others when none is left. */
static struct account *take(size_t slot, struct str name)
{
	unsigned at = atomic_fetch_add(&table->used, 1) + 1;

	if (at > KEY_USES_ACCOUNTS) {
		atomic_fetch_sub(&table->used, 1);
		return &table->account[0];
	}
	struct account *a = &table->account[at];

	memcpy(a->name, name.p, name.n);
	atomic_store(&table->index[slot], at);
	atomic_store(&a->size, (unsigned)name.n);
	return a;
}

/* Two that come at once, or a worker that died on the way, cost no more than that a request is
 * counted among the others. */
static struct account *find(struct str name)
{
	uint64_t hash = hash_of(name);

	if (!name.n || name.n > NAME_MAX_BYTES)
		return &table->account[0];
	for (size_t i = 0; i < PROBES; i++) {
		size_t slot = (hash + i) % SLOTS;
		uint64_t there = atomic_load(&table->hash[slot]);

		if (!there && atomic_load(&table->used) >= KEY_USES_ACCOUNTS)
			break;
		if (!there && atomic_compare_exchange_strong(&table->hash[slot], &there, hash))
			return take(slot, name);
		struct account *a = &table->account[atomic_load(&table->index[slot])];
		unsigned size = atomic_load(&a->size);

		if (there == hash && (!size || str_eq(str_of(a->name, size), name)))
			return a;
	}
	return &table->account[0];
}

void key_uses_count(enum key_use use, struct str account, struct key_used key, int status)
{
	unsigned result = status < 400 ? 0 : status < 500 ? 1 : 2;

	assert(use < KEY_USES && key.scope < KEY_SCOPES);
	assert(key.number >= 1 && key.number <= KEY_NUMBERS);
	if (!table)
		return;
	struct account *a = find(account);

	atomic_fetch_add_explicit(&a->count[use][key.scope][key.number - 1][result], 1,
				  memory_order_relaxed);
}

/* ---- the page ---- */

static void add_name(struct buf *to, const struct account *a)
{
	unsigned size = atomic_load(&a->size);

	for (unsigned i = 0; i < size; i++) {
		char c = a->name[i];

		if (c == '\\' || c == '"')
			buf_add_char(to, '\\');
		if (c == '\n')
			buf_add_lit(to, "\\n");
		else
			buf_add_char(to, c);
	}
}

static void add_account(struct buf *to, const char *metric, enum key_use use, struct account *a)
{
	static const char *const scopes[] = { "account", "container" };
	static const char *const results[] = { "ok", "client_error", "server_error" };

	for (unsigned s = 0; s < KEY_SCOPES; s++)
		for (unsigned k = 0; k < KEY_NUMBERS; k++)
			for (unsigned r = 0; r < RESULTS; r++) {
				uint64_t n = atomic_load_explicit(&a->count[use][s][k][r],
								  memory_order_relaxed);

				if (n == 0)
					continue;
				buf_addf(to, "%s{account=\"", metric);
				add_name(to, a);
				buf_addf(to, "\",scope=\"%s\",key=\"%u\",result=\"%s\"} %" PRIu64
					 "\n", scopes[s], k + 1, results[r], n);
			}
}

void key_uses_format(struct buf *to)
{
	static const struct {
		const char *name, *help;
	} metrics[] = {
		[KEY_USE_TEMPURL] = { "needletail_tempurl_requests_total",
				      "Requests by temporary URLs with a good signature, by key." },
		[KEY_USE_FORMPOST] = { "needletail_formpost_files_total",
				       "Files of forms with a good signature, by key." },
	};

	if (!table)
		return;
	unsigned used = MIN(atomic_load(&table->used), (unsigned)KEY_USES_ACCOUNTS);

	for (unsigned use = 0; use < KEY_USES; use++) {
		buf_addf(to, "# HELP %s %s\n# TYPE %s counter\n", metrics[use].name,
			 metrics[use].help, metrics[use].name);
		for (unsigned i = 0; i <= used; i++)
			add_account(to, metrics[use].name, use, &table->account[i]);
	}
}
