/* What the records ask of this host's machines is done here, and only here the launcher is called.
 * A task per server runs its "todo"; what other hosts have written is found by polling. */
#include "compute/machine/machine.h"
#include "compute/server/server.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/map.h"
#include "lib/log/log.h"

struct job {
	struct server_state *s;
	char id[UUID_SIZE];
	bool removing;                  /* beside another task of this server, which it ends */
};

static struct str key_of(struct arena *a, struct str id, bool removing)
{
	return arena_printf(a, "%.*s%s", STR(id), removing ? "/delete" : "");
}

/* ---- what a machine is made of ---- */

static struct machine_flavor flavor_of(const json_t *f)
{
	return (struct machine_flavor){ .vcpus = (unsigned)number(f, "vcpus"),
					.ram_mib = (uint64_t)number(f, "ram"),
					.disk_gib = (uint64_t)number(f, "disk") };
}

static struct machine_image image_of(const json_t *i)
{
	return (struct machine_image){ .id = json_str(i, "id"),
				       .disk_format = json_str(i, "disk_format"),
				       .hash_algo = json_str(i, "os_hash_algo"),
				       .hash = json_str(i, "os_hash_value"),
				       .checksum = json_str(i, "checksum"),
				       .size = (uint64_t)number(i, "size") };
}

static unsigned nics_of(const json_t *doc, struct machine_nic nics[MACHINE_NICS_MAX])
{
	const json_t *nic;
	unsigned n = 0;
	size_t i;

	json_array_foreach(json_object_get(doc, "nics"), i, nic)
		if (n < MACHINE_NICS_MAX)
			nics[n++] = (struct machine_nic){
				.kind = MACHINE_NIC_USER,
				.port_id = json_str(nic, "port_id"),
				.network_id = json_str(nic, "network_id"),
				.mac = json_str(nic, "mac"),
				.address = json_str(nic, "address"),
				.gateway = json_str(nic, "gateway"),
				.prefix = (unsigned)number(nic, "prefix"),
			};
	return n;
}

static void spec_of(struct arena *a, const json_t *doc, struct machine_nic *nics,
		    struct machine_spec *ret)
{
	CLEANUP(buf_done) struct buf raw = BUF(MACHINE_USER_DATA_MAX);
	struct str user_data = json_str(doc, "user_data");

	*ret = (struct machine_spec){
		.id = json_str(doc, "id"),
		.name = json_str(doc, "name"),
		.hostname = json_str(doc, "hostname"),
		.project_id = json_str(doc, "project_id"),
		.user_id = json_str(doc, "user_id"),
		.availability_zone = json_str(doc, "zone"),
		.flavor = flavor_of(json_object_get(doc, "flavor")),
		.image = image_of(json_object_get(doc, "image")),
		.config_drive = json_is_true(json_object_get(doc, "config_drive")),
		.metadata = json_object_get(doc, "metadata"),
		.key_name = json_str(doc, "key_name"),
		.key = json_str(doc, "key"),
		.nics = nics,
		.nic_count = nics_of(doc, nics),
	};
	if (user_data.n && base64_decode(&raw, user_data) == 0 && !buf_failed(&raw))
		ret->user_data = arena_str(a, buf_str(&raw));
}

/* ---- the records' side ---- */

struct outcome {
	struct server_state *s;
	struct str action;              /* the todo that was done */
	const char *vm_state;           /* NULL: as it was */
	struct str why;                 /* absent: it went well */
	bool refused;                   /* another host is to have it */
	bool failed;                    /* the server is broken: ERROR */
	int power;                      /* -1: as it was */
};

static void finish_action(json_t *doc, const struct outcome *o)
{
	json_t *a;
	size_t i;

	json_array_foreach(json_object_get(doc, "actions"), i, a) {
		if (!str_eq(text(a, "action"), o->action) || number(a, "finish_us"))
			continue;
		json_object_set_new(a, "finish_us", json_integer(clock_wall_us()));
		if (o->why.p)
			json_object_set_new(a, "message", json_of(o->why));
		return;
	}
}

static bool is_ours(const struct server_state *s, const json_t *doc)
{
	return str_eq(text(doc, "host"), str_from(s->compute->host));
}

static void give_back(const struct server_state *s, json_t *doc)
{
	json_array_append_new(json_object_get(doc, "refused"), json_string(s->compute->host));
	json_object_set_new(doc, "host", json_null());
	json_object_set_new(doc, "task_state", json_string("scheduling"));
}

static int settle(void *arg, json_t *doc)
{
	const struct outcome *o = arg;

	if (!is_ours(o->s, doc) ||
	    !str_eq(text(json_object_get(doc, "todo"), "action"), o->action))
		return 0;
	json_object_del(doc, "todo");
	json_object_set_new(doc, "task_state", json_null());
	if (o->refused) {
		give_back(o->s, doc);
		server_touch(doc);
		return 1;
	}
	finish_action(doc, o);
	if (o->vm_state)
		json_object_set_new(doc, "vm_state", json_string(o->vm_state));
	if (o->power >= 0)
		json_object_set_new(doc, "power_state", json_integer(o->power));
	if (o->failed)
		json_object_set_new(doc, "vm_state", json_string("error"));
	if (o->why.p)
		json_object_set_new(doc, "fault",
				    json_pack("{s:i, s:o, s:I}", "code", 500, "message",
					      json_of(o->why), "created_us",
					      (json_int_t)clock_wall_us()));
	if (str_eq(o->action, S("create")) && !o->why.p)
		json_object_set_new(doc, "launched_us", json_integer(clock_wall_us()));
	/* A resize that did not come about, or was taken back, has the flavor of before. */
	if ((str_eq(o->action, S("resize")) && o->why.p) ||
	    (str_eq(o->action, S("revertResize")) && !o->why.p))
		json_object_set(doc, "flavor", json_object_get(doc, "old_flavor"));
	if (!str_eq(o->action, S("resize")) || o->why.p)
		json_object_del(doc, "old_flavor");
	server_touch(doc);
	return 1;
}

static int begin_spawning(void *arg, json_t *doc)
{
	if (!is_ours(arg, doc) || !str_eq(text(json_object_get(doc, "todo"), "action"),
					  S("create")))
		return -ECANCELED;
	json_object_set_new(doc, "task_state", json_string("spawning"));
	server_touch(doc);
	return 1;
}

/* ---- the machine's side ---- */

enum { POWER_NONE = 0, POWER_RUNNING = 1, POWER_PAUSED = 3, POWER_OFF = 4, POWER_CRASHED = 6 };

struct work {
	struct server_state *s;
	struct machines *m;
	struct arena *a;
	const json_t *doc, *todo;
	struct str id;
	struct fault why;
	struct outcome *out;
};

/* Whether all servers that were promised this host still fit, this one included: another scheduler
 * may have promised the same room at the same time. Those that came first stay. */
waits static int check_room(struct work *w)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	int rc = hosts_view(w->s, w->a, &v);

	for (unsigned i = 0; i < v.n && rc == 0; i++) {
		struct sched_host *h = &v.hosts[i];
		const struct sched_host *found[1];
		struct sched_wish wish = { .vcpus = 0 };
		struct str reason;

		if (str_eq(h->name, str_from(w->s->compute->host)) && !schedule(w->a, h, 1, &wish,
										found, &reason))
			rc = fault_set(&w->why, -ENOSPC, "%.*s", STR(reason));
	}
	return rc;
}

waits static int do_create(struct work *w)
{
	struct machine_nic nics[MACHINE_NICS_MAX];
	struct machine_spec spec;
	int rc = check_room(w);

	if (rc == 0)
		rc = records_change(w->s->servers, w->a, w->id, begin_spawning, w->s, NULL);
	if (rc < 0) {
		w->out->refused = rc == -ENOSPC;
		return rc;
	}
	spec_of(w->a, w->doc, nics, &spec);
	rc = machine_create(w->m, &spec, &w->why);
	/* An earlier process has begun with it. */
	if (rc == -EEXIST && machine_destroy(w->m, w->id, &w->why) == 0)
		rc = machine_create(w->m, &spec, &w->why);
	w->out->refused = rc == -ENOSPC || rc == -ENOTCONN;
	w->out->failed = rc < 0;
	w->out->vm_state = "active";
	return rc;
}

waits static int do_start(struct work *w)
{
	w->out->vm_state = "active";
	return machine_start(w->m, w->id, &w->why);
}

waits static int do_stop(struct work *w)
{
	w->out->vm_state = "stopped";
	return machine_stop(w->m, w->id, server_conf.stop_timeout, &w->why);
}

waits static int do_reboot(struct work *w)
{
	w->out->vm_state = "active";
	return machine_reboot(w->m, w->id, json_is_true(json_object_get(w->todo, "hard")),
			      server_conf.stop_timeout, &w->why);
}

waits static int do_pause(struct work *w)
{
	w->out->vm_state = "paused";
	return machine_pause(w->m, w->id, &w->why);
}

waits static int do_unpause(struct work *w)
{
	w->out->vm_state = "active";
	return machine_unpause(w->m, w->id, &w->why);
}

waits static int do_suspend(struct work *w)
{
	w->out->vm_state = "suspended";
	return machine_suspend(w->m, w->id, &w->why);
}

waits static int do_resume(struct work *w)
{
	w->out->vm_state = "active";
	return machine_resume(w->m, w->id, &w->why);
}

waits static int do_rebuild(struct work *w)
{
	struct machine_nic nics[MACHINE_NICS_MAX];
	struct machine_spec spec;

	spec_of(w->a, w->doc, nics, &spec);
	w->out->vm_state = str_eq(text(w->doc, "vm_state"), S("stopped")) ? "stopped" : "active";
	return machine_rebuild(w->m, &spec, &w->why);
}

waits static int do_resize(struct work *w)
{
	struct machine_flavor to = flavor_of(json_object_get(w->doc, "flavor"));

	w->out->vm_state = "resized";
	return machine_resize(w->m, w->id, &to, server_conf.stop_timeout, &w->why);
}

waits static const char *state_now(struct work *w, int *ret_power)
{
	enum machine_state state;
	struct fault why;
	int rc = machine_state(w->m, w->id, &state, &why);

	if (rc < 0)
		return NULL;
	switch (state) {
	case MACHINE_OFF:
		*ret_power = POWER_OFF;
		return "stopped";
	case MACHINE_RUNNING:
		*ret_power = POWER_RUNNING;
		return "active";
	case MACHINE_PAUSED:
		*ret_power = POWER_PAUSED;
		return "paused";
	case MACHINE_SUSPENDED:
		*ret_power = POWER_OFF;
		return "suspended";
	case MACHINE_CRASHED:
		*ret_power = POWER_CRASHED;
		return "error";
	}
	return NULL;
}

waits static int do_confirm(struct work *w)
{
	int rc = machine_resize_confirm(w->m, w->id, &w->why), power;

	w->out->vm_state = state_now(w, &power);
	return rc;
}

waits static int do_revert(struct work *w)
{
	int rc = machine_resize_revert(w->m, w->id, &w->why), power;

	w->out->vm_state = state_now(w, &power);
	return rc;
}

waits static int do_rescue(struct work *w)
{
	struct machine_image image = image_of(json_object_get(w->todo, "image"));

	w->out->vm_state = "rescued";
	return machine_rescue(w->m, w->id, &image, &w->why);
}

waits static int do_unrescue(struct work *w)
{
	w->out->vm_state = "active";
	return machine_unrescue(w->m, w->id, &w->why);
}

static const struct {
	const char *action;
	int (*run)(struct work *w);
} works[] = {
	{ "create", do_create },	 { "start", do_start },
	{ "stop", do_stop },		 { "reboot", do_reboot },
	{ "pause", do_pause },		 { "unpause", do_unpause },
	{ "suspend", do_suspend },	 { "resume", do_resume },
	{ "rebuild", do_rebuild },	 { "resize", do_resize },
	{ "confirmResize", do_confirm }, { "revertResize", do_revert },
	{ "rescue", do_rescue },	 { "unrescue", do_unrescue },
};

/* ---- a job ---- */

waits static void remove_server(struct work *w)
{
	int rc = machine_destroy(w->m, w->id, &w->why);

	if (rc == 0)
		rc = records_remove(w->s->servers, w->a, w->id);
	if (rc < 0)
		log_warn("server %.*s cannot be removed yet: %s", STR(w->id), w->why.text);
}

/* What it is after something went wrong: what the machine says. */
waits static void judge(struct work *w, int rc)
{
	struct outcome *o = w->out;
	const char *now = o->refused ? NULL : state_now(w, &o->power);

	if (rc < 0) {
		o->why = str_from(w->why.text[0] ? w->why.text : strerror(-rc));
		log_warn("server %.*s, %.*s: %.*s", STR(w->id), STR(o->action), STR(o->why));
		o->vm_state = o->failed || !now ? "error" : now;
	}
}

waits static void do_todo(struct work *w)
{
	struct outcome out = { .s = w->s, .action = text(w->todo, "action"), .power = -1 };
	int rc = -ENOSYS;

	w->out = &out;
	w->why.text[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(works); i++)
		if (str_eq(out.action, str_from(works[i].action)))
			rc = works[i].run(w);
	if (rc == -ECANCELED)
		return;
	judge(w, rc);
	if (records_change(w->s->servers, w->a, w->id, settle, &out, NULL) == 0 && out.refused)
		server_place_later(w->s, w->id);
}

waits static void run_job(void *arg)
{
	struct job *j = arg;
	struct server_state *s = j->s;
	AUTO(arena) a = arena_new();
	AUTO(json_text) doc = NULL;
	struct str id = str_from(j->id);
	int rc = records_get(s->servers, a, id, &doc);

	if (rc == 0 && is_ours(s, doc)) {
		struct work w = { .s = s, .m = machines_here(), .a = a, .doc = doc, .id = id,
				  .todo = json_object_get(doc, "todo") };

		if (w.m && j->removing)
			remove_server(&w);
		else if (w.m && w.todo)
			do_todo(&w);
	}
	map_remove(s->busy, key_of(a, id, j->removing));
	waitq_wake_all(&s->poll);
	free(j);
}

static void start_job(struct server_state *s, struct arena *a, struct str id, bool removing)
{
	struct job *j;

	if (map_peek(s->busy, key_of(a, id, removing)))
		return;
	j = xcalloc(1, sizeof *j);
	j->s = s;
	j->removing = removing;
	snprintf(j->id, sizeof j->id, "%.*s", STR(id));
	map_put(s->busy, key_of(a, id, removing), j);
	task_spawn(&s->compute->background, "server", run_job, j);
}

/* A server that nobody has placed: whoever was about to has died. */
static bool is_lost(const json_t *doc)
{
	enum { LOST_US = 30 * 1000 * 1000 };

	return !text(doc, "host").n && str_eq(text(doc, "task_state"), S("scheduling")) &&
	       clock_wall_us() - number(doc, "updated_us") > LOST_US;
}

waits static void look(struct server_state *s)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	AUTO(arena) a = arena_new();

	if (records_list(s->servers, a, &all) < 0)
		return;
	for (size_t i = 0; i < all.n; i++) {
		const json_t *doc = all.v[i].doc, *todo = json_object_get(doc, "todo");

		if (todo && is_ours(s, doc))
			start_job(s, a, all.v[i].id,
				  str_eq(text(todo, "action"), S("delete")));
		else if (is_lost(doc))
			server_place_later(s, all.v[i].id);
	}
}

/* ---- machines that went down, or came up, by themselves ---- */

struct seen {
	const char *vm_state;
	int power;
};

static int set_seen(void *arg, json_t *doc)
{
	const struct seen *seen = arg;

	if (json_object_get(doc, "todo") || text(doc, "task_state").n)
		return 0;
	if (number(doc, "power_state") == seen->power &&
	    str_eq(text(doc, "vm_state"), str_from(seen->vm_state)))
		return 0;
	json_object_set_new(doc, "vm_state", json_string(seen->vm_state));
	json_object_set_new(doc, "power_state", json_integer(seen->power));
	server_touch(doc);
	return 1;
}

/* Only between these two: a machine that was paused or rescued tells nothing new. */
waits static void compare_states(struct server_state *s)
{
	AUTO(arena) a = arena_new();
	struct machine_list list;
	struct fault why;

	if (!machines_here() || machine_list(machines_here(), a, &list, &why) < 0)
		return;
	for (unsigned i = 0; i < list.n; i++) {
		AUTO(json_text) doc = NULL;
		bool off = list.v[i].state == MACHINE_OFF;
		struct seen seen = { off ? "stopped" : "active", off ? POWER_OFF : POWER_RUNNING };

		if (list.v[i].making || (!off && list.v[i].state != MACHINE_RUNNING) ||
		    map_peek(s->busy, list.v[i].id) ||
		    records_get(s->servers, a, list.v[i].id, &doc) < 0 || !is_ours(s, doc))
			continue;
		if (str_eq(text(doc, "vm_state"), S("active")) ||
		    str_eq(text(doc, "vm_state"), S("stopped")))
			(void)!records_change(s->servers, a, list.v[i].id, set_seen, &seen, NULL);
	}
}

void drive_run(void *arg)
{
	struct server_state *s = arg;

	for (;;) {
		int rc;

		look(s);
		rc = waitq_wait(&s->poll, "something to do", server_conf.poll_interval);
		if (rc == -ECANCELED)
			return;
		if (rc == -ETIMEDOUT)
			compare_states(s);
	}
}

int drive_console(struct server_state *s, struct str id, unsigned lines, struct arena *a,
		  struct str *ret, struct fault *why)
{
	(void)s;
	if (!machines_here())
		return fault_set(why, -ENOTCONN, "This host runs no machines.");
	return machine_console_log(machines_here(), id, lines, a, ret, why);
}

/* ---- the heartbeat ---- */

static int beat(void *arg, json_t *doc)
{
	json_object_update(doc, arg);
	return 1;
}

static json_t *beat_of(struct server_state *s, const struct machine_host *h)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o, s:b, s:I, s:s}",
			 "host", s->compute->host, "beat_us", (json_int_t)clock_wall_us(), "vcpus",
			 (json_int_t)h->vcpus, "ram_mib", (json_int_t)h->ram_mib, "disk_gib",
			 (json_int_t)h->disk_gib, "disk_free_gib", (json_int_t)h->disk_free_gib,
			 "arch", json_of(h->arch), "hypervisor", json_of(h->hypervisor),
			 "hypervisor_version", (json_int_t)h->hypervisor_version, "cpu_model",
			 json_of(h->cpu_model), "hardware", (int)h->hardware, "machines",
			 (json_int_t)h->machines, "ip",
			 server_conf.bind_ip);
}

waits static int announce(struct server_state *s)
{
	AUTO(arena) a = arena_new();
	struct str name = str_from(s->compute->host);
	struct machine_host h;
	struct fault why;
	int rc = machine_host(machines_here(), a, &h, &why);

	if (rc < 0)
		return rc;
	AUTO(json_text) doc = beat_of(s, &h);

	rc = records_change(s->hosts, a, name, beat, doc, NULL);
	if (rc != -ENOENT)
		return rc;
	char uuid[UUID_SIZE];

	uuid_make(uuid);
	json_object_set_new(doc, "uuid", json_string(uuid));
	json_object_set_new(doc, "number", json_integer((json_int_t)(clock_wall_us() / 1000 %
								     INT32_MAX)));
	rc = records_create(s->hosts, a, name, doc);
	return rc == -EEXIST ? 0 : rc;
}

void heartbeat_run(void *arg)
{
	struct server_state *s = arg;

	do {
		if (machines_here())
			(void)!announce(s);
	} while (task_sleep(scheduler_conf.heartbeat_interval) == 0);
}
