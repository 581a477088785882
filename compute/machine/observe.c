/* What machines and the host are asked: states, consoles, what there is. */
#include "compute/machine/internal.h"
#include "lib/disk/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum machine_state state_of(enum virt_state s)
{
	static const enum machine_state states[] = {
		[VIRT_IS_OFF] = MACHINE_OFF,           [VIRT_IS_RUNNING] = MACHINE_RUNNING,
		[VIRT_IS_PAUSED] = MACHINE_PAUSED,     [VIRT_IS_SAVED] = MACHINE_SUSPENDED,
		[VIRT_IS_CRASHED] = MACHINE_CRASHED,
	};

	return states[s];
}

/* Looks without standing in line. */
static int known(const struct machines *m, struct str id, const struct machine **ret,
		 struct fault *why)
{
	*ret = map_peek(m->all, id);
	return *ret ? 0 : fault_set(why, -ENOENT, "There is no such machine on this host");
}

int machine_state(struct machines *m, struct str id, enum machine_state *ret, struct fault *why)
{
	const struct machine *found;
	struct machine copy = { .busy = false };
	enum virt_state s = VIRT_IS_OFF;
	int rc = known(m, id, &found, why);

	if (rc < 0)
		return rc;
	if (!found->making) {
		memcpy(copy.id, found->id, sizeof copy.id);
		rc = machine_ask(m, &copy, &s, why);
	}
	if (rc == 0)
		*ret = state_of(s);
	return rc;
}

struct reading {
	struct str path;
	struct buf *to;
	int rc;
};

static void read_tail(void *arg)
{
	struct reading *k = arg;
	struct stat st = { .st_size = 0 };
	int fd = open(k->path.p, O_RDONLY | O_CLOEXEC);

	k->rc = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	if (k->rc == 0) {
		uint64_t size = (uint64_t)st.st_size, n = MIN(size, (uint64_t)MACHINE_CONSOLE_MAX);
		char *at = buf_reserve(k->to, n);

		k->rc = file_read_at(fd, at, n, size - n);
		if (k->rc == 0)
			k->to->n += n;
	}
	if (fd >= 0)
		close(fd);
}

static struct str last_lines(struct str text, unsigned lines)
{
	size_t at = text.n;

	/* The end of the last line is not the begin of one more. */
	if (at && text.p[at - 1] == '\n')
		at--;
	for (; at > 0; at--)
		if (text.p[at - 1] == '\n' && --lines == 0)
			break;
	return str_skip(text, at);
}

int machine_console_log(struct machines *m, struct str id, unsigned lines, struct arena *a,
			struct str *ret, struct fault *why)
{
	CLEANUP(buf_done) struct buf text = BUF(MACHINE_CONSOLE_MAX);
	const struct machine *found;
	int rc = known(m, id, &found, why);

	if (rc < 0)
		return rc;
	struct reading k = { .path = machine_path(m, a, found->id, "console.log"), .to = &text };

	IN_POOL("console", read_tail, &k);
	if (k.rc < 0 && k.rc != -ENOENT)
		return fault_set(why, k.rc, "The console's log cannot be read: %s",
				 strerror(-k.rc));
	*ret = arena_str(a, lines ? last_lines(buf_str(&text), lines) : buf_str(&text));
	return 0;
}

struct asking {
	struct machines *m;
	char id[VIRT_ID_SIZE];
	struct arena *arena;
	struct virt_entry *entries;
	struct virt_host host;
	uint64_t disk, disk_free;
	unsigned n;
	struct fault *why;
	int rc;
};

static void ask_vnc(void *arg)
{
	struct asking *k = arg;

	k->rc = virt_vnc(k->m->virt, k->id, &k->n, k->why);
}

int machine_vnc(struct machines *m, struct str id, struct machine_vnc *ret, struct fault *why)
{
	struct asking k = { .m = m, .why = why };
	const struct machine *found;
	int rc = known(m, id, &found, why);

	if (rc < 0)
		return rc;
	memcpy(k.id, found->id, sizeof k.id);
	IN_POOL("libvirt", ask_vnc, &k);
	if (k.rc < 0)
		return k.rc;
	snprintf(ret->ip, sizeof ret->ip, "%s", machine_conf.vnc_ip);
	ret->port = k.n;
	return 0;
}

static void ask_list(void *arg)
{
	struct asking *k = arg;

	k->rc = virt_list(k->m->virt, k->arena, &k->entries, &k->n, k->why);
}

struct listing {
	const struct asking *asked;
	struct arena *arena;
	struct machine_entry *v;
	unsigned n;
};

static void list_one(void *arg, struct str id, void *value)
{
	struct listing *l = arg;
	const struct machine *one = value;
	struct machine_entry *e = &l->v[l->n++];
	struct machine_spec s;

	(void)id;
	spec_from_json(l->arena, one->doc, &s);
	*e = (struct machine_entry){ .id = arena_str(l->arena, str_from(one->id)),
				     .name = arena_str(l->arena, s.name.p ? s.name : S("")),
				     .state = MACHINE_OFF,
				     .making = one->making,
				     .flavor = s.flavor };
	for (unsigned i = 0; i < l->asked->n; i++)
		if (str_eq(str_from(l->asked->entries[i].id), e->id))
			e->state = state_of(l->asked->entries[i].state);
}

int machine_list(struct machines *m, struct arena *a, struct machine_list *ret, struct fault *why)
{
	struct asking k = { .m = m, .arena = a, .why = why };

	IN_POOL("libvirt", ask_list, &k);
	if (k.rc < 0)
		return k.rc;
	struct listing l = { .asked = &k, .arena = a };

	l.v = arena_zalloc(a, (map_count(m->all) + 1) * sizeof *l.v);
	map_each(m->all, list_one, &l);
	*ret = (struct machine_list){ .v = l.v, .n = l.n };
	return 0;
}

static void ask_host(void *arg)
{
	struct asking *k = arg;

	k->rc = virt_host(k->m->virt, &k->host, k->why);
	if (k->rc == 0)
		k->rc = disk_room(k->m, &k->disk, &k->disk_free);
}

static void add_use(void *arg, struct str id, void *value)
{
	AUTO(arena) a = arena_new();
	const struct machine *one = value;
	struct machine_host *h = arg;
	struct machine_spec s;

	(void)id;
	spec_from_json(a, one->doc, &s);
	h->machines++;
	h->vcpus_used += s.flavor.vcpus;
	h->ram_mib_used += s.flavor.ram_mib;
	h->disk_gib_used += s.flavor.disk_gib;
}

int machine_host(struct machines *m, struct arena *a, struct machine_host *ret, struct fault *why)
{
	struct asking k = { .m = m, .why = why };

	IN_POOL("libvirt", ask_host, &k);
	if (k.rc < 0)
		return k.rc;
	*ret = (struct machine_host){
		.vcpus = k.host.vcpus,
		.ram_mib = k.host.ram_mib,
		.disk_gib = k.disk / GIB,
		.disk_free_gib = k.disk_free / GIB,
		.arch = arena_str(a, str_from(k.host.arch)),
		.hypervisor = S("QEMU"),
		.hypervisor_version = k.host.qemu_version,
		.cpu_model = arena_str(a, str_from(k.host.model)),
		.hardware = k.host.kvm,
	};
	map_each(m->all, add_use, ret);
	return 0;
}
