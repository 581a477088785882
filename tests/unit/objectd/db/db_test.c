/* Databases on a real store: shared commits, counters, replicas that converge, forgetting,
 * reclaiming, reports, restarts. */
#include "tests/unit/objectd/db/dbtest.h"
#include "tests/unit/cmocka.h"

static uint64_t seed = 88172645463325252ULL;

waits static struct db_info *info_of(struct dbs *dbs, const struct db_id *id)
{
	struct db_info *info = NULL;
	int rc = db_info_get(dbs, id, &info);

	assert(rc == 0);
	return info;
}

waits static void expect_verified(struct dbs *dbs, const struct db_id *id)
{
	int rc = db_verify(dbs, id);

	assert(rc == 0);
}

/* ---- many writers, few commits ---- */

struct writer {
	struct rig *rig;
	struct db_id id;
	unsigned n;
};

waits static void write_some(void *arg)
{
	struct writer *w = arg;

	for (unsigned i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof name, "object-%u-%u", w->n, i);
		put_row(w->rig->dbs, &w->id, str_from(name),
			(struct row){ .data_ts = ts_at(i), .size = 10 });
	}
}

waits static void shares_commits(void)
{
	struct rig r;
	struct writer w[32];

	rig_open(&r);
	struct db_id id = test_id(DB_CONTAINER, 1);

	create_db(r.dbs, &id, ts_at(0));
	{
		TASK_GROUP(g);

		for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
			w[i] = (struct writer){ &r, id, i };
			task_spawn(&g, "writer", write_some, &w[i]);
		}
		int rc = task_group_join(&g);

		assert(rc == 0);
	}
	struct dbs_stats stats;

	dbs_stats(r.dbs, &stats);
	assert(stats.changes == 32 * 20 + 1);
	assert(stats.commits <= 3 * 20 + 2);
	AUTO(db_info) info = info_of(r.dbs, &id);

	assert(db_info_objects(info) == 640 && db_info_bytes(info) == 6400);
	expect_verified(r.dbs, &id);
	rig_close(&r);
}

/* ---- changes of a missing or refused kind ---- */

static int apply_refusal(struct db_batch *b, struct db_change *c)
{
	(void)b;
	(void)c;
	return -EEXIST;
}

waits static void refuses_alone(void)
{
	struct rig r;
	CLEANUP(buf_done) struct buf v = row_of((struct row){ .data_ts = ts_at(1) });
	struct db_item item = { S("x"), buf_str(&v) };
	struct db_change refused = { .apply = apply_refusal },
			 good = { .items = &item, .item_n = 1 };

	rig_open(&r);
	struct db_id id = test_id(DB_CONTAINER, 1);
	int rc = put_value(r.dbs, &id, S("x"), buf_str(&v));

	assert(rc == -ENOENT);
	create_db(r.dbs, &id, ts_at(0));
	db_change_start(r.dbs, &id, &refused);
	db_change_start(r.dbs, &id, &good);
	rc = db_change_end(&refused);
	assert(rc == -EEXIST);
	rc = db_change_end(&good);
	assert(rc == 0);
	AUTO(db_info) info = info_of(r.dbs, &id);

	assert(db_info_objects(info) == 1);
	rig_close(&r);
}

/* ---- replicas converge, whatever the order ---- */

enum { REPLICAS = 3, OPERATIONS = 160, NAMES = 12 };

struct operation {
	char name[16];
	struct buf value;
};

static void random_operation(enum db_kind kind, struct operation *op)
{
	snprintf(op->name, sizeof op->name, "n%u", (unsigned)dice(&seed, NAMES));
	op->value = BUF(KIB);
	if (kind == DB_ACCOUNT) {
		struct account_row r = { .put_ts = ts_at(dice(&seed, 9)),
					 .delete_ts = ts_at(dice(&seed, 9)),
					 .stats_ts = ts_at(dice(&seed, 9)),
					 .objects = dice(&seed, 2),
					 .bytes = dice(&seed, 100),
					 .policy = (unsigned)dice(&seed, 2) };

		account_row_encode(&op->value, &r);
		return;
	}
	op->value = row_of((struct row){ .data_ts = ts_at(dice(&seed, 20)),
					 .deleted = dice(&seed, 3) == 0,
					 .meta_ts = ts_at(dice(&seed, 20)),
					 .size = dice(&seed, 100),
					 .ctype_ts = ts_at(dice(&seed, 20)),
					 .policy = (unsigned)(dice(&seed, 8) == 0),
					 .content_type = dice(&seed, 2) ? S("a/b") : S("c/d"),
					 .etag.text = S("e") });
}

/* Everything that one replica has goes to another, in small pieces. */
waits static void replicate(struct dbs *from, struct dbs *to, const struct db_id *id)
{
	CLEANUP(buf_done) struct buf bytes = BUF(16 * MIB), last = BUF(KIB);
	int rc = db_export_info(from, id, &bytes), more = 1;

	assert(rc == 0);
	for (struct str after = STR_NONE; more; after = buf_str(&last)) {
		more = db_export_rows(from, id, after, 200, &bytes, &last);
		assert(more >= 0);
		rc = db_import(to, id, buf_str(&bytes), (struct timestamp){ .t = 0 });
		assert(rc == 0);
		buf_clear(&bytes);
	}
}

/* Each operation reaches a random non-empty set of replicas at a random moment; and now and then
 * one replica tells another. */
waits static void scatter(struct rig *r, const struct db_id *id, struct operation *ops)
{
	unsigned order[OPERATIONS * REPLICAS], n = 0;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		unsigned who = 1 + (unsigned)dice(&seed, 7);

		for (unsigned k = 0; k < REPLICAS; k++)
			if (who & 1u << k)
				order[n++] = i * REPLICAS + k;
	}
	for (unsigned i = n; i > 1; i--) {
		unsigned j = (unsigned)dice(&seed, i), swap = order[j];

		order[j] = order[i - 1];
		order[i - 1] = swap;
	}
	for (unsigned i = 0; i < n; i++) {
		struct operation *op = &ops[order[i] / REPLICAS];
		int rc = put_value(r[order[i] % REPLICAS].dbs, id, str_from(op->name),
				   buf_str(&op->value));

		assert(rc == 0);
		if (dice(&seed, 40) == 0) {
			unsigned from = (unsigned)dice(&seed, REPLICAS);

			replicate(r[from].dbs, r[(from + 1) % REPLICAS].dbs, id);
		}
	}
}

waits static void expect_equal(struct rig *r, const struct db_id *id)
{
	unsigned char first[DB_DIGEST_SIZE], other[DB_DIGEST_SIZE];

	for (unsigned k = 0; k < REPLICAS; k++) {
		AUTO(db_info) info = info_of(r[k].dbs, id);

		db_info_digest(info, k ? other : first);
		assert(k == 0 || memcmp(first, other, sizeof first) == 0);
		expect_verified(r[k].dbs, id);
	}
}

waits static void converge_once(struct rig *r, const struct db_id *id)
{
	static struct operation ops[OPERATIONS];

	for (unsigned k = 0; k < REPLICAS; k++)
		create_db(r[k].dbs, id, ts_at(k));
	for (unsigned i = 0; i < OPERATIONS; i++)
		random_operation(id->kind, &ops[i]);
	scatter(r, id, ops);
	for (unsigned k = 0; k < REPLICAS; k++)
		expect_verified(r[k].dbs, id);
	for (unsigned k = 0; k < 2 * REPLICAS; k++)
		replicate(r[k % REPLICAS].dbs, r[(k + 1) % REPLICAS].dbs, id);
	expect_equal(r, id);
	/* The truth is the merge of all operations, in any order: here in the given one. */
	for (unsigned i = 0; i < OPERATIONS; i++) {
		int rc = put_value(r[0].dbs, id, str_from(ops[i].name), buf_str(&ops[i].value));

		assert(rc == 0);
		buf_done(&ops[i].value);
	}
	expect_equal(r, id);
}

waits static void converges(void)
{
	struct rig r[REPLICAS];

	for (unsigned k = 0; k < REPLICAS; k++)
		rig_open(&r[k]);
	for (unsigned round = 0; round < 12; round++) {
		struct db_id id = test_id(round % 3 == 2 ? DB_ACCOUNT : DB_CONTAINER, round);

		converge_once(r, &id);
	}
	for (unsigned k = 0; k < REPLICAS; k++)
		rig_close(&r[k]);
}

/* ---- infos ---- */

struct edit {
	struct timestamp ts;
	bool delete;
	struct str meta, value;
};

static int apply_edit(struct db_batch *b, struct db_change *c)
{
	struct db_info *info = db_batch_info(b);
	const struct edit *e = c->arg;

	if (e->delete) {
		if (timestamp_cmp(e->ts, info->delete_ts) > 0)
			info->delete_ts = e->ts;
		db_info_clear_meta(info, e->ts);
	}
	if (e->meta.p)
		db_info_set_meta(info, e->meta, e->value, e->ts);
	db_batch_touch(b);
	return 0;
}

waits static void edit(struct dbs *dbs, const struct db_id *id, struct edit e)
{
	struct db_change c = { .apply = apply_edit, .arg = &e };
	int rc = db_change(dbs, id, &c);

	assert(rc == 0);
}

waits static void infos_converge(void)
{
	static const char *const names[] = { "x-container-meta-a", "x-container-meta-b" };
	static const char *const values[] = { "", "1", "2" };
	struct rig r[REPLICAS];

	for (unsigned k = 0; k < REPLICAS; k++)
		rig_open(&r[k]);
	for (unsigned round = 0; round < 30; round++) {
		struct db_id id = test_id(DB_CONTAINER, round);

		for (unsigned k = 0; k < REPLICAS; k++) {
			struct test_create t = { ts_at(dice(&seed, 3)), (unsigned)dice(&seed, 2) };
			struct db_change c = { .apply = apply_test_create, .arg = &t };
			int rc = db_change(r[k].dbs, &id, &c);

			assert(rc == 0);
			for (unsigned i = 0; i < 6; i++)
				edit(r[k].dbs, &id, (struct edit){
					.ts = ts_at(dice(&seed, 6)), .delete = dice(&seed, 6) == 0,
					.meta = str_from(names[dice(&seed, 2)]),
					.value = str_from(values[dice(&seed, 3)]) });
		}
		for (unsigned k = 0; k < 2 * REPLICAS; k++)
			replicate(r[k % REPLICAS].dbs, r[(k + 1) % REPLICAS].dbs, &id);
		expect_equal(r, &id);
	}
	for (unsigned k = 0; k < REPLICAS; k++)
		rig_close(&r[k]);
}

waits static void policy_of_the_older_container_stands(void)
{
	struct db_info *a = db_info_new(DB_CONTAINER), *b = db_info_new(DB_CONTAINER);

	db_info_create(a, S("a"), S("c"), ts_at(10), 1);
	db_info_create(b, S("a"), S("c"), ts_at(20), 0);
	AUTO(db_info) ab = db_info_copy(a), ba = db_info_copy(b);

	db_info_merge(ab, b);
	db_info_merge(ba, a);
	assert(ab->policy == 1 && ba->policy == 1);
	/* Unless the older one was deleted in between. */
	b->delete_ts = ts_at(15);
	AUTO(db_info) ab2 = db_info_copy(a), ba2 = db_info_copy(b);

	db_info_merge(ab2, b);
	db_info_merge(ba2, a);
	assert(ab2->policy == 0 && ba2->policy == 0);
	db_info_unref(a);
	db_info_unref(b);
}

/* ---- restarts ---- */

waits static void survives_restart(void)
{
	struct rig r;
	unsigned char before[DB_DIGEST_SIZE], after[DB_DIGEST_SIZE];

	rig_open(&r);
	struct db_id id = test_id(DB_CONTAINER, 7);

	create_db(r.dbs, &id, ts_at(0));
	for (unsigned i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof name, "%03u", i);
		put_row(r.dbs, &id, str_from(name),
			(struct row){ .data_ts = ts_at(i), .deleted = i % 3 == 0, .size = i });
	}
	edit(r.dbs, &id,
	     (struct edit){ .ts = ts_at(5), .meta = S("x-container-meta-k"), .value = S("v") });
	{
		AUTO(db_info) info = info_of(r.dbs, &id);

		db_info_digest(info, before);
	}
	rig_stop(&r);
	rig_start(&r);
	AUTO(db_info) info = info_of(r.dbs, &id);

	db_info_digest(info, after);
	assert(memcmp(before, after, sizeof before) == 0);
	assert(str_eq(db_info_meta(info, S("x-container-meta-k"))->value, S("v")));
	expect_verified(r.dbs, &id);
	struct dbs_stats stats;

	dbs_stats(r.dbs, &stats);
	assert(stats.unreported == 1);
	rig_close(&r);
}

/* ---- reports ---- */

waits static void remembers_reports(void)
{
	struct rig r;
	struct db_id id = test_id(DB_CONTAINER, 9), taken[4];

	rig_open(&r);
	create_db(r.dbs, &id, ts_at(0));
	assert(db_report_take(r.dbs, 60000, taken, 4) == 0);
	assert(db_report_take(r.dbs, 0, taken, 4) == 1);
	assert(memcmp(&taken[0], &id, sizeof id) == 0);
	assert(db_report_take(r.dbs, 0, taken, 4) == 0);
	/* It changes between the report and its record: it stays to be told. */
	AUTO(db_info) told = info_of(r.dbs, &id);

	put_row(r.dbs, &id, S("x"), (struct row){ .data_ts = ts_at(1), .size = 3 });
	int rc = db_report_done(r.dbs, &id, told);

	assert(rc == 0);
	assert(db_report_take(r.dbs, 0, taken, 4) == 1);
	AUTO(db_info) now = info_of(r.dbs, &id);

	assert(!db_report_is_known(r.dbs, &id, now));
	db_report_known(r.dbs, &id, now);
	assert(db_report_is_known(r.dbs, &id, now));
	rc = db_report_done(r.dbs, &id, now);
	assert(rc == 0);
	assert(db_report_take(r.dbs, 0, taken, 4) == 0);
	rig_stop(&r);
	rig_start(&r);
	assert(db_report_take(r.dbs, 0, taken, 4) == 0);
	rig_close(&r);
}

/* ---- the replicator's view ---- */

waits static void lists_partitions(void)
{
	struct rig r;
	struct db_listed listed[8];
	unsigned char from[DB_HASH_SIZE], last[DB_HASH_SIZE];

	rig_open(&r);
	for (unsigned i = 0; i < 6; i++) {
		struct db_id id = test_id(DB_CONTAINER, 40 * i);

		create_db(r.dbs, &id, ts_at(0));
		for (unsigned k = 0; k < i; k++)
			put_row(r.dbs, &id, str_of(&"abcdef"[k], 1),
				(struct row){ .data_ts = ts_at(1) });
	}
	db_partition_range(0, 0, from, last);
	int n = db_list(r.dbs, DB_CONTAINER, from, last, listed, 8);

	assert(n == 6 && listed[3].id.hash[0] == 120 && listed[3].rows == 3 && !listed[3].deleted);
	db_partition_range(2, 2, from, last);
	assert(from[0] == 0x80 && last[0] == 0xbf && last[4] == 0xff);
	n = db_list(r.dbs, DB_CONTAINER, from, last, listed, 8);
	assert(n == 1 && listed[0].id.hash[0] == 160);
	n = db_list(r.dbs, DB_ACCOUNT, from, last, listed, 8);
	assert(n == 0);
	db_partition_range(0, 0, from, last);
	n = db_list(r.dbs, DB_CONTAINER, from, last, listed, 2);
	assert(n == 2 && listed[1].id.hash[0] == 40);
	rig_close(&r);
}

waits static void digests_ranges(void)
{
	struct rig r;
	struct db_range all, part, rest;
	CLEANUP(buf_done) struct buf last = BUF(KIB);
	struct db_id id = test_id(DB_CONTAINER, 3);

	rig_open(&r);
	create_db(r.dbs, &id, ts_at(0));
	for (unsigned i = 0; i < 10; i++)
		put_row(r.dbs, &id, str_of(&"0123456789"[i], 1),
			(struct row){ .data_ts = ts_at(1), .deleted = i % 2 });
	AUTO(db_info) info = info_of(r.dbs, &id);
	int rc = db_digest_range(r.dbs, &id, STR_NONE, STR_NONE, 100, &all, &last);

	assert(rc == 0 && all.rows == 10 && memcmp(all.digest, info->digest, DB_DIGEST_SIZE) == 0);
	rc = db_digest_range(r.dbs, &id, STR_NONE, STR_NONE, 4, &part, &last);
	assert(rc == 1 && part.rows == 4 && str_eq(buf_str(&last), S("3")));
	rc = db_digest_range(r.dbs, &id, S("3"), S("9"), 100, &rest, &last);
	assert(rc == 0 && rest.rows == 6);
	for (unsigned i = 0; i < DB_DIGEST_SIZE; i++)
		assert((part.digest[i] ^ rest.digest[i]) == all.digest[i]);
	rig_close(&r);
}

waits static void forgets(void)
{
	struct rig r;
	struct db_id id = test_id(DB_CONTAINER, 3);
	unsigned char digest[DB_DIGEST_SIZE];

	rig_open(&r);
	int rc = db_forget(r.dbs, &id, digest);

	assert(rc == -ENOENT);
	create_db(r.dbs, &id, ts_at(0));
	for (unsigned i = 0; i < 2500; i++) {
		char name[16];

		snprintf(name, sizeof name, "%u", i);
		put_row(r.dbs, &id, str_from(name),
			(struct row){ .data_ts = ts_at(1), .deleted = i % 5 == 0 });
	}
	AUTO(db_info) info = info_of(r.dbs, &id);

	db_info_digest(info, digest);
	put_row(r.dbs, &id, S("new"), (struct row){ .data_ts = ts_at(2) });
	rc = db_forget(r.dbs, &id, digest);
	assert(rc == -EALREADY);
	AUTO(db_info) now = info_of(r.dbs, &id);

	db_info_digest(now, digest);
	rc = db_forget(r.dbs, &id, digest);
	assert(rc == 0);
	AUTO(db_info) gone = info_of(r.dbs, &id);

	assert(!gone->exists);
	/* Nothing is left behind: a new one counts right. */
	create_db(r.dbs, &id, ts_at(9));
	expect_verified(r.dbs, &id);
	rig_close(&r);
}

waits static void reclaims(void)
{
	struct rig r;
	struct db_id id = test_id(DB_CONTAINER, 3), dead = test_id(DB_CONTAINER, 4);
	struct db_reclaimed done;

	rig_open(&r);
	create_db(r.dbs, &id, ts_at(0));
	create_db(r.dbs, &dead, ts_at(0));
	for (unsigned i = 0; i < 3000; i++) {
		char name[16];

		snprintf(name, sizeof name, "%u", i);
		put_row(r.dbs, &id, str_from(name),
			(struct row){ .data_ts = ts_at(i), .deleted = i % 2 });
	}
	put_row(r.dbs, &dead, S("x"), (struct row){ .data_ts = ts_at(1), .deleted = true });
	edit(r.dbs, &dead, (struct edit){ .ts = ts_at(50), .delete = true });
	int rc = dbs_reclaim(r.dbs, ts_at(2000), &done);

	assert(rc == 0 && done.rows == 1001 && done.forgotten == 1);
	expect_verified(r.dbs, &id);
	AUTO(db_info) info = info_of(r.dbs, &id), gone = info_of(r.dbs, &dead);

	assert(db_info_objects(info) == 1500 && !gone->exists);
	/* What was reclaimed here does not come back from a replica that still has it. */
	CLEANUP(buf_done)
	struct buf v = row_of((struct row){ .data_ts = ts_at(1), .deleted = true });
	CLEANUP(buf_done) struct buf wire = BUF(KIB);

	buf_add_lit(&wire, "R\x01" "1");
	buf_add_char(&wire, (char)v.n);
	buf_add_str(&wire, buf_str(&v));
	rc = db_import(r.dbs, &id, buf_str(&wire), ts_at(2000));
	assert(rc == 0);
	AUTO(db_info) after = info_of(r.dbs, &id);

	assert(memcmp(info->digest, after->digest, DB_DIGEST_SIZE) == 0);
	rig_close(&r);
}

waits static void refuses_garbage(void)
{
	struct rig r;
	struct db_id id = test_id(DB_CONTAINER, 3);
	CLEANUP(buf_done) struct buf good = BUF(MIB), last = BUF(KIB);

	rig_open(&r);
	create_db(r.dbs, &id, ts_at(0));
	put_row(r.dbs, &id, S("name"), (struct row){ .data_ts = ts_at(1) });
	int rc = db_export_info(r.dbs, &id, &good);

	assert(rc == 0);
	rc = db_export_rows(r.dbs, &id, STR_NONE, MIB, &good, &last);
	assert(rc == 0);
	for (unsigned i = 0; i < 3000; i++) {
		CLEANUP(buf_done) struct buf bad = BUF(MIB);

		buf_add_str(&bad, buf_str(&good));
		for (unsigned k = 0; k < 3; k++)
			bad.p[dice(&seed, bad.n)] = (char)dice(&seed, 256);
		rc = db_import(r.dbs, &id, str_head(buf_str(&bad), 1 + dice(&seed, bad.n)),
			       ts_at(0));
		assert(rc == 0 || rc == -EBADMSG);
	}
	expect_verified(r.dbs, &id);
	rig_close(&r);
}

#define IN_TASK(name)                           \
	static void test_##name(void **state)   \
	{                                       \
		(void)state;                    \
		run_in_task(name);              \
	}
IN_TASK(shares_commits)
IN_TASK(refuses_alone)
IN_TASK(converges)
IN_TASK(infos_converge)
IN_TASK(policy_of_the_older_container_stands)
IN_TASK(survives_restart)
IN_TASK(remembers_reports)
IN_TASK(lists_partitions)
IN_TASK(digests_ranges)
IN_TASK(forgets)
IN_TASK(reclaims)
IN_TASK(refuses_garbage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_commits), cmocka_unit_test(test_refuses_alone),
		cmocka_unit_test(test_converges), cmocka_unit_test(test_infos_converge),
		cmocka_unit_test(test_policy_of_the_older_container_stands),
		cmocka_unit_test(test_survives_restart), cmocka_unit_test(test_remembers_reports),
		cmocka_unit_test(test_lists_partitions), cmocka_unit_test(test_digests_ranges),
		cmocka_unit_test(test_forgets), cmocka_unit_test(test_reclaims),
		cmocka_unit_test(test_refuses_garbage),
	};

	return cmocka_run_group_tests_name("objectd/db", tests, NULL, NULL);
}
