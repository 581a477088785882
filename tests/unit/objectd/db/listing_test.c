/* Listings against a model that is Swift's list_objects_iter, line by line, over a sorted array;
 * and the exact bytes of each format. */
#include "tests/unit/objectd/db/dbtest.h"
#include "tests/unit/cmocka.h"

enum { NAME_MAX_ = 8, ROWS_MAX_ = 400 };

static uint64_t seed = 1234567890123ULL;

/* ---- the model ---- */

struct model_row {
	char name[NAME_MAX_ + 1];
	size_t n;
};

static struct model_row rows[ROWS_MAX_];
static unsigned row_n;

static struct str name_of(const struct model_row *r)
{
	return str_of(r->name, r->n);
}

static int cmp_rows(const void *a, const void *b)
{
	return str_cmp(name_of(a), name_of(b));
}

/* name < end_prefix in Swift's words: it does not sort behind all names with the prefix. */
static bool below_prefix_end(struct str name, struct str prefix)
{
	return str_cmp(name, prefix) <= 0 || str_starts(name, prefix);
}

struct model {
	struct str marker, end_marker, prefix, delimiter, path, orig_marker;
	bool has_prefix, reverse, force_gte, include_end, allow_reserved;
	uint64_t limit, count;
	struct buf *out;
	struct buf keep_marker, keep_end;
};

static bool matches(const struct model *m, struct str name)
{
	if (m->end_marker.n && (!m->prefix.n || below_prefix_end(m->end_marker, m->prefix))) {
		int c = str_cmp(name, m->end_marker);

		if (c > 0 || (c == 0 && !m->include_end))
			return false;
	} else if (m->prefix.n && !below_prefix_end(name, m->prefix)) {
		return false;
	}
	if (m->force_gte) {
		if (str_cmp(name, m->marker) < 0)
			return false;
	} else if (m->marker.n && (!m->prefix.n || str_cmp(m->marker, m->prefix) >= 0)) {
		if (str_cmp(name, m->marker) <= 0)
			return false;
	} else if (m->prefix.n && str_cmp(name, m->prefix) < 0) {
		return false;
	}
	return m->allow_reserved || str_cmp(name, S("\x01")) >= 0;
}

static void emit(struct model *m, struct str name, bool subdir)
{
	if (m->count++)
		buf_add_lit(m->out, ", ");
	buf_addf(m->out, subdir ? "{\"subdir\": " : "{\"bytes\": 5, \"hash\": \"\", \"name\": ");
	json_escape(m->out, name);
	if (subdir)
		buf_add_lit(m->out, "}");
	else
		buf_add_lit(m->out, ", \"content_type\": \"text/plain\", \"last_modified\": "
				    "\"2023-11-14T22:13:20.000000\"}");
}

static void set_marker(struct model *m, struct str dir)
{
	buf_clear(&m->keep_marker);
	buf_add_str(&m->keep_marker, dir);
	m->keep_marker.p[m->keep_marker.n - 1]++;
	m->marker = buf_str(&m->keep_marker);
}

static void set_end(struct model *m, struct str name)
{
	buf_clear(&m->keep_end);
	buf_add_str(&m->keep_end, name);
	m->end_marker = buf_str(&m->keep_end);
}

/* One row of a query's result: whether the query is over and another one follows. Where Swift loses
 * objects in path= listings, this does not: docs/swift/listings.md. */
static bool model_visit(struct model *m, struct str name)
{
	ssize_t end = str_find(str_skip(name, m->prefix.n), m->delimiter);

	m->include_end = false;
	if (m->reverse) {
		set_end(m, name);
	} else {
		buf_clear(&m->keep_marker);
		buf_add_str(&m->keep_marker, name);
		m->marker = buf_str(&m->keep_marker);
	}
	if (end >= 0)
		end += (ssize_t)(m->prefix.n + m->delimiter.n);
	if (m->path.p) {
		if (str_eq(name, m->path))
			return false;
		if (end >= 0 && name.n > (size_t)end) {
			if (m->reverse) {
				set_end(m, str_head(name, (size_t)end));
				m->include_end = true;
			} else {
				set_marker(m, str_head(name, (size_t)end));
				m->force_gte = true;
			}
			return true;
		}
	} else if (end >= 0) {
		struct str dir = str_head(name, (size_t)end);

		if (m->reverse) {
			set_end(m, dir);
		} else {
			set_marker(m, dir);
			m->force_gte = true;
		}
		if (!str_eq(dir, m->orig_marker))
			emit(m, dir, true);
		return true;
	}
	emit(m, name, false);
	return false;
}

static void model_run(struct model *m)
{
	while (m->count < m->limit) {
		struct model now = *m;
		uint64_t left = m->limit - m->count;
		unsigned rowcount = 0;

		m->force_gte = false;
		for (unsigned i = 0; i < row_n && left; i++) {
			const struct model_row *r = &rows[m->reverse ? row_n - 1 - i : i];

			if (!matches(&now, name_of(r)))
				continue;
			left--;
			rowcount++;
			if (!m->has_prefix || !m->delimiter.n) {
				emit(m, name_of(r), false);
				continue;
			}
			if (m->count >= m->limit)
				return;
			/* The query keeps its own bounds while rows are taken from it. */
			struct buf marker = BUF(KIB), end = BUF(KIB);

			buf_add_str(&marker, now.marker);
			buf_add_str(&end, now.end_marker);
			now.marker = now.marker.p ? buf_str(&marker) : now.marker;
			now.end_marker = now.end_marker.p ? buf_str(&end) : now.end_marker;
			bool over = model_visit(m, name_of(r));

			buf_done(&marker);
			buf_done(&end);
			if (over)
				break;
			/* The rest of this query is what the next one would find. */
			now = *m;
			now.force_gte = false;
		}
		if (!m->has_prefix || !m->delimiter.n || !rowcount)
			return;
	}
}

static void model_list(const struct listing_query *q, struct buf *out)
{
	struct model m = { .marker = q->marker, .end_marker = q->end_marker, .prefix = q->prefix,
			   .delimiter = q->delimiter, .reverse = q->reverse, .limit = q->limit,
			   .allow_reserved = q->allow_reserved, .out = out, .keep_marker = BUF(KIB),
			   .keep_end = BUF(KIB), .path = STR_NONE };
	char path[64];

	if (q->reverse) {
		m.marker = q->end_marker;
		m.end_marker = q->marker;
	}
	if (q->path.p) {
		struct str p = q->path;

		while (str_ends(p, S("/")))
			p.n--;
		snprintf(path, sizeof path, "%.*s/", STR(p));
		m.path = q->path.n ? str_from(path) : S("");
		m.prefix = m.path;
		m.delimiter = S("/");
	}
	m.has_prefix = m.prefix.p || m.delimiter.n;
	m.orig_marker = m.marker;
	buf_add_lit(out, "[");
	model_run(&m);
	buf_add_lit(out, "]");
	buf_done(&m.keep_marker);
	buf_done(&m.keep_end);
}

/* ---- random names and queries ---- */

static struct str random_text(char room[64], unsigned most, bool may_be_absent)
{
	static const char *const pieces[] = { "a",	  "b",	"/",  "/",   "0",
					      "\xc3\xa9", "\"", "//", "\x01" };
	unsigned n = (unsigned)dice(&seed, most + 1);

	if (may_be_absent && dice(&seed, 2))
		return STR_NONE;
	room[0] = 0;
	for (unsigned i = 0; i < n; i++) {
		size_t at = strlen(room);

		snprintf(room + at, 64 - at, "%s", pieces[dice(&seed, ARRAY_LEN(pieces))]);
	}
	return str_from(room);
}

waits static void fill(struct dbs *dbs, const struct db_id *id)
{
	unsigned wanted = 1 + (unsigned)dice(&seed, ROWS_MAX_ - 1);

	row_n = 0;
	create_db(dbs, id, ts_at(0));
	for (unsigned i = 0; i < wanted; i++) {
		char room[64];
		struct str name = random_text(room, 4, false);
		struct model_row r = { .n = 0 };
		unsigned kind = (unsigned)dice(&seed, 10);

		if (kind == 0)
			r.name[r.n++] = 0;
		memcpy(r.name + r.n, name.p, MIN(name.n, (size_t)NAME_MAX_ - r.n));
		r.n += MIN(name.n, (size_t)NAME_MAX_ - r.n);
		if (!str_is_utf8(name_of(&r)) || r.n == 0 ||
		    bsearch(&r, rows, row_n, sizeof r, cmp_rows))
			continue;
		put_row(dbs, id, name_of(&r),
			(struct row){ .data_ts = ts_at(0 - (uint64_t)(kind == 1)), .size = 5,
				      .deleted = kind == 1, .policy = kind == 2 });
		/* Older deletions and rows of another policy are not seen. */
		if (kind == 1 || kind == 2)
			continue;
		rows[row_n++] = r;
		qsort(rows, row_n, sizeof rows[0], cmp_rows);
	}
}

struct random_query {
	struct listing_query q;
	char room[5][64];
};

static void random_query(struct random_query *r)
{
	static const char *const delimiters[] = { "/", "/", "/", "a", "//", "b/", "\xc3\xa9" };

	*r = (struct random_query){ .q = { .format = LISTING_JSON } };
	r->q.limit = dice(&seed, 3) ? LISTING_LIMIT : dice(&seed, 12);
	r->q.marker = random_text(r->room[0], 3, true);
	r->q.end_marker = random_text(r->room[1], 3, true);
	r->q.prefix = random_text(r->room[2], 2, true);
	r->q.delimiter = dice(&seed, 3) ? str_from(delimiters[dice(&seed, ARRAY_LEN(delimiters))])
					: STR_NONE;
	r->q.path = dice(&seed, 5) ? STR_NONE : random_text(r->room[3], 2, false);
	r->q.reverse = dice(&seed, 3) == 0;
	r->q.allow_reserved = dice(&seed, 3) == 0;
}

waits static void list_into(struct dbs *dbs, const struct db_id *id, const struct listing_query *q,
			    struct buf *ret)
{
	AUTO(arena) a = arena_new();
	struct body *body = NULL;
	int64_t length;
	int rc = db_list_rows(dbs, id, q, S("c&\"<"), a, &body, &length);

	assert(rc == 0);
	rc = body_read_all(body, ret);
	assert(rc == 0 && (int64_t)ret->n == length);
	body_close(body);
}

static void explain(const struct random_query *r, const struct buf *got, const struct buf *expected)
{
	fprintf(stderr, "limit %u marker '%.*s' end_marker '%.*s' prefix '%.*s' delimiter '%.*s' "
			"path %s'%.*s'%s%s\n got      %s\n expected %s\n", (unsigned)r->q.limit,
		STR(r->q.marker), STR(r->q.end_marker), STR(r->q.prefix), STR(r->q.delimiter),
		r->q.path.p ? "" : "none", STR(r->q.path), r->q.reverse ? " reverse" : "",
		r->q.allow_reserved ? " reserved" : "", got->p, expected->p);
}

waits static void lists_as_the_model(void)
{
	struct rig rig;

	rig_open(&rig);
	for (unsigned round = 0; round < 25; round++) {
		struct db_id id = test_id(DB_CONTAINER, round);

		fill(rig.dbs, &id);
		for (unsigned i = 0; i < 600; i++) {
			CLEANUP(buf_done) struct buf got = BUF(MIB), expected = BUF(MIB);
			struct random_query r;

			random_query(&r);
			list_into(rig.dbs, &id, &r.q, &got);
			model_list(&r.q, &expected);
			if (!str_eq(buf_str(&got), buf_str(&expected)))
				explain(&r, &got, &expected);
			assert(str_eq(buf_str(&got), buf_str(&expected)));
		}
	}
	rig_close(&rig);
}

/* ---- exact bytes ---- */

waits static void expect_listing(struct rig *rig, const struct db_id *id, struct listing_query q,
				 const char *text)
{
	CLEANUP(buf_done) struct buf got = BUF(MIB);

	q.limit = q.limit ? q.limit : LISTING_LIMIT;
	list_into(rig->dbs, id, &q, &got);
	if (!str_eq(buf_str(&got), str_from(text)))
		fprintf(stderr, "got      %s\nexpected %s\n", got.p, text);
	assert(str_eq(buf_str(&got), str_from(text)));
}

waits static void prints_containers(void)
{
	struct rig rig;
	struct db_id id = test_id(DB_CONTAINER, 1);
	struct row_etag md5;

	row_etag_set(&md5, S("d41d8cd98f00b204e9800998ecf8427e"));
	rig_open(&rig);
	create_db(rig.dbs, &id, ts_at(0));
	expect_listing(&rig, &id, (struct listing_query){ .format = LISTING_JSON }, "[]");
	expect_listing(&rig, &id, (struct listing_query){ .format = LISTING_TEXT }, "");
	expect_listing(&rig, &id, (struct listing_query){ .format = LISTING_XML },
		       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container "
		       "name=\"c&amp;&quot;&lt;\" />");
	put_row(rig.dbs, &id, S("a\"\\\n\x7f\xc3\xa9\xf0\x9f\x98\x80<&'"),
		(struct row){ .data_ts = ts_at(12345),
			      .size = 3,
			      .etag = md5,
			      .swift_bytes = S("70000000000"),
			      .content_type = S("text/plain;charset=UTF-8") });
	put_row(rig.dbs, &id, S("b\n/x"),
		(struct row){ .data_ts = ts_at(1),
			      .etag.text = S("x\"y"),
			      .meta_ts = ts_at(200001),
			      .content_type = S("") });
	put_row(rig.dbs, &id, S("c"), (struct row){ .data_ts = ts_at(1), .deleted = true });
	expect_listing(
		&rig, &id, (struct listing_query){ .format = LISTING_JSON, .delimiter = S("/") },
		"[{\"bytes\": 70000000000, \"hash\": \"d41d8cd98f00b204e9800998ecf8427e\", "
		"\"name\": "
		"\"a\\\"\\\\\\n\\u007f\\u00e9\\ud83d\\ude00<&'\", \"content_type\": "
		"\"text/plain;charset=UTF-8\", \"last_modified\": \"2023-11-14T22:13:20.123450\"}, "
		"{\"subdir\": \"b\\n/\"}]");
	expect_listing(&rig, &id, (struct listing_query){ .format = LISTING_TEXT, .reverse = true },
		       "b\n/x\na\"\\\n\x7f\xc3\xa9\xf0\x9f\x98\x80<&'\n");
	expect_listing(
		&rig, &id, (struct listing_query){ .format = LISTING_XML },
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"c&amp;&quot;&lt;\">"
		"<object><name>a\"\\\n\x7f\xc3\xa9\xf0\x9f\x98\x80&lt;&amp;'</name>"
		"<hash>d41d8cd98f00b204e9800998ecf8427e</hash><bytes>70000000000</bytes>"
		"<content_type>text/plain;charset=UTF-8</content_type>"
		"<last_modified>2023-11-14T22:13:20.123450</last_modified></object>"
		"<object><name>b\n/x</name><hash>x\"y</hash><bytes>0</bytes><content_type />"
		"<last_modified>2023-11-14T22:13:22.000010</last_modified></object></container>");
	expect_listing(
		&rig, &id,
		(struct listing_query){
			.format = LISTING_XML, .delimiter = S("/"), .marker = S("b") },
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"c&amp;&quot;&lt;\">"
		"<subdir name=\"b&#10;/\"><name>b\n/</name></subdir></container>");
	expect_listing(&rig, &id, (struct listing_query){ .format = LISTING_RAW, .marker = S("b") },
		       "{\"name\": \"b\\n/x\", \"data_ts\": \"1700000000.00001\", \"ctype_ts\": "
		       "\"1700000000.00001\", \"meta_ts\": \"1700000002.00001\", \"deleted\": 0, "
		       "\"policy\": 0, "
		       "\"bytes\": 0, \"hash\": \"x\\\"y\", \"content_type\": \"\"}\n"
		       "{\"name\": \"c\", \"data_ts\": \"1700000000.00001\", \"ctype_ts\": "
		       "\"1700000000.00001\", \"meta_ts\": \"1700000000.00001\", \"deleted\": 1, "
		       "\"policy\": 0, "
		       "\"bytes\": 0, \"hash\": \"\", \"content_type\": \"text/plain\"}\n");
	rig_close(&rig);
}

waits static void put_account_row(struct rig *rig, const struct db_id *id, struct str name,
				  struct account_row r)
{
	CLEANUP(buf_done) struct buf b = BUF(KIB);

	account_row_encode(&b, &r);
	int rc = put_value(rig->dbs, id, name, buf_str(&b));

	assert(rc == 0);
}

waits static void prints_accounts(void)
{
	struct rig rig;
	struct db_id id = test_id(DB_ACCOUNT, 1);

	rig_open(&rig);
	create_db(rig.dbs, &id, ts_at(0));
	expect_listing(
		&rig, &id, (struct listing_query){ .format = LISTING_XML },
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account name=\"c&amp;&quot;&lt;\">\n"
		"</account>");
	put_account_row(&rig, &id, S("one"), (struct account_row){ .put_ts = ts_at(1), .objects = 2,
								   .bytes = 30 });
	put_account_row(&rig, &id, S("t/wo"), (struct account_row){ .put_ts = ts_at(1) });
	put_account_row(&rig, &id, S("x"), (struct account_row){ .put_ts = ts_at(1),
								 .delete_ts = ts_at(2) });
	expect_listing(&rig, &id,
		       (struct listing_query){ .format = LISTING_JSON, .delimiter = S("/") },
		       "[{\"name\": \"one\", \"count\": 2, \"bytes\": 30, \"last_modified\": "
		       "\"2023-11-14T22:13:20.000010\"}, {\"subdir\": \"t/\"}]");
	expect_listing(
		&rig, &id, (struct listing_query){ .format = LISTING_XML, .delimiter = S("/") },
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account name=\"c&amp;&quot;&lt;\">\n"
		"<container><name>one</name><count>2</count><bytes>30</bytes>"
		"<last_modified>2023-11-14T22:13:20.000010</last_modified></container>\n"
		"<subdir name=\"t/\" />\n</account>");
	expect_listing(&rig, &id, (struct listing_query){ .format = LISTING_TEXT }, "one\nt/wo\n");
	expect_listing(&rig, &id,
		       (struct listing_query){ .format = LISTING_RAW, .marker = S("t/wo") },
		       "{\"name\": \"x\", \"put_ts\": \"1700000000.00001\", \"delete_ts\": "
		       "\"1700000000.00002\", \"stats_ts\": \"0000000000.00000\", \"deleted\": 1, "
		       "\"policy\": 0, \"count\": 0, \"bytes\": 0}\n");
	rig_close(&rig);
}

/* ---- long listings come in pieces ---- */

waits static void streams_long_listings(void)
{
	struct rig rig;
	struct db_id id = test_id(DB_CONTAINER, 1);
	CLEANUP(buf_done) struct buf got = BUF(64 * MIB), again = BUF(64 * MIB);
	static char name[1025];

	rig_open(&rig);
	create_db(rig.dbs, &id, ts_at(0));
	for (unsigned i = 0; i < 1500; i++) {
		memset(name, '\x01', 1024);
		snprintf(name, 8, "%06u", i);
		name[6] = '/';
		put_row(rig.dbs, &id, str_of(name, 1024), (struct row){ .data_ts = ts_at(i) });
	}
	struct listing_query q = { .format = LISTING_JSON, .limit = LISTING_LIMIT };

	list_into(rig.dbs, &id, &q, &got);
	assert(got.n > 8 * MIB && got.p[0] == '[' && got.p[got.n - 1] == ']');
	q.reverse = true;
	list_into(rig.dbs, &id, &q, &again);
	assert(again.n == got.n);
	/* Whoever has enough closes early. */
	AUTO(arena) a = arena_new();
	struct body *body = NULL;
	struct str chunk;
	int64_t length;
	int rc = db_list_rows(rig.dbs, &id, &q, S("c"), a, &body, &length);

	assert(rc == 0 && length == (int64_t)got.n);
	rc = body_next(body, &chunk);
	assert(rc == 1 && chunk.n < MIB);
	body_close(body);
	rig_close(&rig);
}

/* ---- the cost does not depend on what is not listed ---- */

waits static void costs_what_it_lists(void)
{
	struct rig rig;
	struct db_id id = test_id(DB_CONTAINER, 1);
	struct db_item *items = xcalloc(1000, sizeof *items);
	CLEANUP(buf_done)
	struct buf dead = row_of((struct row){ .data_ts = ts_at(1), .deleted = true });
	CLEANUP(buf_done) struct buf live = row_of((struct row){ .data_ts = ts_at(1) });
	CLEANUP(buf_done) struct buf got = BUF(MIB);

	rig_open(&rig);
	create_db(rig.dbs, &id, ts_at(0));
	for (unsigned i = 0; i < 40; i++) {
		AUTO(arena) a = arena_new();
		struct db_change c = { .items = items, .item_n = 1000 };

		for (unsigned k = 0; k < 1000; k++)
			items[k] = (struct db_item){ arena_printf(a, "%02u/%04u", i, k),
						     buf_str(i % 2 ? &dead : &live) };
		int rc = db_change(rig.dbs, &id, &c);

		assert(rc == 0);
	}
	free(items);
	struct listing_query q = { .format = LISTING_TEXT,
				   .limit = LISTING_LIMIT,
				   .delimiter = S("/") };
	uint64_t begin = clock_mono_ns();

	for (unsigned i = 0; i < 100; i++) {
		buf_clear(&got);
		list_into(rig.dbs, &id, &q, &got);
	}
	uint64_t us = (clock_mono_ns() - begin) / 100 / 1000;

	assert(got.n == 20 * 4);
	/* 40,000 rows would take many milliseconds. */
	assert(us < 3000);
	rig_close(&rig);
}

#define IN_TASK(name)                           \
	static void test_##name(void **state)   \
	{                                       \
		(void)state;                    \
		run_in_task(name);              \
	}
IN_TASK(lists_as_the_model)
IN_TASK(prints_containers)
IN_TASK(prints_accounts)
IN_TASK(streams_long_listings)
IN_TASK(costs_what_it_lists)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prints_containers),
		cmocka_unit_test(test_prints_accounts),
		cmocka_unit_test(test_lists_as_the_model),
		cmocka_unit_test(test_streams_long_listings),
		cmocka_unit_test(test_costs_what_it_lists),
	};

	return cmocka_run_group_tests_name("objectd/db/listing", tests, NULL, NULL);
}
