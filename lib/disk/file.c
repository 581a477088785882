/* Whole reads and writes of files, durable replacement, directories. */
#include "lib/disk/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_at(int fd, void *p, size_t n, uint64_t at)
{
	char *to = p;

	while (n > 0) {
		ssize_t got = pread(fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -ENODATA : -errno;
		to += got;
		at += (size_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int file_read_at_nowait(int fd, void *p, size_t n, uint64_t at)
{
	struct iovec v = { .iov_base = p, .iov_len = n };
	ssize_t got = preadv2(fd, &v, 1, (off_t)at, RWF_NOWAIT);

	/* A short read is the end of what is cached, or of the file: the blocking read
	 * tells which. */
	return got == (ssize_t)n ? 0 : -EAGAIN;
}

int file_write_at(int fd, const void *p, size_t n, uint64_t at)
{
	struct iovec v = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };

	return file_writev_at(fd, &v, 1, at);
}

int file_writev_at(int fd, struct iovec *v, size_t count, uint64_t at)
{
	while (count > 0) {
		ssize_t put = pwritev(fd, v, (int)MIN(count, (size_t)IOV_MAX), (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		at += (size_t)put;
		while (count > 0 && (size_t)put >= v->iov_len) {
			put -= (ssize_t)v->iov_len;
			v++;
			count--;
		}
		if (count > 0) {
			v->iov_base = (char *)v->iov_base + put;
			v->iov_len -= (size_t)put;
		}
	}
	return 0;
}

int file_read_all(const char *path, struct buf *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (;;) {
		size_t room = MIN(to->max - to->n, (size_t)4096);
		char beyond, *p = room ? buf_reserve(to, room) : &beyond;
		ssize_t got = read(fd, p, room ? room : 1);

		if (got < 0 && errno == EINTR)
			continue;
		int rc = got < 0 ? -errno : got > 0 && !room ? -EFBIG : 0;
		if (rc < 0 || got == 0) {
			close(fd);
			return rc;
		}
		to->n += (size_t)got;
		to->p[to->n] = 0;
	}
}

int file_replace(const char *path, struct str content)
{
	CLEANUP(auto_chars_end) char *tmp = NULL;
	CLEANUP(auto_chars_end) char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (asprintf(&tmp, "%s.tmp", path) < 0)
		return -ENOMEM;
	int fd = open(tmp, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int rc = file_write_at(fd, content.p, content.n, 0);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(tmp, path) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(tmp);
		return rc;
	}
	if (!slash)
		return dir_sync(".");
	*slash = 0;
	return dir_sync(slash == dir ? "/" : dir);
}

int dir_make(const char *path)
{
	return mkdir(path, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

int dir_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int dir_empty(const char *path)
{
	DIR *d = opendir(path);
	int rc = 1;

	if (!d)
		return -errno;
	for (struct dirent *e; rc == 1 && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    strcmp(e->d_name, "lost+found") != 0)
			rc = 0;
	closedir(d);
	return rc;
}
