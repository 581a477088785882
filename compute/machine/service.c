/* The launcher as the daemon starts and stops it. */
#include "compute/machine/internal.h"
#include "lib/log/log.h"

enum { SWEEP_MS = 60 * 1000, CONNECT_AGAIN_MS = 5000 };

/* One per process, as libvirt's embedded driver is. */
static struct machines *here;

struct machines *machines_here(void)
{
	return here;
}

void machine_process_start(void)
{
	virt_reserve_descriptors();
}

struct readying {
	struct machines *m;
	struct fault *why;
	int rc;
};

static void make_folders(void *arg)
{
	static const char *const names[] = { "", "/machines", "/images" };
	struct readying *k = arg;
	char path[MACHINE_PATH_MAX];

	for (unsigned i = 0; i < ARRAY_LEN(names) && k->rc == 0; i++) {
		snprintf(path, sizeof path, "%s%s", k->m->dir, names[i]);
		k->rc = make_passable(path, k->why);
	}
}

static void connect_now(void *arg)
{
	struct readying *k = arg;

	k->rc = virt_connect(k->m->virt, k->why);
}

struct trimming {
	struct arena *arena;
	struct machines *m;
	struct str paths[512];
	unsigned n;
};

static void add_console(void *arg, struct str id, void *value)
{
	const struct machine *one = value;
	struct trimming *t = arg;

	(void)id;
	if (t->n < ARRAY_LEN(t->paths))
		t->paths[t->n++] = machine_path(t->m, t->arena, one->id, "console.log");
}

static void trim(void *arg)
{
	struct trimming *t = arg;

	for (unsigned i = 0; i < t->n; i++)
		console_trim(t->paths[i].p, machine_conf.console_size);
}

waits static void sweep(struct machines *m)
{
	AUTO(arena) a = arena_new();
	struct trimming *t = arena_zalloc(a, sizeof *t);

	t->arena = a;
	t->m = m;
	map_each(m->all, add_console, t);
	IN_POOL("consoles", trim, t);
	cache_evict(m);
}

/* Makes the connection, as the first one takes its time; then keeps order. */
waits static void keep(void *arg)
{
	struct machines *m = arg;
	struct fault why = { "" };
	struct readying k = { .m = m, .why = &why };

	for (bool told = false;; told = true) {
		IN_POOL("libvirt", connect_now, &k);
		if (k.rc == 0)
			break;
		if (!told)
			log_warn("machines: %s; trying again", why.text);
		if (task_sleep(CONNECT_AGAIN_MS) < 0)
			return;
	}
	machines_load(m);
	m->loaded = true;
	waitq_wake_all(&m->changed);
	log_info("machines: %zu on this host", map_count(m->all));
	while (task_sleep(SWEEP_MS) == 0)
		sweep(m);
}

waits static int start(struct compute *c, void **ret_state, struct fault *why)
{
	if (!machine_conf.enabled)
		return 0;
	struct machines *m = xcalloc(1, sizeof *m);
	struct readying k = { .m = m, .why = why };
	CLEANUP(buf_done) struct buf root = BUF(MACHINE_PATH_MAX);

	m->compute = c;
	m->dir = xstrdup(daemon_path(machine_conf.state_dir));
	m->all = map_new();
	m->fetching = map_new();
	waitq_init(&m->changed);
	buf_addf(&root, "%s/libvirt", m->dir);
	m->root = buf_take(&root);
	const struct virt_options o = { .uri = machine_conf.uri,
					.root = m->root,
					.user = machine_conf.qemu_user,
					.type = (enum virt_type)machine_conf.virt_type };

	m->virt = virt_new(&o);
	*ret_state = here = m;
	IN_POOL("folders", make_folders, &k);
	if (k.rc == 0)
		task_spawn(&c->background, "machines", keep, m);
	return k.rc;
}

static void disconnect(void *arg)
{
	virt_free(arg);
}

static void machine_end(void *p)
{
	struct machine *one = p;

	json_decref(one->doc);
	free(one);
}

waits static void stop(void *state)
{
	struct machines *m = state;

	here = NULL;
	if (!m)
		return;
	IN_POOL("libvirt", disconnect, m->virt);
	map_free(m->all, machine_end);
	map_free(m->fetching, NULL);
	free(m->dir);
	free(m->root);
	free(m);
}

static const struct conf_section *const sections[] = { &machine_section, NULL };

const struct service machine_service = {
	.name = "machine",
	.sections = sections,
	.ready = machine_conf_ready,
	.start = start,
	.stop = stop,
};
