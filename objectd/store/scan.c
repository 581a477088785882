/* The records of one volume in order, with what to do when something else stands there. */
#include "objectd/store/internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 256 * KIB };

int scan_open(struct scan *c, const struct store *s, uint32_t id)
{
	char path[PATH_SIZE], header[VOLUME_HEADER];
	struct volume_header h = { .id = 0 };
	struct stat st;

	*c = (struct scan){ .id = id, .fd = -1 };
	volume_path(s, id, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fstat(fd, &st) < 0 ? -errno : file_read_at(fd, header, sizeof header, 0);
	if (rc == -ENODATA)
		rc = -EBADMSG;
	if (rc == 0)
		rc = volume_header_parse(header, &h);
	if (rc == 0 && (h.id != id || memcmp(h.store, s->uuid, 16) != 0))
		rc = -EBADMSG;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	c->fd = fd;
	c->salt = h.salt;
	c->size = (uint64_t)st.st_size;
	c->at = VOLUME_HEADER;
	return 0;
}

void scan_close(struct scan *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->window);
	*c = (struct scan){ .fd = -1 };
}

/* The bytes at..at+n, or NULL with *ret_rc -ENODATA (beyond the end) or an error. */
static const char *look(struct scan *c, uint64_t at, size_t n, int *ret_rc)
{
	if (at >= c->window_at && at + n <= c->window_at + c->window_n)
		return c->window + (at - c->window_at);
	*ret_rc = -ENODATA;
	if (at + n > c->size)
		return NULL;
	size_t want = (size_t)MIN(c->size - at, (uint64_t)MAX(n, (size_t)WINDOW));
	if (want > c->window_cap) {
		free(c->window);
		c->window = xmalloc(want);
		c->window_cap = want;
	}
	c->window_n = 0;
	int rc = file_read_at(c->fd, c->window, want, at);
	if (rc < 0) {
		*ret_rc = rc;
		return NULL;
	}
	c->window_at = at;
	c->window_n = want;
	return c->window;
}

static int parse_at(struct scan *c, uint64_t at, struct record *ret)
{
	int rc = 0;
	const char *p = look(c, at, RECORD_FIXED, &rc);

	if (!p)
		return rc == -ENODATA ? -EBADMSG : rc;
	rc = record_measure_bytes(p, RECORD_FIXED, ret);
	if (rc < 0)
		return rc;
	if (at + ret->len > c->size)
		return -EBADMSG;
	size_t head_len = ret->head_len;
	p = look(c, at, head_len, &rc);
	if (!p)
		return rc;
	rc = record_parse(p, head_len, c->salt, at, ret);
	return rc == -ENODATA ? -EBADMSG : rc;
}

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* 1 when all from at to the end of the file is zeros. */
static int only_zeros(struct scan *c, uint64_t at)
{
	while (at < c->size) {
		size_t n = (size_t)MIN(c->size - at, (uint64_t)WINDOW);
		int rc = 0;
		const char *p = look(c, at, n, &rc);

		if (!p)
			return rc;
		if (!is_zero(p, n))
			return 0;
		at += n;
	}
	return 1;
}

int scan_next(struct scan *c, struct record *ret)
{
	int rc = parse_at(c, c->at, ret);

	if (rc == 0) {
		c->at += ret->len;
		return 1;
	}
	if (rc == -EBADMSG) {
		rc = only_zeros(c, c->at);
		return rc < 0 ? rc : rc == 1 ? 0 : -EBADMSG;
	}
	return rc;
}

int scan_resync(struct scan *c, uint64_t batch, uint64_t begun_after, uint64_t *ret_batch_at)
{
	uint64_t at = c->at;

	for (at += RECORD_ALIGN; at + RECORD_FIXED <= c->size; at += RECORD_ALIGN) {
		int rc = 0;
		const char *p = look(c, at, RECORD_FIXED, &rc);
		struct record r;

		if (!p)         /* an unreadable sector: nothing to find in it */
			continue;
		if (record_measure_bytes(p, RECORD_FIXED, &r) < 0)
			continue;
		if (parse_at(c, at, &r) == 0 && r.batch >= batch && r.batch_at >= begun_after) {
			c->at = at;
			*ret_batch_at = r.batch_at;
			return 0;
		}
	}
	return -ENOENT;
}

int scan_verify(struct scan *c, const struct record *r)
{
	uint64_t at = r->at + r->head_len;
	size_t blocks = record_blocks(r->data_len);
	CLEANUP(auto_chars_end) char *crcs = xmemdupz(r->crcs, 4 * blocks);

	for (size_t i = 0; i < blocks; i++) {
		size_t n = MIN(r->data_len - i * RECORD_BLOCK, (size_t)RECORD_BLOCK);
		int rc = 0;
		const char *p = look(c, at + i * RECORD_BLOCK, n, &rc);

		if (!p)
			return rc;
		if (!record_block_ok((unsigned char *)crcs, i, p, n))
			return -EBADMSG;
	}
	return 0;
}
