/* What the store's tests share: a directory of their own, a loop with one task, small objects. */
#pragma once
#include "lib/base/base.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "objectd/store/store.h"

#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char fixture_dir[256];

static inline int fixture_rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void fixture_rm(const char *path)
{
	(void)nftw(path, fixture_rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int fixture_make(void **state)
{
	const char *base = getenv("STORE_TEST_DIR");

	(void)state;
	snprintf(fixture_dir, sizeof fixture_dir, "%s/needletail-store-XXXXXX",
		 base ? base : "/tmp");
	return mkdtemp(fixture_dir) ? 0 : -1;
}

static inline int fixture_remove(void **state)
{
	(void)state;
	if (!getenv("STORE_TEST_KEEP"))
		fixture_rm(fixture_dir);
	return 0;
}

/* Runs fn in a task of a fresh loop, to its end. */
static inline void fixture_run_in_task(task_fn *fn, void *arg)
{
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	tasks_start(&loop);
	task_spawn(NULL, "test", fn, arg);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(tasks_live(), 0);
	tasks_stop();
	assert_int_equal(uv_loop_close(&loop), 0);
}

#define STORE_TEST(name)                                            \
	static void name##_task(void *arg);                         \
	static void name(void **state)                              \
	{                                                           \
		fixture_run_in_task(name##_task, state);            \
	}                                                           \
	task_asserted static void name##_task(void *arg __attribute__((unused)))

waits static inline struct store *fixture_open_with(struct store_options o)
{
	struct store *s = NULL;
	struct fault why = { "" };

	o.path = fixture_dir;
	int rc = store_open(&o, &s, &why);
	if (rc < 0)
		fail_msg("store_open: %d %s", rc, why.text);
	return s;
}

waits static inline struct store *fixture_open(void)
{
	return fixture_open_with((struct store_options){ 0 });
}

static inline struct object_id fixture_id(unsigned n)
{
	struct object_id id = { .policy = 0 };
	char name[32];

	snprintf(name, sizeof name, "object %u", n);
	digest_of(DIGEST_MD5, name, strlen(name), id.hash);
	return id;
}

static inline struct timestamp fixture_ts(uint64_t t)
{
	return (struct timestamp){ .t = 170000000000000 + t };
}

/* Bytes that tell objects, versions and places in them apart. */
static inline void fixture_fill(char *p, size_t n, uint64_t at, unsigned object, uint64_t version)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)((at + i) * 31 + ((at + i) >> 9) + object * 7 + version * 13);
}

waits static inline int fixture_put_rows(struct store *s, unsigned n, uint64_t version, size_t size,
					 struct store_txn *with)
{
	AUTO(arena) a = arena_new();
	struct store_writer *w = NULL;
	struct headers h;
	char name[32], *piece = arena_alloc(a, 100 * KIB);
	int rc = store_writer_open(s, (int64_t)size, &w);

	for (size_t at = 0; at < size && rc == 0; at += 100 * KIB) {
		size_t some = MIN(size - at, (size_t)100 * KIB);

		fixture_fill(piece, some, at, n, version);
		rc = store_writer_add(w, str_of(piece, some));
	}
	snprintf(name, sizeof name, "/a/c/object %u", n);
	headers_init(&h, a);
	headers_add(&h, S("Content-Type"), S("text/plain"));
	headers_add(&h, S("ETag"), S("d41d8cd98f00b204e9800998ecf8427e"));
	headers_addf(&h, S("X-Object-Meta-Version"), "%" PRIu64, version);
	struct store_put p = { .id = fixture_id(n),
			       .ts = fixture_ts(version),
			       .name = str_from(name),
			       .metadata = &h,
			       .with = with };
	if (rc == 0)
		rc = store_writer_commit(w, &p, NULL);
	store_writer_close(w);
	return rc;
}

waits static inline int fixture_put(struct store *s, unsigned n, uint64_t version, size_t size)
{
	return fixture_put_rows(s, n, version, size, NULL);
}

waits static inline int fixture_delete(struct store *s, unsigned n, uint64_t version)
{
	struct object_id id = fixture_id(n);
	char name[32];

	snprintf(name, sizeof name, "/a/c/object %u", n);
	return store_delete(s, &id, str_from(name), fixture_ts(version), NULL, NULL);
}

waits static inline int fixture_post(struct store *s, unsigned n, uint64_t version)
{
	AUTO(arena) a = arena_new();
	struct object_id id = fixture_id(n);
	struct headers h;

	headers_init(&h, a);
	headers_addf(&h, S("X-Object-Meta-Version"), "%" PRIu64, version);
	return store_post(s, &id, fixture_ts(version), &h, 0, NULL, NULL);
}

/* Reads first..last and checks that it is this version: 0 or an error. */
waits static inline int fixture_check_range(struct store *s, unsigned n, uint64_t version,
					    uint64_t first, uint64_t last)
{
	AUTO(arena) a = arena_new();
	struct object_id id = fixture_id(n);
	AUTO(store_object) o = NULL;
	struct str chunk;
	int rc = store_object_open(s, &id, a, &o);

	if (rc < 0)
		return rc;
	if (store_object_entry(o)->data_ts.t != fixture_ts(version).t)
		return -ESTALE;
	struct body *b = store_object_body(o, first, last);
	uint64_t at = first;
	while ((rc = body_next(b, &chunk)) > 0) {
		for (size_t i = 0; i < chunk.n; i++, at++) {
			char want;

			fixture_fill(&want, 1, at, n, version);
			if (want != chunk.p[i]) {
				body_close(b);
				return -EBADMSG;
			}
		}
	}
	body_close(b);
	return rc < 0 ? rc : at == last + 1 ? 0 : -ENODATA;
}

waits static inline int fixture_check(struct store *s, unsigned n, uint64_t version, size_t size)
{
	struct object_id id = fixture_id(n);
	struct object_entry e;
	int rc = store_lookup(s, &id, &e);

	if (rc < 0)
		return rc;
	if (e.size != size || e.state != OBJECT_DATA)
		return -ESTALE;
	return fixture_check_range(s, n, version, 0, size - 1);
}

/* The path of a volume. */
static inline const char *fixture_volume(unsigned id)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/volumes/%08x.vol", fixture_dir, id);
	return path;
}
