/* Whole reads and writes of files, durable replacement, directories. Everything here may block on
 * the disk: only inside task_run_blocking, on a thread of one's own, or before the loop runs. */
#pragma once
#include "lib/base/buf.h"

#include <sys/uio.h>

/* Reads exactly n bytes: 0, -ENODATA when the file ends before, or an error. */
must_check int file_read_at(int fd, void *p, size_t n, uint64_t at);
/* The same without ever blocking on the disk: -EAGAIN unless all of it is in the page cache. */
must_check int file_read_at_nowait(int fd, void *p, size_t n, uint64_t at);
must_check int file_write_at(int fd, const void *p, size_t n, uint64_t at);
/* Writes all pieces, however many; their bases and lengths are used up. */
must_check int file_writev_at(int fd, struct iovec *v, size_t count, uint64_t at);
/* Adds the whole file to to (bounded by its limit: -EFBIG). */
must_check int file_read_all(const char *path, struct buf *to);
/* The file has either its old or the new content, whatever happens, and the new one when this has
 * returned 0: a temporary file beside it, fsync, rename, fsync of the directory. */
must_check int file_replace(const char *path, struct str content);

/* Makes the directory (and not its parents); 0 also when it is there. */
must_check int dir_make(const char *path);
/* Makes the entries of the directory durable. */
must_check int dir_sync(const char *path);
/* Whether nothing is in it but (perhaps) lost+found: 1 or 0, or an error. */
must_check int dir_empty(const char *path);
