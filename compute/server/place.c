/* Finds a host for a server: the scheduler's answer, claimed in the record. A claim is written on
 * the condition that no host stands there, so of several hosts that try one gets it. */
#include "compute/server/server.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"

enum { ATTEMPTS = 10 };

struct placing {
	struct server_state *s;
	char id[UUID_SIZE];
};

/* Hosts of the other servers of its group. */
static json_t *members_of(const struct host_view *v, const json_t *doc)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < v->servers.n && text(doc, "group").n; i++) {
		const json_t *other = v->servers.v[i].doc;

		if (str_eq(text(other, "group"), text(doc, "group")) && text(other, "host").n &&
		    !str_eq(text(other, "id"), text(doc, "id")))
			json_array_append(hosts, json_object_get(other, "host"));
	}
	return hosts;
}

struct claim {
	const struct sched_host *host;  /* NULL: there is none */
	struct str reason;
};

static int claim(void *arg, json_t *doc)
{
	const struct claim *cl = arg;

	if (text(doc, "host").n || !str_eq(text(doc, "vm_state"), S("building")) ||
	    json_object_get(doc, "todo"))
		return 0;
	if (!cl->host) {
		json_object_set_new(doc, "vm_state", json_string("error"));
		json_object_set_new(doc, "task_state", json_null());
		json_object_set_new(doc, "fault",
				    json_pack("{s:i, s:o, s:I}", "code", 500, "message",
					      json_of(cl->reason), "created_us",
					      (json_int_t)clock_wall_us()));
	} else {
		json_object_set_new(doc, "host", json_of(cl->host->name));
		json_object_set_new(doc, "zone", json_of(cl->host->zone));
		json_object_set_new(doc, "task_state", json_string("networking"));
		json_object_set_new(doc, "todo", json_pack("{s:s}", "action", "create"));
	}
	server_touch(doc);
	return 1;
}

waits static int wish_of(struct server_state *s, struct arena *a, const json_t *doc,
			 struct sched_wish *w, json_t **ret_group)
{
	const json_t *flavor = json_object_get(doc, "flavor"), *image = json_object_get(doc,
											"image");
	int rc = 0;

	*w = (struct sched_wish){
		.vcpus = (uint64_t)number(flavor, "vcpus"),
		.ram_mib = (uint64_t)number(flavor, "ram"),
		.disk_gib = (uint64_t)number(flavor, "disk"),
		.arch = json_str(image, "hw_architecture").p ? json_str(image, "hw_architecture") :
							       json_str(image, "architecture"),
		.zone = json_str(doc, "zone_wanted"),
		.host = json_str(doc, "host_wanted"),
		.extra_specs = json_object_get(flavor, "extra_specs"),
		.refused = json_object_get(doc, "refused"),
	};
	if (text(doc, "group").n)
		rc = records_get(s->groups, a, text(doc, "group"), ret_group);
	if (rc == 0) {
		w->policy = sched_policy_parse(text(*ret_group, "policy"));
		w->per_host = (uint64_t)field_int(json_object_get(*ret_group, "rules"),
						  "max_server_per_host", 0);
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Chooses and claims: 0, also when somebody else has claimed it meanwhile. */
waits static int place(struct server_state *s, struct arena *a, struct str id)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	AUTO(json_text) doc = NULL;
	AUTO(json_text) group = NULL;
	AUTO(json_text) members = NULL;
	struct sched_wish w;
	struct claim cl = { .host = NULL };
	int rc = records_get(s->servers, a, id, &doc);

	if (rc == 0)
		rc = hosts_view(s, a, &v);
	if (rc == 0)
		rc = wish_of(s, a, doc, &w, &group);
	if (rc < 0)
		return rc;
	w.members = members = members_of(&v, doc);
	const struct sched_host **found = arena_alloc(a, (v.n + 1) * sizeof *found);

	if (schedule(a, v.hosts, v.n, &w, found, &cl.reason))
		cl.host = found[0];
	rc = records_change(s->servers, a, id, claim, &cl, NULL);
	if (rc == 0 && !cl.host)
		log_info("server %.*s: %.*s", STR(id), STR(cl.reason));
	return rc;
}

waits static void run(void *arg)
{
	struct placing *p = arg;
	int rc = -EAGAIN;

	for (unsigned i = 0; i < ATTEMPTS && rc < 0 && rc != -ENOENT; i++) {
		AUTO(arena) a = arena_new();

		rc = place(p->s, a, str_from(p->id));
		if (rc < 0 && rc != -ENOENT && task_sleep(500) < 0)
			break;
	}
	if (rc == 0)
		server_kick(p->s);
	free(p);
}

void server_place_later(struct server_state *s, struct str id)
{
	struct placing *p = xcalloc(1, sizeof *p);

	p->s = s;
	snprintf(p->id, sizeof p->id, "%.*s", STR(id));
	task_spawn(&s->compute->background, "place server", run, p);
}

void server_kick(struct server_state *s)
{
	waitq_wake_all(&s->poll);
}
