/* What a durable write costs on this file system, by way of writing: the measurement that the write
 * path of the store rests on (docs/store-format.md). sync_cost [directory] [seconds per line] */
#include "lib/base/base.h"
#include "lib/base/clock.h"

#include <fcntl.h>
#include <leveldb/c.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD = 4608, FILE_BYTES = 64 * MIB, LARGE_WRITE = MIB, LARGE_FILE = 256 * MIB };

static const char *dir = ".";
static double seconds = 2;
static double base_rate;
static unsigned char *page;

static void die(const char *what)
{
	fprintf(stderr, "sync_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void report(const char *what, double n, double t, double bytes)
{
	double rate = n / t;

	if (base_rate == 0)
		base_rate = rate;
	printf("%-58s %9.0f/s %8.0f MB/s  %5.2f\n", what, rate, n * bytes / t / 1e6,
	       rate / base_rate);
	fflush(stdout);
}

static int file_new(const char *name, int flags)
{
	CLEANUP(auto_chars_end) char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		die("memory");
	unlink(path);
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		die(path);
	unlink(path);
	return fd;
}

enum prepare { GROWING, PREALLOCATED, STEPS, ZERO_FILLED };

static void fill(int fd)
{
	CLEANUP(auto_chars_end) char *zero = xcalloc(1, MIB);

	for (off_t at = 0; at < FILE_BYTES; at += MIB)
		if (pwrite(fd, zero, MIB, at) != MIB)
			die("pwrite");
	if (fsync(fd))
		die("fsync");
}

struct appender {
	pthread_t thread;
	enum prepare how;
	size_t record;
	int index;
	unsigned n;
	double took;
};

/* Appends records of the given size, each followed by fdatasync. */
static void *append(void *arg)
{
	struct appender *a = arg;
	enum prepare how = a->how;
	size_t record = a->record;
	off_t at = 0, prepared = 0;
	unsigned n = 0;
	char name[32];

	snprintf(name, sizeof name, "append.%d", a->index);
	int fd = file_new(name, 0);
	if (how == PREALLOCATED && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FILE_BYTES))
		die("fallocate");
	if (how == ZERO_FILLED)
		fill(fd);
	uint64_t begin = clock_mono_ns(), end = begin + (uint64_t)(seconds * 1e9);
	while (clock_mono_ns() < end) {
		if (how == STEPS && at + (off_t)record > prepared) {
			prepared += 8 * MIB;
			if (fallocate(fd, 0, prepared - 8 * MIB, 8 * MIB))
				die("fallocate");
		}
		if (pwrite(fd, page, record, at) != (ssize_t)record || fdatasync(fd))
			die("write");
		at += (off_t)record;
		n++;
		if (at + (off_t)record > FILE_BYTES)
			at = 0;
	}
	a->n = n;
	a->took = (double)(clock_mono_ns() - begin) / 1e9;
	close(fd);
	return NULL;
}

static void appends(const char *what, enum prepare how, size_t record, int files)
{
	struct appender a[8];
	double n = 0, took = 0;

	for (int i = 0; i < files; i++) {
		a[i] = (struct appender){ .how = how, .record = record, .index = i };
		if (pthread_create(&a[i].thread, NULL, append, &a[i]))
			die("pthread_create");
	}
	for (int i = 0; i < files; i++) {
		pthread_join(a[i].thread, NULL);
		n += a[i].n;
		took += a[i].took / files;
	}
	report(what, n, took, (double)record);
}

/* What a store with a file per object does. */
static void creates(void)
{
	unsigned n = 0;
	int dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t begin = clock_mono_ns(), end = begin + (uint64_t)(seconds * 1e9);

	while (clock_mono_ns() < end) {
		char name[64];

		snprintf(name, sizeof name, "sync_cost.%u", n);
		int fd = openat(dfd, "sync_cost.tmp", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0 || pwrite(fd, page, RECORD, 0) != RECORD || fsync(fd) ||
		    renameat(dfd, "sync_cost.tmp", dfd, name) || fsync(dfd))
			die("create");
		close(fd);
		n++;
	}
	report("create + fsync + rename + fsync of the directory", n,
	       (double)(clock_mono_ns() - begin) / 1e9, RECORD);
	for (unsigned i = 0; i < n; i++) {
		char name[64];

		snprintf(name, sizeof name, "sync_cost.%u", i);
		unlinkat(dfd, name, 0);
	}
	close(dfd);
}

static void leveldb_puts(size_t value, bool sync)
{
	CLEANUP(auto_chars_end) char *path = NULL;
	char *err = NULL, what[80];

	if (asprintf(&path, "%s/sync_cost.ldb", dir) < 0)
		die("memory");
	leveldb_options_t *o = leveldb_options_create();
	leveldb_options_set_create_if_missing(o, 1);
	leveldb_t *db = leveldb_open(o, path, &err);
	if (err)
		die(err);
	leveldb_writeoptions_t *w = leveldb_writeoptions_create();
	leveldb_writeoptions_set_sync(w, sync);
	unsigned n = 0;
	uint64_t begin = clock_mono_ns(), end = begin + (uint64_t)(seconds * 1e9);
	while (clock_mono_ns() < end) {
		char key[24] = "";

		snprintf(key, sizeof key, "%08x", n * 2654435761U);
		leveldb_put(db, w, key, 19, (char *)page, value, &err);
		if (err)
			die(err);
		n++;
	}
	snprintf(what, sizeof what, "LevelDB put of %zu bytes, %s", value,
		 sync ? "synced" : "not synced");
	report(what, n, (double)(clock_mono_ns() - begin) / 1e9, (double)value);
	leveldb_close(db);
	leveldb_writeoptions_destroy(w);
	leveldb_destroy_db(o, path, &err);
	leveldb_options_destroy(o);
}

struct stream {
	pthread_t thread;
	int flags, index, chunk;
	bool allocate;
};

static void *stream_write(void *arg)
{
	struct stream *s = arg;
	char name[32];
	void *p;

	snprintf(name, sizeof name, "large.%d", s->index);
	int fd = file_new(name, s->flags);
	if (posix_memalign(&p, 4096, (size_t)s->chunk))
		die("memory");
	memset(p, 'x', (size_t)s->chunk);
	if (s->allocate && fallocate(fd, 0, 0, LARGE_FILE))
		die("fallocate");
	for (off_t at = 0; at < LARGE_FILE; at += s->chunk)
		if (pwrite(fd, p, (size_t)s->chunk, at) != s->chunk)
			die("pwrite");
	if (fdatasync(fd))
		die("fdatasync");
	free(p);
	close(fd);
	return NULL;
}

static void streams(const char *what, int count, int flags, bool allocate, int chunk)
{
	struct stream s[8];
	uint64_t begin = clock_mono_ns();

	for (int i = 0; i < count; i++) {
		s[i] = (struct stream){
			.flags = flags, .index = i, .allocate = allocate, .chunk = chunk
		};
		if (pthread_create(&s[i].thread, NULL, stream_write, &s[i]))
			die("pthread_create");
	}
	for (int i = 0; i < count; i++)
		pthread_join(s[i].thread, NULL);
	report(what, (double)count * LARGE_FILE / chunk, (double)(clock_mono_ns() - begin) / 1e9,
	       chunk);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		dir = argv[1];
	if (argc > 2 && str_to_double(str_from(argv[2]), &seconds))
		die("seconds");
	if (posix_memalign((void **)&page, 4096, MIB))
		die("memory");
	memset(page, 'x', MIB);
	printf("%-58s %11s %13s  %5s\n", "", "writes", "", "ratio");
	appends("append 4608 + fdatasync: growing file", GROWING, RECORD, 1);
	appends("append 4608 + fdatasync: fallocate of all", PREALLOCATED, RECORD, 1);
	appends("append 4608 + fdatasync: fallocate in 8 MiB steps", STEPS, RECORD, 1);
	appends("append 4608 + fdatasync: zero-filled", ZERO_FILLED, RECORD, 1);
	appends("append 74 KiB (16 records) + fdatasync: growing file", GROWING, 16 * RECORD, 1);
	appends("append 74 KiB (16 records) + fdatasync: 8 MiB steps", STEPS, 16 * RECORD, 1);
	appends("append 74 KiB (16 records) + fdatasync: zero-filled", ZERO_FILLED, 16 * RECORD, 1);
	appends("4 files at once, 74 KiB: growing", GROWING, 16 * RECORD, 4);
	appends("4 files at once, 74 KiB: 8 MiB steps", STEPS, 16 * RECORD, 4);
	appends("4 files at once, 74 KiB: zero-filled", ZERO_FILLED, 16 * RECORD, 4);
	creates();
	leveldb_puts(100, true);
	leveldb_puts(100, false);
	leveldb_puts(RECORD, true);
	streams("1 x 256 MiB, buffered, 1 MiB writes, sync at the end", 1, 0, false, MIB);
	streams("1 x 256 MiB, buffered, fallocate", 1, 0, true, MIB);
	streams("1 x 256 MiB, O_DIRECT, 1 MiB writes", 1, O_DIRECT, false, MIB);
	streams("1 x 256 MiB, O_DIRECT, fallocate", 1, O_DIRECT, true, MIB);
	streams("1 x 256 MiB, O_DIRECT, fallocate, 256 KiB writes", 1, O_DIRECT, true, 256 * KIB);
	streams("3 x 256 MiB, buffered, fallocate", 3, 0, true, MIB);
	streams("3 x 256 MiB, O_DIRECT, fallocate", 3, O_DIRECT, true, MIB);
	return 0;
}
