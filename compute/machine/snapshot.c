/* A machine's disk as an image, taken while it runs. */
#include "compute/machine/internal.h"
#include "lib/disk/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 100, CHUNK = 256 * KIB };

struct snapshot {
	struct body body;
	struct machines *m;
	char id[VIRT_ID_SIZE];
	const char *path, *argv[12];
	int fd;
	uint64_t at, size;
	char *chunk;
	size_t n;
	struct fault *why;
	int rc;
};

static void begin(void *arg)
{
	struct snapshot *s = arg;

	s->rc = virt_backup_begin(s->m->virt, s->id, s->path, s->why);
}

static void poll_job(void *arg)
{
	struct snapshot *s = arg;

	s->rc = virt_backup_poll(s->m->virt, s->id, s->why);
}

static void convert(void *arg)
{
	struct snapshot *s = arg;

	s->rc = run_program(s->argv, s->why);
}

static void open_copy(void *arg)
{
	struct snapshot *s = arg;
	struct stat st = { .st_size = 0 };

	s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
	s->rc = s->fd < 0 || fstat(s->fd, &st) < 0 ? -errno : 0;
	if (s->rc == 0)
		s->size = (uint64_t)st.st_size;
}

static void close_copy(void *arg)
{
	struct snapshot *s = arg;

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	unlink(s->path);
}

static void read_copy(void *arg)
{
	struct snapshot *s = arg;

	s->n = (size_t)MIN((uint64_t)CHUNK, s->size - s->at);
	s->rc = file_read_at(s->fd, s->chunk, s->n, s->at);
}

waits static int next(struct body *b, struct str *ret_chunk)
{
	struct snapshot *s = container_of(b, struct snapshot, body);

	if (s->at == s->size)
		return 0;
	IN_POOL("snapshot", read_copy, s);
	if (s->rc < 0)
		return s->rc;
	s->at += s->n;
	b->left -= (int64_t)s->n;
	*ret_chunk = str_of(s->chunk, s->n);
	return 1;
}

waits static void end(struct body *b)
{
	struct snapshot *s = container_of(b, struct snapshot, body);

	IN_POOL("snapshot", close_copy, s);
	free(TAKE(s->chunk));
}

/* The guest goes on meanwhile: QEMU copies what it is about to overwrite first. */
waits static int copy_running(struct snapshot *s, const struct machine *one)
{
	IN_POOL("libvirt", begin, s);
	if (s->rc < 0)
		return s->rc;
	do {
		int rc = one->doomed ? -ECANCELED : task_sleep(POLL_MS);

		if (rc < 0) {
			(void)!machine_act(s->m, one, VIRT_ABORT_JOB, NULL);
			return rc;
		}
		IN_POOL("libvirt", poll_job, s);
	} while (s->rc == 1);
	return s->rc;
}

waits static int copy_still(struct snapshot *s, const struct machine *one)
{
	AUTO(arena) a = arena_new();
	const char *argv[] = { machine_conf.qemu_img, "convert", "-U", "-f", "qcow2", "-O",
			       "qcow2", machine_path(s->m, a, one->id, "disk.qcow2").p, s->path,
			       NULL };

	memcpy(s->argv, argv, sizeof argv);
	IN_POOL("snapshot", convert, s);
	return s->rc;
}

waits static int take(struct snapshot *s, const struct machine *one)
{
	enum virt_state state;
	int rc = machine_ask(s->m, one, &state, s->why);

	if (rc < 0)
		return rc;
	bool alive = state == VIRT_IS_RUNNING || state == VIRT_IS_PAUSED;

	rc = alive ? copy_running(s, one) : copy_still(s, one);
	if (rc == 0) {
		IN_POOL("snapshot", open_copy, s);
		rc = s->rc;
	}
	if (rc < 0)
		IN_POOL("snapshot", close_copy, s);
	return rc;
}

int machine_snapshot(struct machines *m, struct str id, struct arena *a, uint64_t *ret_size,
		     struct body **ret_body, struct fault *why)
{
	struct snapshot *s = arena_zalloc(a, sizeof *s);
	struct machine *one;
	char file[64];
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	snprintf(file, sizeof file, "snapshot-%u.qcow2", m->numbers++);
	memcpy(s->id, one->id, sizeof s->id);
	s->m = m;
	s->path = machine_path(m, a, one->id, file).p;
	s->fd = -1;
	s->why = why;
	rc = take(s, one);
	machine_leave(m, one);
	if (rc < 0)
		return rc;
	s->chunk = xmalloc(CHUNK);
	s->body.next = next;
	s->body.close = end;
	s->body.left = (int64_t)s->size;
	*ret_size = s->size;
	*ret_body = &s->body;
	return 0;
}
