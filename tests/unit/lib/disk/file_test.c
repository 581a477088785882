/* Whole reads and writes, replacing files, directories. */
#include "lib/disk/file.h"

#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[128];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/needletail-file-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/file", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void read_and_write(void **state)
{
	char text[16] = "";
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	(void)state;
	assert_int_equal(file_write_at(fd, "0123456789", 10, 5), 0);
	assert_int_equal(file_read_at(fd, text, 10, 5), 0);
	assert_string_equal(text, "0123456789");
	assert_int_equal(file_read_at(fd, text, 11, 5), -ENODATA);
	assert_int_equal(file_read_at(fd, text, 1, 100), -ENODATA);
	/* Just written, so it is in the page cache (where the file system can tell). */
	int rc = file_read_at_nowait(fd, text, 10, 5);
	assert_true(rc == 0 || rc == -EAGAIN);
	assert_int_equal(file_read_at_nowait(fd, text, 11, 5), -EAGAIN);
	close(fd);
	assert_int_equal(file_read_at(fd, text, 1, 0), -EBADF);
	assert_int_equal(file_write_at(fd, text, 1, 0), -EBADF);
}

/* More pieces than one system call takes. */
static void many_pieces(void **state)
{
	enum { PIECES = 3000 };
	static struct iovec v[PIECES];
	static char bytes[PIECES], back[PIECES];
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < PIECES; i++) {
		bytes[i] = (char)i;
		v[i] = (struct iovec){ &bytes[i], i % 3 == 0 ? 0 : 1 };
		n += v[i].iov_len;
	}
	assert_int_equal(file_writev_at(fd, v, PIECES, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), n);
	assert_int_equal(file_read_at(fd, back, n, 0), 0);
	for (unsigned i = 0, at = 0; i < PIECES; i++)
		if (i % 3)
			assert_int_equal(back[at++], bytes[i]);
	close(fd);
}

static void replace_and_read(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(10000), tight = BUF(9999);
	char *text = xmalloc(10000);

	(void)state;
	memset(text, 'x', 10000);
	assert_int_equal(file_read_all(path, &b), -ENOENT);
	assert_int_equal(file_replace(path, S("short")), 0);
	assert_int_equal(file_read_all(path, &b), 0);
	assert_string_equal(b.p, "short");
	buf_clear(&b);
	assert_int_equal(file_replace(path, str_of(text, 10000)), 0);
	assert_int_equal(file_read_all(path, &b), 0);
	assert_int_equal(b.n, 10000);
	assert_int_equal(file_read_all(path, &tight), -EFBIG);
	assert_int_equal(file_replace("/nowhere/at/all", S("")), -ENOENT);
	free(text);
}

static void directories(void **state)
{
	char sub[128];

	(void)state;
	snprintf(sub, sizeof sub, "%s/sub", dir);
	assert_int_equal(dir_empty(dir), 1);
	assert_int_equal(dir_make(sub), 0);
	assert_int_equal(dir_make(sub), 0);
	assert_int_equal(dir_empty(dir), 0);
	assert_int_equal(dir_sync(dir), 0);
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(dir_empty(sub), -ENOENT);
	assert_int_equal(dir_sync(sub), -ENOENT);
	snprintf(sub, sizeof sub, "%s/no/sub", dir);
	assert_int_equal(dir_make(sub), -ENOENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(read_and_write),
		T(many_pieces),
		T(replace_and_read),
		T(directories),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
