/* The table of this host's machines, and their life: made, found again, removed. */
#include "compute/machine/internal.h"
#include "compute/api/api.h"
#include "lib/base/clock.h"
#include "lib/disk/file.h"
#include "lib/log/log.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READY_MS = 30000, TURN_MS = 1000, OFF_TRIES = 20, OFF_PAUSE_MS = 250 };

/* ---- one machine at a time ---- */

static struct machine *find(const struct machines *m, struct str id)
{
	return map_peek(m->all, id);
}

/* Until libvirt was reached once, nothing is known of the machines. */
waits static int wait_loaded(struct machines *m, struct fault *why)
{
	uint64_t until = clock_mono_ms() + READY_MS;
	int rc = 0;

	while (!m->loaded && (rc == 0 || rc == -ETIMEDOUT) && clock_mono_ms() < until)
		rc = waitq_wait(&m->changed, "libvirt", TURN_MS);
	if (rc < 0 && rc != -ETIMEDOUT)
		return rc;
	return m->loaded ? 0 : fault_set(why, -ENOTCONN, "libvirt does not answer on this host");
}

/* destroying: it goes before all who wait, and ends a creation. */
waits static int enter(struct machines *m, struct str id, bool destroying, struct machine **ret,
		       struct fault *why)
{
	struct machine *one;
	int ready = wait_loaded(m, why);

	if (ready < 0)
		return ready;
	while ((one = find(m, id))) {
		if (!one->busy && (destroying || !one->doomed)) {
			one->busy = true;
			*ret = one;
			return 0;
		}
		one->doomed = one->doomed || destroying;
		int rc = waitq_wait(&m->changed, "the machine's turn", TURN_MS);

		if (rc < 0 && rc != -ETIMEDOUT)
			return rc;
	}
	return fault_set(why, -ENOENT, "There is no such machine on this host");
}

int machine_enter(struct machines *m, struct str id, struct machine **ret, struct fault *why)
{
	int rc = enter(m, id, false, ret, why);

	if (rc == 0 && (*ret)->making) {
		machine_leave(m, *ret);
		return fault_set(why, -EBUSY, "The machine is not made yet");
	}
	return rc;
}

void machine_leave(struct machines *m, struct machine *one)
{
	one->busy = false;
	waitq_wake_all(&m->changed);
}

static void machine_free(void *p)
{
	struct machine *one = p;

	if (one)
		json_decref(one->doc);
	free(one);
}

static struct machine *add(struct machines *m, struct str id, json_t *doc)
{
	struct machine *one = xcalloc(1, sizeof *one);

	snprintf(one->id, sizeof one->id, "%.*s", STR(id));
	one->doc = doc;
	map_put(m->all, id, one);
	return one;
}

static void drop(struct machines *m, struct machine *one)
{
	map_remove(m->all, str_from(one->id));
	machine_free(one);
	waitq_wake_all(&m->changed);
}

int machine_note(struct machines *m, struct machine *one, const char *key, json_t *value,
		 struct fault *why)
{
	json_t *doc = json_copy(one->doc);

	if (value)
		json_object_set_new(doc, key, value);
	else
		json_object_del(doc, key);
	json_decref(one->doc);
	one->doc = doc;
	return spec_save(m, one, why);
}

/* ---- removed ---- */

struct clearing {
	struct str path;
	struct fault *why;
	int rc;
};

static void clear(void *arg)
{
	struct clearing *k = arg;
	int rc = remove_all(k->path.p);

	k->rc = rc < 0 ? fault_set(k->why, rc, "%s cannot be removed: %s", k->path.p,
				   strerror(-rc)) :
			 0;
}

/* Whatever there is of it. Repeats, as a machine that was just found again may refuse first. */
waits static int remove_machine(struct machines *m, struct machine *one, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct clearing k = { .path = machine_path(m, a, one->id, NULL), .why = why };
	int rc = 0;

	for (unsigned i = 0; i < OFF_TRIES; i++) {
		(void)!machine_act(m, one, VIRT_OFF, NULL);
		rc = machine_act(m, one, VIRT_FORGET, why);
		if (rc == 0 || rc == -ENOENT || rc == -ENOTCONN)
			break;
		if (task_sleep(OFF_PAUSE_MS) < 0)
			break;
	}
	if (rc < 0 && rc != -ENOENT)
		return rc;
	IN_POOL("remove", clear, &k);
	return k.rc;
}

int machine_destroy(struct machines *m, struct str id, struct fault *why)
{
	struct machine *one;
	int rc = enter(m, id, true, &one, why);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	one->doomed = true;
	rc = remove_machine(m, one, why);
	if (rc == 0) {
		drop(m, one);
		return 0;
	}
	one->doomed = false;
	machine_leave(m, one);
	return rc;
}

/* ---- made ---- */

struct preparing {
	struct str path;
	const struct machine_spec *spec;
	struct fault *why;
	int rc;
};

static void make_folder(void *arg)
{
	struct preparing *k = arg;

	k->rc = make_passable(k->path.p, k->why);
}

static void make_config_drive(void *arg)
{
	struct preparing *k = arg;

	k->rc = config_drive_write(k->spec, k->path.p, k->why);
}

waits static int write_config_drive(struct machines *m, const struct machine *one,
				    struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct machine_spec s;

	spec_from_json(a, one->doc, &s);
	if (!s.config_drive)
		return 0;
	struct preparing k = { .path = machine_path(m, a, one->id, "config.iso"), .spec = &s,
			       .why = why };

	IN_POOL("config drive", make_config_drive, &k);
	return k.rc;
}

static int still_wanted(const struct machine *one, struct fault *why)
{
	if (one->doomed)
		return fault_set(why, -ECANCELED, "The machine was deleted while it was made");
	return task_cancelled() ? -ECANCELED : 0;
}

waits static int make_machine(struct machines *m, struct machine *one, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct machine_spec s;
	struct cached base = { .format = NULL };
	struct preparing k = { .path = machine_path(m, a, one->id, NULL), .why = why };

	spec_from_json(a, one->doc, &s);
	IN_POOL("folder", make_folder, &k);
	int rc = k.rc;

	if (rc == 0)
		rc = machine_note(m, one, "making", json_true(), why);
	if (rc == 0)
		rc = cache_need(m, a, one, &s.image, &base, why);
	if (rc == 0)
		rc = machine_note(m, one, "base", json_of(base.key), why);
	if (rc == 0)
		rc = disk_make(m, one, &s.flavor, &base, "disk.qcow2", why);
	if (rc == 0)
		rc = write_config_drive(m, one, why);
	if (rc == 0)
		rc = still_wanted(one, why);
	if (rc == 0)
		rc = machine_define(m, one, why);
	if (rc == 0)
		rc = machine_act(m, one, VIRT_START, why);
	if (rc == 0)
		rc = still_wanted(one, why);
	return rc == 0 ? machine_note(m, one, "making", NULL, why) : rc;
}

int machine_create(struct machines *m, const struct machine_spec *spec, struct fault *why)
{
	int rc = spec_check(spec, why);

	if (rc == 0)
		rc = wait_loaded(m, why);
	if (rc < 0)
		return rc;
	if (find(m, spec->id))
		return fault_set(why, -EEXIST, "The machine is on this host already");
	struct machine *one = add(m, spec->id, spec_to_json(spec));

	one->making = one->busy = true;
	rc = make_machine(m, one, why);
	if (rc == 0) {
		one->making = false;
		machine_leave(m, one);
		return 0;
	}
	struct fault ignored;

	/* If not even that goes, the next start of the daemon or machine_destroy does it. */
	if (remove_machine(m, one, &ignored) == 0)
		drop(m, one);
	else
		machine_leave(m, one);
	return rc;
}

int machine_rebuild(struct machines *m, const struct machine_spec *spec, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct machine *one = NULL;
	struct cached base = { .format = NULL };
	enum virt_state was = VIRT_IS_OFF;
	int rc = spec_check(spec, why);

	if (rc == 0)
		rc = machine_enter(m, spec->id, &one, why);
	if (rc < 0)
		return rc;
	assert(one);
	rc = cache_need(m, a, one, &spec->image, &base, why);
	if (rc == 0)
		rc = machine_ask(m, one, &was, why);
	if (rc == 0)
		rc = machine_act(m, one, VIRT_OFF, why);
	if (rc == 0)
		rc = machine_act(m, one, VIRT_DROP_SAVED, why);
	if (rc == 0)
		rc = disk_make(m, one, &spec->flavor, &base, "disk.qcow2", why);
	if (rc == 0) {
		json_decref(one->doc);
		one->doc = spec_to_json(spec);
		rc = machine_note(m, one, "base", json_of(base.key), why);
	}
	if (rc == 0)
		rc = write_config_drive(m, one, why);
	if (rc == 0)
		rc = machine_define(m, one, why);
	if (rc == 0 && was != VIRT_IS_OFF && was != VIRT_IS_SAVED)
		rc = machine_act(m, one, VIRT_START, why);
	machine_leave(m, one);
	return rc;
}

/* ---- found again ---- */

struct finding {
	struct machines *m;
	struct arena *arena;
	json_t *docs;                   /* by id; null: nothing of use */
};

static void look_for_machines(void *arg)
{
	struct finding *k = arg;
	struct str path = arena_printf(k->arena, "%s/machines", k->m->dir);
	DIR *dir = opendir(path.p);
	const struct dirent *e;

	while (dir && (e = readdir(dir))) {
		CLEANUP(buf_done) struct buf text = BUF(MACHINE_FILE_MAX);

		if (!uuid_valid(str_from(e->d_name)))
			continue;
		struct str file = machine_path(k->m, k->arena, e->d_name, "machine.json");
		json_t *doc = file_read_all(file.p, &text) < 0 ? NULL :
								 json_text_parse(buf_str(&text));

		json_object_set_new(k->docs, e->d_name, doc ? doc : json_object());
	}
	if (dir)
		closedir(dir);
}

void machines_load(struct machines *m)
{
	AUTO(arena) a = arena_new();
	AUTO(json_text) docs = json_object();
	struct finding k = { .m = m, .arena = a, .docs = docs };
	const char *id;
	json_t *doc;

	IN_POOL("machines", look_for_machines, &k);
	json_object_foreach(docs, id, doc) {
		struct machine *one = add(m, str_from(id), json_incref(doc));
		struct fault why = { "" };

		if (json_object_size(doc) && !json_object_get(doc, "making"))
			continue;
		log_info("machine %s was not made to its end: it is removed", id);
		one->making = one->busy = true;
		if (remove_machine(m, one, &why) == 0) {
			drop(m, one);
			continue;
		}
		log_warn("machine %s cannot be removed now, ignoring: %s", id, why.text);
		machine_leave(m, one);
	}
}
