/* Taking away: images that were deleted, uploads that were given up. */
#include "compute/image/data.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"

enum {
	LATE_MS = 15000,                /* by then a store has done or given up what it was sent */
	LATE_MAX = 1000,                /* more are left to the sweep */
};

struct str image_prefix(struct arena *a, struct str id)
{
	return arena_printf(a, "%.*s/", STR(id));
}

int image_remove(struct image_state *s, struct str id)
{
	AUTO(arena) a = arena_new();
	int rc = store_delete_prefix(s->compute->store, a, s->data, image_prefix(a, id));

	return rc < 0 ? rc : records_remove(s->images, a, id);
}

/* Back to the status before, unless something else has happened to the image since. */
static int undo_upload(void *arg, json_t *doc)
{
	const json_t *upload = json_object_get(doc, "_upload");
	const struct str *prefix = arg;
	struct str was = json_str(upload, "was");

	if (!upload || !str_eq(json_str(upload, "prefix"), *prefix) ||
	    image_has_status(doc, "deleted"))
		return 0;
	json_object_set_new(doc, "status", json_of(was.n ? was : S("queued")));
	json_object_del(doc, "_upload");
	image_touch(doc);
	return 1;
}

/* ---- late segments ---- */

struct late {
	struct list node;               /* in image_state.late, the first due first */
	uint64_t due_ms;
	char *prefix;
};

static void late_free(struct late *l)
{
	free(l->prefix);
	free(l);
}

static void look_late(struct image_state *s, struct str prefix)
{
	if (s->late_n >= LATE_MAX)
		return;
	struct late *l = xcalloc(1, sizeof *l);

	l->prefix = str_dup(prefix);
	l->due_ms = clock_mono_ms() + LATE_MS;
	list_append(&s->late, &l->node);
	s->late_n++;
	if (s->late_task)
		task_wake(s->late_task);
}

waits static int late_wait(struct image_state *s)
{
	uint64_t now = clock_mono_ms(), ms = 0;

	if (!list_empty(&s->late)) {
		const struct late *l = list_entry(s->late.next, struct late, node);

		if (l->due_ms <= now)
			return 1;
		ms = l->due_ms - now;
	}
	s->late_task = task_self();
	int rc = task_wait("uploads that were given up", ms);

	s->late_task = NULL;
	return rc == -ECANCELED ? rc : 0;
}

void image_late_task(void *arg)
{
	struct image_state *s = arg;
	int rc;

	while ((rc = late_wait(s)) >= 0) {
		if (rc == 0)
			continue;
		AUTO(arena) a = arena_new();
		struct late *l = list_entry(list_pop(&s->late), struct late, node);

		s->late_n--;
		rc = store_delete_prefix(s->compute->store, a, s->data, str_from(l->prefix));
		if (rc < 0)
			log_debug("%s: %s, leaving it to the sweep", l->prefix, strerror(-rc));
		late_free(l);
	}
}

void image_late_done(struct image_state *s)
{
	struct list *n;

	while ((n = list_pop(&s->late)))
		late_free(list_entry(n, struct late, node));
	s->late_n = 0;
}

/* ---- giving up ---- */

int image_abandon(struct image_state *s, struct str id, struct str prefix)
{
	AUTO(arena) a = arena_new();

	look_late(s, prefix);
	int rc = store_delete_prefix(s->compute->store, a, s->data, prefix);

	if (rc == 0)
		rc = records_change(s->images, a, id, undo_upload, &prefix, NULL);
	return rc == -ENOENT ? 0 : rc;
}

/* ---- in tasks of their own ---- */

struct job {
	struct image_state *state;
	struct arena *arena;
	struct str id, prefix;          /* prefix absent: remove all */
};

waits static void run_job(void *arg)
{
	struct job *j = arg;
	int rc = j->prefix.p ? image_abandon(j->state, j->id, j->prefix) :
			       image_remove(j->state, j->id);

	if (rc < 0 && rc != -ECANCELED)
		log_warn("what is left of image %.*s cannot be removed now (%s), ignoring",
			 STR(j->id), strerror(-rc));
	arena_free(j->arena);
}

static void later(struct image_state *s, const char *name, struct str id, struct str prefix)
{
	struct arena *a = arena_new();
	struct job *j = arena_zalloc(a, sizeof *j);

	*j = (struct job){ .state = s, .arena = a, .id = arena_str(a, id),
			   .prefix = prefix.p ? arena_str(a, prefix) : STR_NONE };
	task_spawn(&s->compute->background, name, run_job, j);
}

void image_remove_later(struct image_state *s, struct str id)
{
	later(s, "image removal", id, STR_NONE);
}

void image_abandon_later(struct image_state *s, struct str id, struct str prefix)
{
	later(s, "upload removal", id, prefix);
}
