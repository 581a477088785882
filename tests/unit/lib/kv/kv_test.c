/* LevelDB through our calls: reads, batches, iterators, and that a flush really is one. */
#include "lib/kv/kv.h"
#include "lib/disk/file.h"

#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct kv *kv;

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static struct kv *open_at(const char *path)
{
	struct kv_options o = { .write_buffer = MIB, .block_cache = MIB };
	struct kv *ret = NULL;
	struct fault why;

	if (kv_open(path, &o, &ret, &why) < 0)
		fail_msg("%s", why.text);
	return ret;
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/needletail-kv-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	char path[128];
	snprintf(path, sizeof path, "%s/db", dir);
	kv = open_at(path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kv_close(kv);
	return nftw(dir, rm_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *key, const char *value)
{
	struct kv_batch *b = kv_batch_new();

	kv_batch_put(b, str_from(key), str_from(value));
	assert_int_equal(kv_write(kv, b, false), 0);
	kv_batch_free(b);
}

static void get_and_batch(void **state)
{
	CLEANUP(buf_done) struct buf v = BUF(100);
	struct kv_batch *b = kv_batch_new();

	(void)state;
	assert_int_equal(kv_get(kv, S("a"), &v), -ENOENT);
	kv_batch_put(b, S("a"), S("1"));
	kv_batch_put(b, S("b"), S(""));
	kv_batch_delete(b, S("a"));
	kv_batch_put(b, S("a"), S("2"));
	assert_int_equal(kv_write(kv, b, true), 0);
	assert_int_equal(kv_get(kv, S("a"), &v), 0);
	assert_string_equal(v.p, "2");
	assert_int_equal(kv_get(kv, S("b"), &v), 0);
	assert_int_equal(v.n, 0);
	kv_batch_clear(b);
	kv_batch_delete(b, S("a"));
	assert_int_equal(kv_write(kv, b, false), 0);
	assert_int_equal(kv_get(kv, S("a"), &v), -ENOENT);
	kv_batch_free(b);
}

static void iterate(void **state)
{
	(void)state;
	put("b", "2");
	put("d", "4");
	put("f", "6");
	struct kv_iter *it = kv_iter_new(kv);
	kv_iter_seek(it, S("c"));
	assert_true(kv_iter_valid(it) && str_eq(kv_iter_key(it), S("d")) &&
		    str_eq(kv_iter_value(it), S("4")));
	kv_iter_next(it);
	kv_iter_next(it);
	assert_false(kv_iter_valid(it));
	kv_iter_seek_before(it, S("d"));
	assert_true(str_eq(kv_iter_key(it), S("b")));
	kv_iter_seek_before(it, S("z"));
	assert_true(str_eq(kv_iter_key(it), S("f")));
	kv_iter_prev(it);
	assert_true(str_eq(kv_iter_key(it), S("d")));
	kv_iter_seek_before(it, S("b"));
	assert_false(kv_iter_valid(it));
	assert_int_equal(kv_iter_error(it), 0);
	kv_iter_free(it);
}

static _Atomic bool stop;
static _Atomic unsigned written;

static void *write_on(void *arg)
{
	struct kv_batch *b = kv_batch_new();
	char key[32], value[100];

	memset(value, 'v', sizeof value);
	for (unsigned i = 0; !stop; i++) {
		snprintf(key, sizeof key, "round %d, key %u", *(int *)arg, i);
		kv_batch_clear(b);
		kv_batch_put(b, str_from(key), str_of(value, sizeof value));
		assert_int_equal(kv_write(kv, b, false), 0);
		written = i + 1;
	}
	kv_batch_free(b);
	return NULL;
}

static void *make_noise(void *arg)
{
	struct kv_batch *b = kv_batch_new();

	kv_batch_put(b, S("noise"), S("noise"));
	while (!stop)
		assert_int_equal(kv_write(kv, b, false), 0);
	kv_batch_free(b);
	return arg;
}

/* Copies all but the logs: what would be left, at worst, after the power failed. */
static void copy_tables(const char *to)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * MIB);
	char from[128], path[512];

	snprintf(from, sizeof from, "%s/db", dir);
	assert_int_equal(dir_make(to), 0);
	DIR *d = opendir(from);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.' || str_ends(str_from(e->d_name), S(".log")))
			continue;
		snprintf(path, sizeof path, "%s/%s", from, e->d_name);
		buf_clear(&b);
		if (file_read_all(path, &b) < 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", to, e->d_name);
		int fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_int_equal(file_write_at(fd, b.p, b.n, 0), 0);
		close(fd);
	}
	closedir(d);
}

/* Also while others write: the force is lost when it gets into their group. */
static void flush_is_durable(void **state)
{
	CLEANUP(buf_done) struct buf v = BUF(200);
	char path[128], key[32];
	pthread_t thread, noise[4];

	(void)state;
	for (int round = 0; round < 40; round++) {
		stop = false;
		written = 0;
		assert_int_equal(pthread_create(&thread, NULL, write_on, &round), 0);
		for (unsigned i = 0; i < ARRAY_LEN(noise); i++)
			assert_int_equal(pthread_create(&noise[i], NULL, make_noise, NULL), 0);
		while (written < 50 + 20 * (unsigned)round)
			usleep(100);
		unsigned before = written;
		assert_int_equal(kv_flush(kv), 0);
		stop = true;
		pthread_join(thread, NULL);
		for (unsigned i = 0; i < ARRAY_LEN(noise); i++)
			pthread_join(noise[i], NULL);
		snprintf(path, sizeof path, "%s/copy %d", dir, round);
		copy_tables(path);
		struct kv *copy = open_at(path);
		snprintf(key, sizeof key, "round %d, key %u", round, before - 1);
		if (kv_get(copy, str_from(key), &v) < 0)
			fail_msg("%s is not there", key);
		kv_close(copy);
	}
}

static void destroy(void **state)
{
	char path[128];
	struct fault why;

	(void)state;
	put("a", "1");
	kv_close(kv);
	snprintf(path, sizeof path, "%s/db", dir);
	assert_int_equal(kv_destroy(path, &why), 0);
	kv = open_at(path);
	CLEANUP(buf_done) struct buf v = BUF(100);
	assert_int_equal(kv_get(kv, S("a"), &v), -ENOENT);
}

static void locked(void **state)
{
	char path[128];
	struct kv_options o = { 0 };
	struct fault why;
	struct kv *second;

	(void)state;
	snprintf(path, sizeof path, "%s/db", dir);
	assert_int_equal(kv_open(path, &o, &second, &why), -EIO);
	assert_non_null(strstr(why.text, path));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(get_and_batch), T(iterate), T(flush_is_durable), T(destroy), T(locked),
	};

	return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
