/* Counts failed logins of this worker by address and name. */
#include "lib/base/base.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "proxy/identity/backoff.h"

enum { FREE_FAILURES = 10, FIRST_MS = 100, LONGEST_MS = 2000, QUEUE_MS = 5000,
       FORGET_MS = 60 * 1000, ENTRIES_MAX = 10000, KEY_MAX = 4 * KIB };

struct record {
	unsigned failures;
	uint64_t last_ms, next_ms;      /* of the last failure; when the next attempt may be */
};

static struct map *table;

static struct str key_of(struct buf *b, struct str address, struct str name)
{
	buf_add_str(b, address);
	buf_add_char(b, '|');
	buf_add_str(b, str_head(name, name.n < KIB ? name.n : KIB));
	return buf_str(b);
}

static uint64_t pause_ms(unsigned failures)
{
	uint64_t ms = FIRST_MS;

	for (unsigned i = FREE_FAILURES; i < failures && ms < LONGEST_MS; i++)
		ms *= 2;
	return ms < LONGEST_MS ? ms : LONGEST_MS;
}

int backoff_wait(struct str address, struct str name)
{
	CLEANUP(buf_done) struct buf b = BUF(KEY_MAX);
	struct str key = key_of(&b, address, name);
	struct record *r = table ? map_get(table, key) : NULL;
	uint64_t now = clock_mono_ms();

	if (r && now - r->last_ms > FORGET_MS) {
		free(map_remove(table, key));
		return 0;
	}
	if (!r || r->failures < FREE_FAILURES)
		return 0;
	uint64_t at = r->next_ms > now ? r->next_ms : now;

	if (at - now > QUEUE_MS)
		return -EBUSY;
	r->next_ms = at + pause_ms(r->failures);
	return at > now ? task_sleep(at - now) : 0;
}

void backoff_done(struct str address, struct str name, bool good)
{
	CLEANUP(buf_done) struct buf b = BUF(KEY_MAX);
	struct str key = key_of(&b, address, name);

	if (!table)
		table = map_new();
	struct record *r = map_get(table, key);

	if (good) {
		if (r)
			free(map_remove(table, key));
		return;
	}
	if (!r) {
		if (map_count(table) >= ENTRIES_MAX)
			free(map_evict(table));
		r = xcalloc(1, sizeof *r);
		map_put(table, key, r);
	}
	r->failures++;
	r->last_ms = clock_mono_ms();
}
