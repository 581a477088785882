/* explain: asks the devices that may know something of an account, container or object, and says
 * where each copy is, which is the newest, and what is still to be done. */
#include "ringtool/commands/explain.h"
#include "lib/base/encode.h"
#include "lib/http/client.h"

#include <getopt.h>
#include <signal.h>

enum { ANSWER_MAX = 16 * MIB, ASK_MS = 5000, AT_ONCE = 32 };

struct options {
	const char *conf, *rings;
	bool all, json;
};

/* A device to ask, once, whatever rings it is in. */
struct asked {
	struct http_address address;
	char device[RING_DEVICE_SIZE];
	json_t *answer;                 /* what it said; NULL: nothing */
	int error;
};

struct explain {
	struct options o;
	struct cluster *cluster;
	struct arena *arena;
	struct str path, account, container, object;
	struct asked *asked;
	unsigned asked_n, asked_cap;
	struct http_client *client;
	struct task_sem room;
	json_t *result;
};

/* ---- whom to ask ---- */

static unsigned asked_at(struct explain *e, const struct ring_dev *dev)
{
	struct asked *a;

	for (unsigned i = 0; i < e->asked_n; i++) {
		a = &e->asked[i];
		if (a->address.port == dev->port && strcmp(a->address.ip, dev->ip) == 0 &&
		    strcmp(a->device, dev->device) == 0)
			return i;
	}
	if (e->asked_n == e->asked_cap) {
		e->asked_cap = MAX(2 * e->asked_cap, 64u);
		e->asked = xreallocarray(e->asked, e->asked_cap, sizeof *e->asked);
	}
	a = &e->asked[e->asked_n];
	*a = (struct asked){ .address.port = dev->port };
	snprintf(a->address.ip, sizeof a->address.ip, "%.63s", dev->ip);
	snprintf(a->device, sizeof a->device, "%s", dev->device);
	return e->asked_n++;
}

static void add_device(struct explain *e, json_t *list, const struct ring_dev *dev,
		       const char *place)
{
	json_t *j = json_object();

	json_object_set_new(j, "place", json_string(place));
	json_object_set_new(j, "ip", json_string(dev->ip));
	json_object_set_new(j, "port", json_integer((json_int_t)dev->port));
	json_object_set_new(j, "device", json_string(dev->device));
	json_object_set_new(j, "region", json_integer((json_int_t)dev->region));
	json_object_set_new(j, "zone", json_integer((json_int_t)dev->zone));
	json_object_set_new(j, "asked", json_integer((json_int_t)asked_at(e, dev)));
	json_array_append_new(list, j);
}

static bool is_among(const struct ring_dev *const *devs, unsigned n, const struct ring_dev *dev)
{
	for (unsigned i = 0; i < n; i++)
		if (devs[i] == dev)
			return true;
	return false;
}

/* Primaries, previous owners, and as many handoffs as primaries (or all). */
static json_t *devices_of(struct explain *e, const struct ring *ring, uint32_t part)
{
	const struct ring_dev *primaries[RING_REPLICAS_MAX], *previous[RING_REPLICAS_MAX], *dev;
	AUTO(free) room = xcalloc(ring_dev_count(ring) + 1, sizeof(uint32_t));
	unsigned n = ring_primaries(ring, part, primaries, RING_REPLICAS_MAX);
	unsigned before = ring_previous(ring, part, previous, RING_REPLICAS_MAX), handoffs = 0;
	struct ring_handoffs it;
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		add_device(e, list, primaries[i], "primary");
	for (unsigned i = 0; i < before; i++)
		add_device(e, list, previous[i], "previous");
	ring_handoffs_start_all(ring, part, &it, room);
	while ((e->o.all || handoffs < n) && (dev = ring_handoffs_next(&it))) {
		if (is_among(previous, before, dev))
			continue;
		add_device(e, list, dev, "handoff");
		handoffs++;
	}
	return list;
}

static json_t *section(struct explain *e, const struct ring *ring, struct str container,
		       struct str object)
{
	const struct cluster *c = e->cluster;
	unsigned char md5[16];
	char hex[33];
	json_t *j = json_object();

	ring_hash_path(c->hash_prefix, c->hash_suffix, e->account, container, object, md5);
	hex_encode(md5, sizeof md5, hex);
	uint32_t part = ring_part_of_hash(ring, md5);

	json_object_set_new(j, "hash", json_string(hex));
	json_object_set_new(j, "partition", json_integer(part));
	json_object_set_new(j, "ring_version", json_integer(ring_version(ring)));
	json_object_set_new(j, "devices", devices_of(e, ring, part));
	return j;
}

/* Sections with the devices of each ring that has to do with it. */
static void plan(struct explain *e)
{
	const struct cluster *c = e->cluster;

	e->result = json_object();
	json_object_set_new(e->result, "path", json_stringn(e->path.p, e->path.n));
	json_object_set_new(e->result, "account",
			    section(e, c->account_ring, STR_NONE, STR_NONE));
	if (!e->container.n)
		return;
	json_object_set_new(e->result, "container",
			    section(e, c->container_ring, e->container, STR_NONE));
	if (!e->object.n)
		return;
	json_t *list = json_array();

	for (unsigned i = 0; i < c->policy_count; i++) {
		json_t *j = section(e, c->policies[i].ring, e->container, e->object);

		json_object_set_new(j, "policy", json_integer((json_int_t)c->policies[i].index));
		json_object_set_new(j, "policy_name",
				    json_stringn(c->policies[i].name.p, c->policies[i].name.n));
		json_array_append_new(list, j);
	}
	json_object_set_new(e->result, "objects", list);
}

/* ---- asking ---- */

waits static int ask(struct explain *e, struct asked *to)
{
	CLEANUP(buf_done) struct buf body = BUF(ANSWER_MAX);
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct response res = { 0 };
	struct headers h;
	struct str path = arena_printf(a, "/%s/0/.needletail/explain", to->device);
	int rc = exchange_start(e->client, &to->address, &x);

	headers_init(&h, a);
	if (rc == 0)
		rc = exchange_send(x, S("POST"), path, &h, (int64_t)e->path.n, e->path);
	if (rc == 0)
		rc = exchange_receive(x, a, false, &res);
	if (rc < 0)
		return rc;
	rc = body_read_all(res.body, &body);
	body_close(res.body);
	if (rc < 0)
		return rc;
	if (res.status != 200)
		return res.status == 507 ? -ENODEV : -EOPNOTSUPP;
	to->answer = json_loadb(body.p, body.n, 0, NULL);
	return to->answer ? 0 : -EBADMSG;
}

struct ask_job {
	struct explain *e;
	unsigned i;
};

task_asserted static void ask_run(void *arg)
{
	struct ask_job *j = arg;

	if (task_sem_take(&j->e->room, 0) < 0)
		return;
	j->e->asked[j->i].error = ask(j->e, &j->e->asked[j->i]);
	task_sem_give(&j->e->room);
}

task_asserted static void ask_all(void *arg)
{
	struct explain *e = arg;
	struct http_client_options o = http_client_options_default;
	struct ask_job *jobs = arena_alloc(e->arena, (e->asked_n + 1) * sizeof *jobs);

	o.response_timeout_ms = ASK_MS;
	e->client = http_client_new(&o);
	task_sem_init(&e->room, AT_ONCE);
	{
		TASK_GROUP(g);

		for (unsigned i = 0; i < e->asked_n; i++) {
			jobs[i] = (struct ask_job){ e, i };
			task_spawn(&g, "ask", ask_run, &jobs[i]);
		}
		(void)!task_group_join(&g);
	}
	http_client_free(e->client);
}

/* ---- putting it together ---- */

/* The part of a device's answer that belongs to a section. */
static json_t *part_of(const json_t *answer, const char *key, const json_t *policy)
{
	json_t *found = json_object_get(answer, key), *one;
	size_t i;

	if (!policy)
		return json_is_object(found) ? json_incref(found) : json_null();
	json_array_foreach(found, i, one)
		if (json_equal(json_object_get(one, "policy"), policy))
			return json_incref(one);
	return json_null();
}

static void fill(struct explain *e, json_t *into, const char *key)
{
	const json_t *policy = json_object_get(into, "policy");
	json_t *dev;
	size_t i;

	json_array_foreach(json_object_get(into, "devices"), i, dev) {
		json_int_t at = json_integer_value(json_object_get(dev, "asked"));
		const struct asked *a = &e->asked[at];

		json_object_del(dev, "asked");
		if (a->answer)
			json_object_set_new(dev, "has", part_of(a->answer, key, policy));
		else
			json_object_set_new(dev, "error",
					    json_string(a->error == -EOPNOTSUPP ?
								"does not answer that question" :
								strerror(-a->error)));
	}
}

static void add_pending(struct explain *e)
{
	json_t *list = json_array(), *row;

	for (unsigned i = 0; i < e->asked_n; i++) {
		const struct asked *a = &e->asked[i];
		size_t k;

		json_array_foreach(json_object_get(a->answer, "pending"), k, row) {
			json_t *j = json_copy(row);
			char at[2 * RING_HOST_SIZE];

			snprintf(at, sizeof at, "%s:%u/%s", a->address.ip, a->address.port,
				 a->device);
			json_object_set_new(j, "at", json_string(at));
			json_array_append_new(list, j);
		}
	}
	json_object_set_new(e->result, "pending", list);
}

static void put_together(struct explain *e)
{
	json_t *one;
	size_t i;

	json_t *account = json_object_get(e->result, "account");
	json_t *container = json_object_get(e->result, "container");

	fill(e, account, "account");
	if (container)
		fill(e, container, "container");
	json_array_foreach(json_object_get(e->result, "objects"), i, one)
		fill(e, one, "objects");
	if (e->object.n)
		add_pending(e);
	explain_judge(e->result);
}

/* ---- the command ---- */

static int parse(struct session *s, struct explain *e)
{
	static const struct option options[] = {
		{ "conf", required_argument, NULL, 'c' },
		{ "rings", required_argument, NULL, 'r' },
		{ "all", no_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int letter;

	e->o = (struct options){ .conf = "/etc/needletail/needletail.conf" };
	optind = 0;
	while ((letter = getopt_long(s->argc, s->argv, "c:r:aj", options, NULL)) != -1) {
		switch (letter) {
		case 'c': e->o.conf = optarg; break;
		case 'r': e->o.rings = optarg; break;
		case 'a': e->o.all = true; break;
		case 'j': e->o.json = true; break;
		default: return command_usage(&command_explain);
		}
	}
	if (s->argc - optind != 1)
		return command_usage(&command_explain);
	struct str rest = str_from(s->argv[optind]);

	while (str_starts(rest, S("/")))
		rest = str_skip(rest, 1);
	e->path = rest;
	e->account = str_cut(&rest, '/');
	e->container = rest.n ? str_cut(&rest, '/') : STR_NONE;
	e->object = rest;
	if (e->account.n == 0 || (e->object.n && e->container.n == 0))
		return command_failed("'%s' is no account, container or object", s->argv[optind]);
	return EXIT_GOOD;
}

static int load(struct explain *e)
{
	struct fault why;
	struct str dir = str_from(e->o.conf);
	ssize_t slash = str_rchr(dir, '/');
	struct str rings = e->o.rings ? str_from(e->o.rings) :
					arena_printf(e->arena, "%.*s/rings", (int)MAX(slash, 0),
						     slash > 0 ? dir.p : ".");

	if (cluster_configure(e->cluster, arena_cstr(e->arena, rings), e->o.conf, &why) < 0 ||
	    cluster_load_rings(e->cluster, &why) < 0)
		return command_failed("%s", why.text);
	return EXIT_GOOD;
}

static int explain(struct explain *e)
{
	if (load(e) != EXIT_GOOD)
		return EXIT_ERROR;
	plan(e);
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	tasks_run(ask_all, e);
	put_together(e);
	if (e->o.json) {
		json_dumpf(e->result, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		explain_print(e->result);
	}
	return json_is_true(json_object_get(e->result, "settled")) ? EXIT_GOOD : EXIT_WARNING;
}

static int run(struct session *s)
{
	AUTO(arena) a = arena_new();
	struct explain e = { .arena = a, .cluster = xcalloc(1, sizeof *e.cluster) };
	int code = parse(s, &e);

	if (code == EXIT_GOOD)
		code = explain(&e);
	for (unsigned i = 0; i < e.asked_n; i++)
		json_decref(e.asked[i].answer);
	free(e.asked);
	json_decref(e.result);
	cluster_done(e.cluster);
	free(e.cluster);
	return code;
}

const struct command command_explain = {
	.name = "explain", .flags = COMMAND_ALONE, .run = run,
	.usage = "ringtool explain [--conf FILE] [--rings DIR] [--all] [--json] "
		 "account[/container[/object]]\n"
		 "    Asks the devices of a running cluster what they have of it. Exit code 1 says "
		 "that\n"
		 "    something is still to be done.",
};
