/* After the worst: a journal cut or garbled at any place, flipped bits, a lost index, a
 * full disk. */
#include "tests/unit/objectd/store/fixture.h"
#include "tests/unit/objectd/store/dump.h"
#include "objectd/store/internal.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { OBJECTS = 24 };

static void copy_file(const char *from, const char *to)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * MIB);
	int fd = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_read_all(from, &b), 0);
	assert_int_equal(file_write_at(fd, b.p, b.n, 0), 0);
	close(fd);
}

/* Copies a directory of files. */
static void copy_dir(const char *from, const char *to)
{
	char a[600], b[600];
	DIR *d = opendir(from);

	assert_non_null(d);
	assert_int_equal(dir_make(to), 0);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		copy_file(a, b);
	}
	closedir(d);
}

static const char *sub(const char *name)
{
	static char path[4][400];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, 400, "%s/%s", fixture_dir, name);
	return p;
}

static size_t size_of(unsigned i)
{
	return i % 5 == 4 ? 70000 : 100 + i * 37;
}

/* Writes the first half, puts a checkpoint, keeps a copy of the index as it is then, writes the
 * rest, and dies. Every operation is a batch of its own. */
task_asserted static void write_and_die(void *arg)
{
	struct store *s = fixture_open();

	(void)arg;
	for (unsigned i = 0; i < OBJECTS; i++) {
		if (i == OBJECTS / 2) {
			if (store_checkpoint(s) < 0)
				_exit(1);
			copy_dir(sub("index"), sub("index.then"));
		}
		AUTO(arena) a = arena_new();
		struct store_txn *t = store_txn_new(a);
		char key[32], value[32];

		snprintf(key, sizeof key, "rcount");
		snprintf(value, sizeof value, "%u", i + 1);
		store_txn_put(t, str_from(key), str_from(value));
		if (fixture_put_rows(s, i, 1, size_of(i), t) < 0)
			_exit(1);
	}
	_exit(0);
}

/* A process of its own, from the beginning: LevelDB's thread does not survive a fork. */
static void run_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "recovery_test", fixture_dir, NULL);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static struct location places[OBJECTS];

task_asserted static void note_places(void *arg)
{
	CLEANUP(buf_done) struct buf scratch = BUF(KIB);
	struct store *s = fixture_open();

	(void)arg;
	for (unsigned i = 0; i < OBJECTS; i++) {
		struct object_id id = fixture_id(i);
		struct index_entry e;

		assert_int_equal(index_get(s, &scratch, &id, &e), 0);
		places[i] = e.data;
	}
	store_close(s);
}

/* What every trial begins with. */
static void keep_image(void)
{
	run_child();
	copy_file(fixture_volume(1), sub("image"));
	fixture_run_in_task(note_places, NULL);
}

static void restore_image(bool with_index)
{
	copy_file(sub("image"), fixture_volume(1));
	fixture_rm(sub("index"));
	if (with_index)
		copy_dir(sub("index.then"), sub("index"));
}

static unsigned expected, damaged_one;

/* The objects before expected are there, the others not (but for one that is damaged); the count
 * fits. */
task_asserted static void check_prefix(void *arg)
{
	CLEANUP(buf_done) struct buf v = BUF(KIB);
	char want[32];
	struct store *s = fixture_open();

	(void)arg;
	for (unsigned i = 0; i < OBJECTS; i++) {
		int rc = fixture_check(s, i, 1, size_of(i));

		if (i == damaged_one ? rc != -ENOENT && rc != -EIO
				     : rc != (i < expected ? 0 : -ENOENT))
			fail_msg("object %u of %u: %d", i, expected, rc);
	}
	snprintf(want, sizeof want, "%u", expected);
	assert_int_equal(store_get(s, S("rcount"), &v), expected ? 0 : -ENOENT);
	if (expected)
		assert_string_equal(v.p, want);
	/* And life goes on. */
	assert_int_equal(fixture_put(s, 1000, 1, 5000), 0);
	store_close(s);
	s = fixture_open();
	assert_int_equal(fixture_check(s, 1000, 1, 5000), 0);
	if (expected)
		assert_int_equal(fixture_check(s, 0, 1, size_of(0)), 0);
	store_close(s);
}

static unsigned whole_before(uint64_t at)
{
	unsigned n = 0;

	while (n < OBJECTS && places[n].at + places[n].len <= at)
		n++;
	return n;
}

static void cut_somewhere(void **state)
{
	const struct location *last = &places[OBJECTS - 1], *first = &places[OBJECTS / 2];

	(void)state;
	keep_image();
	damaged_one = UINT_MAX;
	for (int index = 0; index < 2; index++) {
		for (uint64_t at = first->at; at <= last->at + last->len;
		     at += at < first->at + 80 ? 8 : 9001) {
			restore_image(index);
			assert_int_equal(truncate(fixture_volume(1), (off_t)at), 0);
			expected = whole_before(at);
			fixture_run_in_task(check_prefix, NULL);
		}
	}
}

static void garble(uint64_t at, size_t n)
{
	char bytes[64];
	int fd = open(fixture_volume(1), O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(file_read_at(fd, bytes, n, at), 0);
	for (size_t i = 0; i < n; i++)
		bytes[i] ^= 0x55;
	assert_int_equal(file_write_at(fd, bytes, n, at), 0);
	close(fd);
}

/* The last batch was never answered, as far as anybody can tell: it goes as a whole. */
static void last_batch_garbled(void **state)
{
	const struct location *last = &places[OBJECTS - 1];

	(void)state;
	keep_image();
	damaged_one = UINT_MAX;
	for (int index = 0; index < 2; index++) {
		for (uint64_t at = last->at; at + 8 <= last->at + last->len;
		     at += at < last->at + 80 ? 8 : at < last->at + 300 ? 56 : 1000) {
			restore_image(index);
			garble(at, MIN((size_t)8, (size_t)(last->at + size_of(OBJECTS - 1) - at)));
			expected = OBJECTS - 1;
			fixture_run_in_task(check_prefix, NULL);
		}
	}
}

/* What has a later batch behind it was on disk: it is damaged, and not the end. */
static void middle_garbled(void **state)
{
	(void)state;
	keep_image();
	expected = OBJECTS;
	for (int index = 0; index < 2; index++) {
		for (unsigned i = OBJECTS / 2 - 2; i < OBJECTS - 1; i++) {
			for (uint64_t at = places[i].at; at < places[i].at + 90; at += 40) {
				restore_image(index);
				garble(at, 8);
				damaged_one = i;
				fixture_run_in_task(check_prefix, NULL);
			}
		}
	}
}

/* Behind the end may stand anything, if only it is not of this journal. */
static void garbage_behind(void **state)
{
	CLEANUP(buf_done) struct buf all = BUF(64 * MIB);
	const struct location *last = &places[OBJECTS - 1];
	uint64_t end;

	(void)state;
	keep_image();
	damaged_one = UINT_MAX;
	expected = OBJECTS;
	end = last->at + last->len;
	for (int kind = 0; kind < 3; kind++) {
		restore_image(true);
		buf_clear(&all);
		assert_int_equal(file_read_all(fixture_volume(1), &all), 0);
		int fd = open(fixture_volume(1), O_RDWR);
		/* A copy of valid records at another place, text, and the beginning of a record. */
		if (kind == 0)
			assert_int_equal(
				file_write_at(fd, all.p + VOLUME_HEADER, end - VOLUME_HEADER, end),
				0);
		else if (kind == 1)
			assert_int_equal(
				file_write_at(fd, "some text that is no record", 27, end + 4096),
				0);
		else
			assert_int_equal(file_write_at(fd, all.p + last->at, 40, end), 0);
		close(fd);
		fixture_run_in_task(check_prefix, NULL);
	}
}

/* ---- an index from nothing ---- */

STORE_TEST(rebuilt_index_is_the_same)
{
	CLEANUP(buf_done) struct buf before = BUF(16 * MIB), after = BUF(16 * MIB);
	static const struct store_options o = { .volume_max = 512 * KIB, .packed_max = 64 * KIB };
	struct store *s = fixture_open_with(o);
	struct store_stats one, two;

	for (unsigned i = 0; i < 400; i++) {
		AUTO(arena) a = arena_new();
		struct store_txn *t = store_txn_new(a);
		unsigned n = i * 7 % 100;
		char key[32];

		snprintf(key, sizeof key, "r%u", i % 50);
		store_txn_put(t, str_from(key), str_from(key));
		snprintf(key, sizeof key, "r%u", i * 3 % 50);
		store_txn_delete(t, str_from(key));
		if (i % 11 == 0)
			assert_int_equal(fixture_delete(s, n, i + 1), 0);
		else if (i % 7 == 0)
			tolerate(fixture_post(s, n, i + 1));
		else
			assert_int_equal(fixture_put_rows(s, n, i + 1, i % 20 ? 3000 : 100000, t),
					 0);
		if (i == 200)
			assert_int_equal(store_tidy(s, 1000000000), 0);
	}
	dump_all(s, &before);
	store_stats(s, &one);
	store_close(s);
	for (int how = 0; how < 3; how++) {
		if (how == 1)
			fixture_rm(sub("index"));
		if (how == 2) {
			fixture_rm(sub("index/CURRENT"));
			close(open(sub("index/CURRENT"), O_CREAT | O_WRONLY, 0600));
		}
		s = fixture_open_with((struct store_options){ .volume_max = 512 * KIB,
							      .repair_index = how == 0 });
		buf_clear(&after);
		dump_all(s, &after);
		store_stats(s, &two);
		assert_true(str_eq(buf_str(&before), buf_str(&after)));
		assert_int_equal(one.objects, two.objects);
		assert_int_equal(one.tombstones, two.tombstones);
		assert_int_equal(one.bytes, two.bytes);
		assert_true(two.replayed_records > 100);
		store_close(s);
	}
}

/* ---- bits that flip ---- */

static void flip(const char *path, uint64_t at)
{
	unsigned char c;
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(file_read_at(fd, &c, 1, at), 0);
	c ^= 4;
	assert_int_equal(file_write_at(fd, &c, 1, at), 0);
	close(fd);
}

/* Flips a bit of object n: of its head, at its end (data or CRCs), or of its POST. */
waits static void flip_in(struct store *s, unsigned n, int where)
{
	CLEANUP(buf_done) struct buf scratch = BUF(KIB);
	struct object_id id = fixture_id(n);
	struct index_entry e;
	char path[PATH_SIZE];

	assert_int_equal(index_get(s, &scratch, &id, &e), 0);
	volume_path(s, e.data.volume, path);
	if (where == 0)
		flip(path, e.data.at + 20);
	if (where == 1 && !e.large)
		flip(path, e.data.at + e.data.len - 9);
	if (where == 2)
		flip(path, e.meta.at + 70);
	large_path(s, e.large, path);
	if (where == 1 && e.large)
		flip(path, e.e.size - 1);
	if (where == 3 && e.large)
		flip(path, large_crcs_at(e.e.size));
}

STORE_TEST(flipped_bits)
{
	static const size_t sizes[] = { 100, 30000, 200000, 2000000 };
	struct store *s = fixture_open();
	struct store_stats st;
	unsigned quarantined = 0;

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		for (int where = 0; where < 4; where++) {
			uint64_t version = 10 * (uint64_t)where + 1;
			bool large = sizes[i] > 1000000;

			if (where == 3 && !large)
				continue;
			assert_int_equal(fixture_put(s, i, version, sizes[i]), 0);
			if (where == 2)
				assert_int_equal(fixture_post(s, i, version + 1), 0);
			assert_int_equal(fixture_check(s, i, version, sizes[i]), 0);
			flip_in(s, i, where);
			assert_int_equal(fixture_check(s, i, version, sizes[i]), -EIO);
			assert_int_equal(fixture_check(s, i, version, sizes[i]), -ENOENT);
			store_stats(s, &st);
			assert_int_equal(st.quarantined, ++quarantined);
			/* Another replica brings the same version back. */
			assert_int_equal(fixture_put(s, i, version, sizes[i]), 0);
			assert_int_equal(fixture_check(s, i, version, sizes[i]), 0);
		}
	}
	store_close(s);
	s = fixture_open_with((struct store_options){ .repair_index = true });
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		assert_int_equal(fixture_check(s, i, sizes[i] > 1000000 ? 31 : 21, sizes[i]), 0);
	store_close(s);
}

STORE_TEST(auditor_finds)
{
	struct store *s = fixture_open_with((struct store_options){ .volume_max = MIB });
	struct store_audit a = { 0 };
	int rc;

	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(fixture_put(s, i, 1, i % 100 == 50 ? 300000 : 6000), 0);
	while ((rc = store_audit_step(s, &a, 0)) == 1)
		;
	assert_int_equal(rc, 0);
	assert_int_equal(a.damaged, 0);
	assert_int_equal(a.records, 300);
	flip_in(s, 7, 0);
	flip_in(s, 8, 0);
	flip_in(s, 20, 1);
	flip_in(s, 50, 1);
	flip_in(s, 150, 3);
	flip_in(s, 299, 1);
	a = (struct store_audit){ 0 };
	while ((rc = store_audit_step(s, &a, 0)) == 1)
		;
	assert_int_equal(rc, 0);
	assert_int_equal(a.damaged, 6);
	for (unsigned i = 0; i < 300; i++) {
		bool bad = i == 7 || i == 8 || i == 20 || i == 50 || i == 150 || i == 299;

		assert_int_equal(fixture_check(s, i, 1, i % 100 == 50 ? 300000 : 6000),
				 bad ? -ENOENT : 0);
	}
	a = (struct store_audit){ 0 };
	while ((rc = store_audit_step(s, &a, 0)) == 1)
		;
	assert_int_equal(a.damaged, 0);
	store_close(s);
}

/* ---- a full disk ---- */

task_asserted static void fill_up(void *arg)
{
	struct store *s = fixture_open_with((struct store_options){ .volume_max = 8 * MIB });
	struct rlimit limit = { 3 * MIB, RLIM_INFINITY };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	unsigned n = 0;
	int rc;

	(void)arg;
	assert_int_equal(sigaction(SIGXFSZ, &ignore, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while ((rc = fixture_put(s, n, 1, 4096)) == 0)
		n++;
	assert_int_equal(rc, -ENOSPC);
	assert_true(n > 500);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fixture_check(s, i, 1, 4096), 0);
	assert_int_equal(fixture_put(s, 5000, 1, 4000000), -ENOSPC);
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = n; i < n + 100; i++)
		assert_int_equal(fixture_put(s, i, 1, 4096), 0);
	store_close(s);
	s = fixture_open_with((struct store_options){ .repair_index = true });
	for (unsigned i = 0; i < n + 100; i++)
		assert_int_equal(fixture_check(s, i, 1, 4096), 0);
	store_close(s);
}

static void full_disk(void **state)
{
	fixture_run_in_task(fill_up, state);
}

/* After a failed write nobody knows what the disk has: no more writing until it is opened anew. */
STORE_TEST(failed_write)
{
	struct store *s = fixture_open();
	int fd = open("/dev/null", O_RDONLY), saved;

	assert_int_equal(fixture_put(s, 1, 1, 4096), 0);
	saved = dup(s->fd);
	assert_true(saved >= 0 && dup2(fd, s->fd) >= 0);
	assert_int_equal(fixture_put(s, 2, 1, 4096), -EIO);
	assert_int_equal(fixture_put(s, 3, 1, 4096), -EROFS);
	assert_int_equal(fixture_delete(s, 1, 2), -EROFS);
	assert_int_equal(fixture_post(s, 1, 2), -EROFS);
	assert_int_equal(store_tidy(s, 0), -EROFS);
	assert_int_equal(store_checkpoint(s), -EROFS);
	assert_int_equal(fixture_check(s, 1, 1, 4096), 0);
	assert_int_equal(fixture_check(s, 2, 1, 4096), -ENOENT);
	close(fd);
	close(saved);
	store_close(s);
	s = fixture_open();
	assert_int_equal(fixture_check(s, 1, 1, 4096), 0);
	assert_int_equal(fixture_put(s, 3, 1, 4096), 0);
	assert_int_equal(fixture_check(s, 3, 1, 4096), 0);
	store_close(s);
}

STORE_TEST(volume_header_damaged)
{
	struct store *s = fixture_open_with((struct store_options){ .volume_max = MIB });
	struct store_stats st;

	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(fixture_put(s, i, 1, 5000), 0);
	store_close(s);
	flip(fixture_volume(1), 3);
	flip(fixture_volume(2), 21);
	s = fixture_open_with((struct store_options){ .volume_max = MIB });
	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(fixture_check(s, i, 1, 5000), 0);
	store_stats(s, &st);
	assert_int_equal(st.quarantined, 0);
	store_close(s);
	/* Without LevelDB nobody knows the salt: the volume is set aside, the rest is there. */
	flip(fixture_volume(1), 3);
	fixture_rm(sub("index"));
	s = fixture_open_with((struct store_options){ .volume_max = MIB });
	store_stats(s, &st);
	assert_int_equal(st.quarantined, 1);
	assert_true(st.objects > 150 && st.objects < 400);
	assert_int_equal(fixture_check(s, 399, 1, 5000), 0);
	assert_int_equal(fixture_check(s, 0, 1, 5000), -ENOENT);
	store_close(s);
}

STORE_TEST(reserve)
{
	struct store *s = fixture_open_with((struct store_options){ .reserve = UINT64_MAX / 2 });
	struct store_writer *w;

	assert_int_equal(store_writer_open(s, 100, &w), -ENOSPC);
	store_close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_make, fixture_remove)

int main(int argc, char **argv)
{
	if (argc == 2) {
		snprintf(fixture_dir, sizeof fixture_dir, "%s", argv[1]);
		fixture_run_in_task(write_and_die, NULL);
	}
	const struct CMUnitTest tests[] = {
		T(cut_somewhere),
		T(last_batch_garbled),
		T(middle_garbled),
		T(garbage_behind),
		T(rebuilt_index_is_the_same),
		T(flipped_bits),
		T(auditor_finds),
		T(full_disk),
		T(failed_write),
		T(volume_header_damaged),
		T(reserve),
	};

	return cmocka_run_group_tests_name("store: recovery", tests, NULL, NULL);
}
