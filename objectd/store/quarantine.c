/* Damaged objects: their bytes are set aside, their entry goes, and replication brings
 * them back. */
#include "objectd/store/internal.h"
#include "lib/base/encode.h"

#include <fcntl.h>
#include <unistd.h>

enum { COPY = 64 * KIB };

struct job {
	struct store *s;
	const struct object_id *id;
	const struct index_entry *e;
	const char *what;
};

static void copy_record(struct store *s, const struct location *l, const char *to_path)
{
	CLEANUP(auto_chars_end) char *bytes = xmalloc(COPY);
	struct volume *v;
	int to = open(to_path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0640);

	if (to >= 0 && volume_pin(s, l->volume, &v) == 0) {
		for (uint32_t at = 0; at < l->len; at += COPY) {
			size_t n = MIN(l->len - at, (uint32_t)COPY);

			/* What cannot be read stays a hole. */
			if (file_read_at(v->fd, bytes, n, l->at + at) == 0 &&
			    file_write_at(to, bytes, n, at) < 0)
				break;
		}
		volume_unpin(s, v);
	}
	if (to >= 0)
		close(to);
}

static void describe(const struct job *j, const char *path)
{
	CLEANUP(buf_done) struct buf text = BUF(4 * KIB);
	char hash[33], ts[TIMESTAMP_SIZE];

	hex_encode(j->id->hash, 16, hash);
	timestamp_internal(j->e->e.data_ts, ts);
	buf_addf(&text,
		 "{\"policy\": %u, \"hash\": \"%s\", \"timestamp\": \"%s\", \"size\": %" PRIu64
		 ", \"volume\": %u, \"offset\": %" PRIu64 ", \"length\": %u, \"large\": %" PRIu64
		 ", \"reason\": ",
		 j->id->policy, hash, ts, j->e->e.size, j->e->data.volume, j->e->data.at,
		 j->e->data.len, j->e->large);
	json_escape(&text, str_from(j->what));
	buf_add_lit(&text, "}\n");
	tolerate(file_replace(path, buf_str(&text)));
}

/* Best effort: a full or dying disk must not keep the object in service. */
static void set_aside(void *arg)
{
	struct job *j = arg;
	char hash[33], from[PATH_SIZE], to[PATH_SIZE];

	hex_encode(j->id->hash, 16, hash);
	snprintf(to, sizeof to, "%s/quarantine/%s-%" PRIu64 ".bin", j->s->path, hash,
		 j->e->e.data_ts.t);
	large_path(j->s, j->e->large, from);
	if (j->e->large)
		(void)rename(from, to);
	else
		copy_record(j->s, &j->e->data, to);
	snprintf(to, sizeof to, "%s/quarantine/%s-%" PRIu64 ".json", j->s->path, hash,
		 j->e->e.data_ts.t);
	describe(j, to);
}

int quarantine(struct store *s, const struct object_id *id, const struct index_entry *e,
	       const char *what)
{
	struct job j = { .s = s, .id = id, .e = e, .what = what };
	struct op op = { .kind = OP_DAMAGED, .from = e->data, .urgent = true };

	if (s->broken)
		return -EROFS;
	task_run_blocking("quarantine", set_aside, &j);
	int rc = op_record(s, &op, RECORD_DAMAGED, id, e->e.data_ts, STR_NONE, NULL, NULL);
	if (rc == 0)
		rc = commit_run(s, &op);
	op_done(&op);
	if (rc == 0) {
		pthread_mutex_lock(&s->lock);
		s->stats.quarantined++;
		pthread_mutex_unlock(&s->lock);
	}
	return rc;
}
