/* Runs the launcher as needletail-compute does, told what to do by lines of JSON on its input, so
 * that tests can do one thing at a time: {"n": 1, "do": "create", "spec": {…}}. Each line runs in
 * a task of its own; its answer is a line {"n": 1, "rc": 0, "why": "", …} on the output. */
#include "compute/identity/identity.h"
#include "compute/machine/internal.h"
#include "lib/log/log.h"

#include <unistd.h>

enum { LINE_BYTES = 1 * MIB };

static struct {
	struct compute compute;
	struct machines *m;
	const char *conf;
	struct task_group jobs;
	char line[LINE_BYTES];
	char *got;
} self;

struct job {
	struct arena *a;
	json_t *ask, *answer;
	struct str id;
	struct fault why;
};

waits static int take_snapshot(struct job *j)
{
	struct body *body;
	uint64_t size = 0, n = 0;
	struct str chunk;
	int rc = machine_snapshot(self.m, j->id, j->a, &size, &body, &j->why);

	if (rc < 0)
		return rc;
	FILE *to = fopen(json_str(j->ask, "path").p, "w");

	while (to && (rc = body_next(body, &chunk)) == 1)
		n += fwrite(chunk.p, 1, chunk.n, to);
	body_close(body);
	if (to && fclose(to) != 0)
		rc = -EIO;
	json_object_set_new(j->answer, "size", json_integer((json_int_t)size));
	json_object_set_new(j->answer, "read", json_integer((json_int_t)n));
	return rc;
}

waits static int look(struct job *j)
{
	struct machine_list list = { .n = 0 };
	struct machine_host h = { .vcpus = 0 };
	json_t *all = json_object();
	int rc = machine_list(self.m, j->a, &list, &j->why);

	if (rc == 0)
		rc = machine_host(self.m, j->a, &h, &j->why);
	for (unsigned i = 0; i < list.n; i++)
		json_object_set_new(all, list.v[i].id.p, json_integer(list.v[i].state));
	json_object_set_new(j->answer, "machines", all);
	json_object_set_new(j->answer, "vcpus", json_integer(h.vcpus));
	json_object_set_new(j->answer, "vcpus_used", json_integer(h.vcpus_used));
	json_object_set_new(j->answer, "ram_mib", json_integer((json_int_t)h.ram_mib));
	json_object_set_new(j->answer, "version", json_integer(h.hypervisor_version));
	json_object_set_new(j->answer, "arch", json_of(h.arch));
	return rc;
}

waits static int observe(struct job *j)
{
	uint64_t lines = (uint64_t)json_integer_value(json_object_get(j->ask, "lines"));
	struct machine_vnc vnc = { .port = 0 };
	enum machine_state state = MACHINE_OFF;
	struct str log = STR_NONE;
	int rc = machine_console_log(self.m, j->id, (unsigned)lines, j->a, &log, &j->why);

	if (rc == 0)
		rc = machine_state(self.m, j->id, &state, &j->why);
	if (rc == 0 && state == MACHINE_RUNNING && machine_conf.vnc)
		rc = machine_vnc(self.m, j->id, &vnc, &j->why);
	json_object_set_new(j->answer, "state", json_integer(state));
	json_object_set_new(j->answer, "vnc", json_integer(vnc.port));
	/* Consoles are not UTF-8 where firmware drew on them. */
	CLEANUP(buf_done) struct buf plain = BUF(MACHINE_CONSOLE_MAX);

	for (size_t i = 0; i < log.n; i++)
		buf_add_char(&plain, log.p[i] == '\n' || (log.p[i] >= ' ' && log.p[i] <= '~') ?
					     log.p[i] :
					     '?');
	json_object_set_new(j->answer, "log", json_of(buf_str(&plain)));
	return rc;
}

waits static int on_spec(struct job *j, struct str what)
{
	struct machine_spec s;

	spec_from_json(j->a, json_object_get(j->ask, "spec"), &s);
	if (str_eq(what, S("create")))
		return machine_create(self.m, &s, &j->why);
	if (str_eq(what, S("rebuild")))
		return machine_rebuild(self.m, &s, &j->why);
	s.id = j->id;
	if (str_eq(what, S("rescue")))
		return machine_rescue(self.m, s.id, &s.image, &j->why);
	return machine_resize(self.m, s.id, &s.flavor, 0, &j->why);
}

waits static int run_one(struct job *j)
{
	struct str what = json_str(j->ask, "do");
	uint64_t ms = (uint64_t)json_integer_value(json_object_get(j->ask, "timeout_ms"));
	bool hard = json_is_true(json_object_get(j->ask, "hard"));
	static const struct {
		const char *name;
		int (*fn)(struct machines *, struct str, struct fault *);
	} plain[] = {
		{ "start", machine_start },     { "pause", machine_pause },
		{ "unpause", machine_unpause }, { "suspend", machine_suspend },
		{ "resume", machine_resume },   { "destroy", machine_destroy },
		{ "confirm", machine_resize_confirm },
		{ "revert", machine_resize_revert },
		{ "unrescue", machine_unrescue },
	};

	for (unsigned i = 0; i < ARRAY_LEN(plain); i++)
		if (str_eq(what, str_from(plain[i].name)))
			return plain[i].fn(self.m, j->id, &j->why);
	if (json_object_get(j->ask, "spec"))
		return on_spec(j, what);
	if (str_eq(what, S("stop")))
		return machine_stop(self.m, j->id, ms, &j->why);
	if (str_eq(what, S("reboot")))
		return machine_reboot(self.m, j->id, hard, ms, &j->why);
	if (str_eq(what, S("snapshot")))
		return take_snapshot(j);
	if (str_eq(what, S("list")))
		return look(j);
	if (str_eq(what, S("evict")))
		return cache_evict(self.m), 0;
	return observe(j);
}

waits static void run_job(void *arg)
{
	struct job *j = arg;
	int rc = run_one(j);

	json_object_set(j->answer, "n", json_object_get(j->ask, "n"));
	json_object_set_new(j->answer, "rc", json_integer(rc));
	json_object_set_new(j->answer, "why", json_string(j->why.text));
	struct str text = json_text_of(j->a, j->answer);

	printf("%.*s\n", STR(text));
	fflush(stdout);
	json_decref(j->ask);
	json_decref(j->answer);
	arena_free(j->a);
}

static void read_line(void *arg)
{
	(void)arg;
	self.got = fgets(self.line, sizeof self.line, stdin);
}

waits static void serve(void)
{
	task_group_init(&self.jobs);
	for (;;) {
		task_run_blocking("input", read_line, NULL);
		if (!self.got)
			break;
		struct arena *a = arena_new();
		struct job *j = arena_zalloc(a, sizeof *j);

		j->a = a;
		j->ask = json_text_parse(str_from(self.line));
		j->answer = json_object();
		assert(j->ask);
		j->id = json_str(j->ask, "id");
		task_spawn(&self.jobs, "job", run_job, j);
	}
	task_group_end(&self.jobs);
}

waits static void run(void *arg)
{
	struct compute *c = &self.compute;
	struct http_client_options o = http_client_options_default;
	struct fault why = { "" };
	void *state = NULL;

	(void)arg;
	c->host = "driven";
	c->http = http_client_new(&o);
	c->identity = identity_new(c->http);
	task_group_init(&c->background);
	int rc = machine_service.start(c, &state, &why);

	self.m = machines_here();
	if (rc < 0)
		log_error("%s", why.text);
	else
		serve();
	task_group_end(&c->background);
	machine_service.stop(state);
	identity_free(c->identity);
	http_client_free(c->http);
}

int main(int argc, char **argv)
{
	struct conf_spec spec = { .foreign_any = true };
	struct fault why = { "" };

	machine_process_start();
	if (argc != 2)
		return 2;
	conf_add(&spec, &compute_section);
	conf_add(&spec, &machine_section);
	if (conf_load(&spec, argv[1], &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		return 2;
	}
	machine_conf.enabled = true;
	tasks_run(run, NULL);
	return 0;
}
