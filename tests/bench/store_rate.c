/* What the store of one device does without a network: puts, gets, CPU per operation, operations
 * per sync, beside plain appends with fdatasync of the same bytes. store_rate [directory] [tasks]
 * [objects] [bytes of each] */
#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "objectd/store/store.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PIECE = MIB };

static const char *dir = "store_rate.dir";
static uint64_t tasks = 32, objects = 50000, size = 4096;
static uint64_t next;
static char piece[PIECE];
static struct store *store;

static void die(const char *what)
{
	fprintf(stderr, "store_rate: %s\n", what);
	exit(1);
}

static double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static struct object_id id_of(uint64_t n)
{
	struct object_id id = { .policy = 0 };

	digest_of(DIGEST_MD5, &n, sizeof n, id.hash);
	return id;
}

waits static int put_one(uint64_t n)
{
	AUTO(arena) a = arena_new();
	struct store_writer *w = NULL;
	struct headers h;
	struct store_put p = { .id = id_of(n), .ts = timestamp_now(), .metadata = &h };
	int rc = store_writer_open(store, (int64_t)size, &w);

	headers_init(&h, a);
	headers_add(&h, S("Content-Type"), S("application/octet-stream"));
	headers_add(&h, S("ETag"), S("d41d8cd98f00b204e9800998ecf8427e"));
	headers_add(&h, S("X-Timestamp"), S("1402464677.04188"));
	p.name = arena_printf(a, "/AUTH_test/container/object-%08" PRIu64, n);
	for (uint64_t at = 0; at < size && rc == 0; at += PIECE)
		rc = store_writer_add(w, str_of(piece, (size_t)MIN(size - at, (uint64_t)PIECE)));
	if (rc == 0)
		rc = store_writer_commit(w, &p, NULL);
	store_writer_close(w);
	return rc;
}

waits static int get_one(uint64_t n)
{
	AUTO(arena) a = arena_new();
	AUTO(store_object) o = NULL;
	struct object_id id = id_of(n * 7919 % objects);
	struct str chunk;
	int rc = store_object_open(store, &id, a, &o);

	if (rc < 0)
		return rc;
	struct body *b = store_object_body(o, 0, size - 1);
	while ((rc = body_next(b, &chunk)) > 0)
		;
	body_close(b);
	return rc;
}

task_asserted static void put(void *arg)
{
	(void)arg;
	while (next < objects)
		if (put_one(next++) < 0)
			die("a put failed");
}

task_asserted static void get(void *arg)
{
	(void)arg;
	while (next < objects)
		if (get_one(next++) < 0)
			die("a get failed");
}

waits static void phase(const char *what, task_fn *fn)
{
	struct store_stats before, after;
	double cpu = cpu_s();
	uint64_t began = clock_mono_ns();
	TASK_GROUP(g);

	store_stats(store, &before);
	next = 0;
	for (uint64_t i = 0; i < tasks; i++)
		task_spawn(&g, what, fn, NULL);
	if (task_group_join(&g) < 0)
		die("cancelled");
	double took = (double)(clock_mono_ns() - began) / 1e9, n = (double)objects;
	store_stats(store, &after);
	uint64_t syncs = after.syncs - before.syncs;
	printf("%-28s %9.0f/s %8.1f MB/s %7.1f us CPU", what, n / took,
	       n * (double)size / took / 1e6, (cpu_s() - cpu) / n * 1e6);
	if (syncs)
		printf(" %6.1f per sync", n / (double)syncs);
	printf("\n");
}

/* As many bytes, as many at a time, without a store. */
static void plain_appends(void)
{
	char path[4096];
	uint64_t batch = MAX(tasks / 2, (uint64_t)1) * size, total = objects * size, n = 0;
	uint64_t began = clock_mono_ns();

	snprintf(path, sizeof path, "%s.plain", dir);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	for (uint64_t at = 0; at < total; at += batch, n++) {
		for (uint64_t in = 0; in < batch; in += PIECE)
			if (pwrite(fd, piece, (size_t)MIN(batch - in, (uint64_t)PIECE),
				   (off_t)(at + in)) < 0)
				die("cannot write");
		if (fdatasync(fd) < 0)
			die("cannot sync");
	}
	double took = (double)(clock_mono_ns() - began) / 1e9;
	printf("%-28s %9.0f/s %8.1f MB/s %26.1f per sync\n", "plain append + fdatasync",
	       (double)objects / took, (double)total / took / 1e6, (double)objects / (double)n);
	close(fd);
	unlink(path);
}

waits static void reopen(void)
{
	struct store_options o = { .path = dir };
	struct fault why;
	uint64_t began = clock_mono_ns();

	if (store)
		store_close(store);
	double closed = (double)(clock_mono_ns() - began) / 1e6;
	began = clock_mono_ns();
	if (store_open(&o, &store, &why) < 0)
		die(why.text);
	printf("closed in %.0f ms, opened in %.0f ms\n", closed,
	       (double)(clock_mono_ns() - began) / 1e6);
}

task_asserted static void run(void *arg)
{
	(void)arg;
	reopen();
	plain_appends();
	phase("put", put);
	phase("get", get);
	reopen();
	phase("get after reopening", get);
	store_close(store);
}

int main(int argc, char **argv)
{
	uint64_t *numbers[] = { &tasks, &objects, &size };
	uv_loop_t loop;

	if (argc > 1)
		dir = argv[1];
	for (int i = 2; i < argc && i < 5; i++)
		if (str_to_u64(str_from(argv[i]), numbers[i - 2]) < 0 || *numbers[i - 2] == 0)
			die("usage: store_rate [directory] [tasks] [objects] [bytes of each]");
	memset(piece, 'x', sizeof piece);
	uv_loop_init(&loop);
	tasks_start(&loop);
	task_spawn(NULL, "run", run, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	tasks_stop();
	return 0;
}
