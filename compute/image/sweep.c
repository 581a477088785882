/* Looks now and then for what deletions and uploads have left behind. */
#include "compute/image/sweep.h"
#include "compute/image/data.h"
#include "compute/image/task.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"

enum { FIRST_MS = 3000, AGAIN_MS = 10000 };

/* Whether nobody works on it any more: deletions that are older than the interval, as their own
 * host is still at the younger ones; uploads that this process does not know of. */
static bool is_left(const struct image_state *s, const json_t *doc, bool first)
{
	const json_t *upload = json_object_get(doc, "_upload");
	int64_t age_us = clock_wall_us() - image_number(doc, "_updated_us");

	if (image_has_status(doc, "deleted"))
		return first || age_us > (int64_t)image_conf.sweep_interval * 1000;
	/* What another process of this host began ended with it. */
	return upload && str_eq(json_str(upload, "host"), str_from(s->compute->host)) &&
	       !str_eq(json_str(upload, "run"), str_from(s->run));
}

waits static int sweep_one(struct image_state *s, const struct record *r)
{
	struct str prefix = json_str(json_object_get(r->doc, "_upload"), "prefix");

	if (image_has_status(r->doc, "deleted"))
		return image_remove(s, r->id);
	log_info("image %.*s: its upload broke off", STR(r->id));
	return image_abandon(s, r->id, prefix);
}

/* Whether the record knows of the objects with that prefix. */
static bool knows(const json_t *doc, struct str prefix)
{
	static const char *const members[] = { "_data", "_stage", "_upload" };

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (str_eq(json_str(json_object_get(doc, members[i]), "prefix"), prefix))
			return true;
	return false;
}

/* Objects that no record knows, of a process that ended before it could take them away. A record
 * knows a prefix before there is an object with it. */
waits static int sweep_prefix(struct image_state *s, struct arena *a, struct str id,
			      struct str prefix)
{
	AUTO(json_text) doc = NULL;
	int rc = records_get_newest(s->images, a, id, &doc);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && knows(doc, prefix))
		return 0;
	log_info("objects %.*s belong to no image: they go", STR(prefix));
	return store_delete_prefix(s->compute->store, a, s->data, prefix);
}

/* "ID/UPLOAD/" of the name of an object; absent when it is not of that form. */
static struct str prefix_of(struct str name, struct str *ret_id)
{
	struct str rest = name;

	*ret_id = str_cut(&rest, '/');
	(void)str_cut(&rest, '/');
	return rest.p ? str_head(name, (size_t)(rest.p - name.p)) : STR_NONE;
}

waits static int sweep_orphans(struct image_state *s)
{
	AUTO(arena) a = arena_new();
	struct str marker = S(""), last = S(""), id;
	int64_t before = clock_wall_us() - (int64_t)image_conf.orphan_age * 1000, changed;
	size_t i = 1;

	while (i > 0) {
		AUTO(json_text) rows = NULL;
		const json_t *row;
		int rc = store_list(s->compute->store, a, s->data, S(""), marker, &rows);

		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		json_array_foreach(rows, i, row) {
			marker = arena_str(a, json_str(row, "name"));
			struct str prefix = prefix_of(marker, &id);

			if (!prefix.p || str_eq(prefix, last) ||
			    clock_iso_parse(json_str(row, "last_modified"), &changed) < 0 ||
			    changed > before)
				continue;
			last = prefix;
			rc = sweep_prefix(s, a, id, prefix);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

waits static int sweep(struct image_state *s, bool first)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	AUTO(arena) a = arena_new();
	int rc = records_list(s->images, a, &all);

	for (size_t i = 0; i < all.n && rc == 0; i++)
		if (is_left(s, all.v[i].doc, first))
			rc = sweep_one(s, &all.v[i]);
	if (rc == 0)
		rc = sweep_orphans(s);
	return rc < 0 ? rc : tasks_expire(s);
}

void image_sweep(void *arg)
{
	struct image_state *s = arg;
	bool first = true;

	if (task_sleep(FIRST_MS) < 0)
		return;
	for (;;) {
		int rc = sweep(s, first);

		if (rc == -ECANCELED)
			return;
		if (rc < 0)
			log_debug("image sweep: %s, trying again", strerror(-rc));
		first = first && rc < 0;
		if (task_sleep(rc < 0 ? AGAIN_MS : image_conf.sweep_interval) < 0)
			return;
	}
}
