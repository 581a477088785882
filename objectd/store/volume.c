/* Volume files: the table of them, descriptors for reading, and the one that is being
 * appended to. */
#include "objectd/store/internal.h"
#include "lib/crypto/digest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void volume_path(const struct store *s, uint32_t id, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/volumes/%08x.vol", s->path, id);
}

void large_path(const struct store *s, uint64_t id, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/large/%02x/%012" PRIx64, s->path, (unsigned)(id & 0xff), id);
}

/* The index of the first volume whose id is not below. */
static unsigned lower_bound(const struct store *s, uint32_t id)
{
	unsigned from = 0, until = s->volume_n;

	while (from < until) {
		unsigned mid = (from + until) / 2;

		if (s->volumes[mid]->id < id)
			from = mid + 1;
		else
			until = mid;
	}
	return from;
}

struct volume *volume_find(const struct store *s, uint32_t id)
{
	unsigned i = lower_bound(s, id);

	return i < s->volume_n && s->volumes[i]->id == id ? s->volumes[i] : NULL;
}

struct volume *volume_insert(struct store *s, uint32_t id, uint32_t salt)
{
	unsigned i = lower_bound(s, id);
	struct volume *v = xcalloc(1, sizeof *v);

	assert(i == s->volume_n || s->volumes[i]->id != id);
	v->id = id;
	v->salt = salt;
	v->end = VOLUME_HEADER;
	v->fd = -1;
	if (s->volume_n == s->volume_cap) {
		s->volume_cap = MAX(64U, s->volume_cap * 2);
		s->volumes = xreallocarray(s->volumes, s->volume_cap, sizeof *s->volumes);
	}
	memmove(s->volumes + i + 1, s->volumes + i, (s->volume_n - i) * sizeof *s->volumes);
	s->volumes[i] = v;
	s->volume_n++;
	return v;
}

static void volume_free(struct volume *v)
{
	if (v->fd >= 0)
		close(v->fd);
	free(v);
}

/* Lock held: closes the file that nobody has used for longest. */
static void close_coldest(struct store *s)
{
	struct volume *cold = NULL;

	for (unsigned i = 0; i < s->volume_n; i++) {
		struct volume *v = s->volumes[i];

		if (v->fd >= 0 && v->pins == 0 && (!cold || v->used_at < cold->used_at))
			cold = v;
	}
	if (cold) {
		close(cold->fd);
		cold->fd = -1;
		s->fds_open--;
	}
}

/* Lock held. */
static int open_file(struct store *s, struct volume *v)
{
	char path[PATH_SIZE];

	volume_path(s, v->id, path);
	v->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (v->fd < 0)
		return -errno;
	s->fds_open++;
	return 0;
}

int volume_pin(struct store *s, uint32_t id, struct volume **ret)
{
	pthread_mutex_lock(&s->lock);
	struct volume *v = volume_find(s, id);
	int rc = !v ? -ENOENT : v->fd >= 0 ? 0 : open_file(s, v);
	if (rc == 0) {
		v->pins++;
		v->used_at = ++s->fd_clock;
		if (s->fds_open > VOLUME_FDS_MAX)
			close_coldest(s);
		*ret = v;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void volume_unpin(struct store *s, struct volume *v)
{
	pthread_mutex_lock(&s->lock);
	assert(v->pins > 0);
	if (--v->pins == 0 && v->gone)
		volume_free(v);
	pthread_mutex_unlock(&s->lock);
}

static int write_header(struct store *s, int fd, uint32_t id, uint32_t salt)
{
	struct volume_header h = { .id = id, .salt = salt };
	char bytes[VOLUME_HEADER], dir[PATH_SIZE];

	memcpy(h.store, s->uuid, 16);
	volume_header_write(&h, bytes);
	int rc = file_write_at(fd, bytes, sizeof bytes, 0);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	snprintf(dir, sizeof dir, "%s/volumes", s->path);
	return rc < 0 ? rc : dir_sync(dir);
}

int volume_create(struct store *s, uint32_t id)
{
	char path[PATH_SIZE];
	uint32_t salt;

	random_bytes(&salt, sizeof salt);
	volume_path(s, id, path);
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int rc = write_header(s, fd, id, salt);
	if (rc < 0) {
		close(fd);
		(void)unlink(path);
		return rc;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	pthread_mutex_lock(&s->lock);
	s->prepared = VOLUME_HEADER;
	s->active = volume_insert(s, id, salt);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int volume_resume(struct store *s)
{
	char path[PATH_SIZE];
	struct stat st;

	assert(s->volume_n > 0 && s->fd < 0);
	s->active = s->volumes[s->volume_n - 1];
	volume_path(s, s->active->id, path);
	s->fd = open(path, O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	s->prepared = (uint64_t)st.st_size;
	return 0;
}

int volume_remove(struct store *s, uint32_t id)
{
	char path[PATH_SIZE];

	volume_path(s, id, path);
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	pthread_mutex_lock(&s->lock);
	struct volume *v = volume_find(s, id);
	if (v) {
		unsigned i = lower_bound(s, id);

		memmove(s->volumes + i, s->volumes + i + 1,
			(s->volume_n - i - 1) * sizeof *s->volumes);
		s->volume_n--;
		s->fds_open -= v->fd >= 0;
		v->gone = true;
		if (v->pins == 0)
			volume_free(v);
	}
	pthread_mutex_unlock(&s->lock);
	return 0;
}

void volumes_free(struct store *s)
{
	for (unsigned i = 0; i < s->volume_n; i++)
		volume_free(s->volumes[i]);
	free(s->volumes);
	s->volumes = NULL;
	s->volume_n = 0;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
