/* A process that writes from many tasks, with compaction and checkpoints beside them, is killed at
 * random moments, again and again: nothing that was acknowledged may be lost, nothing half done may
 * be seen. STORE_CRASH_ROUNDS sets how often (the default is for every day). */
#include "tests/unit/objectd/store/fixture.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { TASKS = 24, OBJECTS_EACH = 16, OBJECTS = TASKS * OBJECTS_EACH, ROUNDS = 25 };

/* What an object must look like. kind 0: never written, 1: data, 2: tombstone. */
struct state {
	uint64_t version, meta;
	uint32_t size;
	uint8_t kind;
};

/* In memory shared with the parent, so it outlives the process: what was acknowledged, and what was
 * being done. */
struct slot {
	struct state state[2];
	_Atomic uint8_t now; /* bit 0: which is acknowledged; bit 1: the other is under way */
};

struct log {
	_Atomic uint64_t clock;
	_Atomic uint64_t acked, opens;
	struct slot slots[OBJECTS];
};

static struct log *shared;
static bool stop_writing;

static unsigned rnd(unsigned n)
{
	static uint64_t x;

	if (!x)
		random_bytes(&x, sizeof x);
	x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(x >> 33) % n;
}

static uint32_t random_size(void)
{
	switch (rnd(20)) {
	case 0:
		return 70000 + rnd(100000);
	case 1:
		return 262145 + rnd(600000);
	default:
		return 1 + rnd(6000);
	}
}

waits static int row_of(struct store *s, unsigned n, uint64_t *ret)
{
	CLEANUP(buf_done) struct buf v = BUF(KIB);
	char key[32];

	snprintf(key, sizeof key, "robject %u", n);
	int rc = store_get(s, str_from(key), &v);
	*ret = 0;
	return rc < 0 ? rc : str_to_u64(buf_str(&v), ret);
}

static struct store_txn *row_txn(struct arena *a, unsigned n, uint64_t version)
{
	struct store_txn *t = store_txn_new(a);
	char key[32], value[32];

	snprintf(key, sizeof key, "robject %u", n);
	snprintf(value, sizeof value, "%" PRIu64, version);
	store_txn_put(t, str_from(key), str_from(value));
	return t;
}

/* What is in the store, as far as a state says. */
waits static bool is_state(struct store *s, unsigned n, const struct state *want)
{
	struct object_id id = fixture_id(n);
	struct object_entry e = { 0 };
	uint64_t row;
	int rc = store_lookup(s, &id, &e), rc2 = row_of(s, n, &row);

	if (want->kind == 0)
		return rc == -ENOENT && rc2 == -ENOENT;
	if (rc < 0 || rc2 < 0 || e.state != (want->kind == 1 ? OBJECT_DATA : OBJECT_TOMBSTONE) ||
	    e.data_ts.t != fixture_ts(want->version).t || row != want->version)
		return false;
	if (want->kind == 2)
		return true;
	if (e.meta_ts.t != fixture_ts(want->meta).t)
		return false;
	return fixture_check(s, n, want->version, want->size) == 0;
}

waits static void verify(struct store *s)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		struct slot *slot = &shared->slots[i];
		unsigned now = slot->now;

		if ((now & 2) && is_state(s, i, &slot->state[(now & 1) ^ 1])) {
			slot->now = (uint8_t)((now & 1) ^ 1);
			continue;
		}
		if (!is_state(s, i, &slot->state[now & 1])) {
			struct object_id id = fixture_id(i);
			struct object_entry e = { 0 };
			const struct state *w = &slot->state[now & 1],
					   *o = &slot->state[(now & 1) ^ 1];
			uint64_t row;
			int rc = store_lookup(s, &id, &e), rc2 = row_of(s, i, &row);

			fprintf(stderr,
				"object %u: lookup %d state %d version %" PRIu64 " meta %" PRIu64
				" size %" PRIu64 ", row %d %" PRIu64
				"; acknowledged kind %u version %" PRIu64 " meta %" PRIu64
				" size %u; under way %u: kind %u version %" PRIu64 " meta %" PRIu64
				"; read %d\n",
				i, rc, e.state, e.data_ts.t - fixture_ts(0).t,
				e.meta_ts.t - fixture_ts(0).t, e.size, rc2, row, w->kind,
				w->version, w->meta, w->size, now >> 1, o->kind, o->version,
				o->meta,
				w->kind == 1 ? fixture_check(s, i, w->version, w->size) : 0);
			_exit(3);
		}
		slot->now = (uint8_t)(now & 1);
	}
}

/* One random operation on an object that nobody else touches. */
waits static int change(struct store *s, unsigned n)
{
	AUTO(arena) a = arena_new();
	struct object_id id = fixture_id(n);
	struct slot *slot = &shared->slots[n];
	unsigned now = slot->now & 1;
	struct state *is = &slot->state[now], *next = &slot->state[now ^ 1];
	uint64_t version = ++shared->clock;
	unsigned what = rnd(10);
	int rc;

	*next = *is;
	if (what < 2 && is->kind == 1)
		next->meta = version;
	else if (what < 4)
		*next = (struct state){ .version = version, .meta = version, .kind = 2 };
	else
		*next = (struct state){
			.version = version, .meta = version, .kind = 1, .size = random_size()
		};
	slot->now = (uint8_t)(now | 2);
	if (what < 2 && is->kind == 1)
		rc = fixture_post(s, n, version);
	else if (what < 4)
		rc = store_delete(s, &id, S("/a/c/o"), fixture_ts(version), row_txn(a, n, version),
				  NULL);
	else
		rc = fixture_put_rows(s, n, version, next->size, row_txn(a, n, version));
	if (rc == 0) {
		slot->now = (uint8_t)(now ^ 1);
		shared->acked++;
	}
	return rc;
}

struct writer {
	struct store *s;
	unsigned first;
};

task_asserted static void write_on(void *arg)
{
	struct writer *w = arg;

	while (!stop_writing) {
		if (change(w->s, w->first + rnd(OBJECTS_EACH)) < 0)
			_exit(4);
		if (rnd(8) == 0 && fixture_put(w->s, OBJECTS + rnd(100), ++shared->clock, 100) < 0)
			_exit(5);
	}
}

task_asserted static void keep_house(void *arg)
{
	struct writer *w = arg;

	while (!stop_writing) {
		if (task_sleep(1 + rnd(30)) < 0)
			break;
		if (rnd(2) ? store_tidy(w->s, 1000000000) < 0 : store_checkpoint(w->s) < 0)
			_exit(6);
	}
}

task_asserted static void live(void *arg)
{
	struct store *s = fixture_open_with((struct store_options){ .volume_max = 2 * MIB,
								    .repair_index = arg != NULL });
	struct writer w[TASKS + 1];

	shared->opens++;
	verify(s);
	if (!arg) {
		TASK_GROUP(g);

		for (unsigned i = 0; i < TASKS; i++) {
			w[i] = (struct writer){ .s = s, .first = i * OBJECTS_EACH };
			task_spawn(&g, "writer", write_on, &w[i]);
		}
		w[TASKS].s = s;
		task_spawn(&g, "keeper", keep_house, &w[TASKS]);
		if (task_sleep(2000) < 0)
			_exit(7);
		stop_writing = true;
		if (task_group_join(&g) < 0)
			_exit(8);
	}
	store_close(s);
	_exit(0);
}

static void map_log(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof *shared), 0);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(shared != MAP_FAILED);
	close(fd);
}

/* The log is not in the store's directory, which must be empty at first. */
static void log_path(char path[300])
{
	snprintf(path, 300, "%s.log", fixture_dir);
}

static pid_t start(const char *how)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "crash_test", how, fixture_dir, NULL);
		_exit(2);
	}
	assert_true(pid > 0);
	return pid;
}

static void killed(void **state)
{
	const char *rounds_text = getenv("STORE_CRASH_ROUNDS");
	uint64_t rounds = ROUNDS;
	char path[300];
	int status;

	(void)state;
	if (rounds_text)
		assert_int_equal(str_to_u64(str_from(rounds_text), &rounds), 0);
	log_path(path);
	map_log(path);
	for (uint64_t i = 0; i < rounds; i++) {
		pid_t pid = start("write");
		uint64_t opens = shared->opens;

		/* Mostly once it writes, sometimes while it opens. */
		for (int ms = 0; rnd(8) && shared->opens == opens && ms < 20000; ms += 2)
			usleep(2000);
		usleep(rnd(rnd(4) ? 150000 : 5000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			assert_int_equal(WEXITSTATUS(status), 0);
	}
	/* Then once more from the volumes alone. */
	for (int i = 0; i < 2; i++) {
		pid_t pid = start(i ? "rebuild" : "verify");

		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	print_message("%" PRIu64 " rounds, %" PRIu64 " acknowledged\n", rounds,
		      (uint64_t)shared->acked);
	unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(killed, fixture_make,
									    fixture_remove) };
	char path[300];

	if (argc == 3) {
		snprintf(fixture_dir, sizeof fixture_dir, "%s", argv[2]);
		log_path(path);
		map_log(path);
		fixture_run_in_task(live, argv[1][0] == 'r' ? path : NULL);
	}
	return cmocka_run_group_tests_name("store: crashes", tests, NULL, NULL);
}
