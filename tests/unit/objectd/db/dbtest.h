/* For tests of the databases: a store in a folder of its own, random numbers that can be
 * repeated. The functions run in a task, so failures abort (lib/base/assert.h). */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "objectd/db/internal.h"
#include "tests/unit/lib/http/wire.h"

#include <ftw.h>
#include <unistd.h>

struct rig {
	char path[64];
	struct store *store;
	struct dbs *dbs;
};

waits __attribute__((unused)) static void rig_start(struct rig *r)
{
	struct store_options o = { .path = r->path };
	struct fault why = { 0 };
	int rc = store_open(&o, &r->store, &why);

	if (rc < 0)
		fprintf(stderr, "store_open: %s\n", why.text);
	assert(rc == 0);
	rc = dbs_open(r->store, &r->dbs);
	assert(rc == 0);
}

waits __attribute__((unused)) static void rig_open(struct rig *r)
{
	*r = (struct rig){ .path = "/tmp/needletail-db-XXXXXX" };
	char *made = mkdtemp(r->path);

	assert(made);
	rig_start(r);
}

waits __attribute__((unused)) static void rig_stop(struct rig *r)
{
	dbs_close(r->dbs);
	store_close(r->store);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *where)
{
	(void)st;
	(void)flag;
	(void)where;
	return remove(path);
}

waits __attribute__((unused)) static void rig_close(struct rig *r)
{
	rig_stop(r);
	int rc = nftw(r->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

	assert(rc == 0);
}

/* xorshift: the same numbers in every run. */
__attribute__((unused)) static uint64_t dice(uint64_t *state, uint64_t sides)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % sides;
}

__attribute__((unused)) static struct db_id test_id(enum db_kind kind, unsigned n)
{
	struct db_id id = { .kind = kind };

	memset(id.hash, (int)n, sizeof id.hash);
	return id;
}

__attribute__((unused)) static struct timestamp ts_at(uint64_t t)
{
	return (struct timestamp){ .t = 170000000000000ULL + t };
}

struct test_create {
	struct timestamp ts;
	unsigned policy;
};

static int apply_test_create(struct db_batch *b, struct db_change *c)
{
	const struct test_create *t = c->arg;
	struct db_info *info = db_batch_info(b);

	if (!info->exists)
		db_info_create(info, S("a"), info->kind == DB_CONTAINER ? S("c") : S(""), t->ts,
			       t->policy);
	else if (timestamp_cmp(t->ts, info->put_ts) > 0)
		info->put_ts = t->ts;
	db_batch_touch(b);
	return 0;
}

waits __attribute__((unused)) static void create_db(struct dbs *dbs, const struct db_id *id,
						    struct timestamp ts)
{
	struct test_create t = { .ts = ts };
	struct db_change c = { .apply = apply_test_create, .arg = &t };
	int rc = db_change(dbs, id, &c);

	assert(rc == 0);
}

/* An encoded row, in a buffer that the caller frees. */
__attribute__((unused)) static struct buf row_of(struct row r)
{
	struct buf b = BUF(ROW_VALUE_MAX);

	if (!timestamp_is_set(r.ctype_ts))
		r.ctype_ts = r.data_ts;
	if (!timestamp_is_set(r.meta_ts))
		r.meta_ts = r.ctype_ts;
	if (!r.content_type.p)
		r.content_type = S("text/plain");
	row_normalise(&r);
	row_encode(&b, &r);
	return b;
}

waits __attribute__((unused)) static int put_value(struct dbs *dbs, const struct db_id *id,
						   struct str name, struct str value)
{
	struct db_item item = { name, value };
	struct db_change c = { .items = &item, .item_n = 1 };

	return db_change(dbs, id, &c);
}

waits __attribute__((unused)) static void put_row(struct dbs *dbs, const struct db_id *id,
						  struct str name, struct row r)
{
	CLEANUP(buf_done) struct buf value = row_of(r);
	int rc = put_value(dbs, id, name, buf_str(&value));

	assert(rc == 0);
}
