/* The connection to libvirt: opened when it is needed, and again after it broke. */
#include "compute/libvirt/internal.h"
#include "lib/disk/file.h"
#include "lib/log/log.h"

#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEPALIVE_S = 5, KEEPALIVE_COUNT = 3, CPUINFO_MAX = 4 * MIB, PATH_TEXT = 1024 };

struct virt {
	struct virt_options o;
	bool kvm;
	pthread_mutex_t lock;           /* of conn */
	virConnectPtr conn;
};

enum { RESERVED = 24 };

void virt_reserve_descriptors(void)
{
	for (unsigned i = 0; i < RESERVED; i++)
		(void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* libvirt's events need a thread, and cannot be stopped once they were begun: one per process. */
static struct {
	pthread_once_t once;
	int rc;
} loop = { .once = PTHREAD_ONCE_INIT };

static void *run_events(void *arg)
{
	(void)arg;
	for (;;)
		if (virEventRunDefaultImpl() < 0)
			usleep(10000);
	return NULL;
}

/* Errors are read where they happen, not printed. */
static void be_quiet(void *arg, virErrorPtr e)
{
	(void)arg, (void)e;
}

static void start_events(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	xmlInitParser();
	virSetErrorFunc(NULL, be_quiet);
	loop.rc = virInitialize() < 0 || virEventRegisterDefaultImpl() < 0 ? -EIO : 0;
	if (loop.rc < 0)
		return;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	loop.rc = -pthread_create(&thread, &attr, run_events, NULL);
	pthread_attr_destroy(&attr);
}

/* /dev/kvm alone proves nothing: where the processor has no virtualization, it may open and then
 * run guests into errors. */
static bool host_has_kvm(void)
{
	CLEANUP(buf_done) struct buf text = BUF(CPUINFO_MAX);

	if (file_read_all("/proc/cpuinfo", &text) < 0 || access("/dev/kvm", R_OK | W_OK) < 0)
		return false;
	struct str all = buf_str(&text), line;

	while ((line = str_cut(&all, '\n')).p) {
		struct str word;

		if (!str_starts(line, S("flags")))
			continue;
		while ((word = str_cut(&line, ' ')).p)
			if (str_eq(word, S("vmx")) || str_eq(word, S("svm")))
				return true;
		break;
	}
	return false;
}

struct virt *virt_new(const struct virt_options *o)
{
	struct virt *v = xcalloc(1, sizeof *v);

	v->o = *o;
	v->kvm = o->type == VIRT_KVM || (o->type == VIRT_AUTO && host_has_kvm());
	pthread_mutex_init(&v->lock, NULL);
	return v;
}

void virt_free(struct virt *v)
{
	if (!v)
		return;
	if (v->conn)
		virConnectClose(v->conn);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

bool virt_uses_kvm(const struct virt *v)
{
	return v->kvm;
}

int virt_failed(const char *what, struct fault *why)
{
	const virError *e = virGetLastError();
	const char *text = e && e->message ? e->message : "no reason was given";
	int code = e ? e->code : 0, rc = -EIO;
	const char *said = strstr(text, ") unexpected ");

	/* Before it stands all of QEMU's environment and command line. */
	if (said)
		text = said + 2;

	if (code == VIR_ERR_NO_DOMAIN)
		rc = -ENOENT;
	else if (code == VIR_ERR_OPERATION_INVALID)
		rc = -EBUSY;
	else if (strstr(text, "No space left on device"))
		rc = -ENOSPC;
	else if (code == VIR_ERR_NO_CONNECT || code == VIR_ERR_INVALID_CONN ||
		 (e && e->domain == VIR_FROM_RPC))
		rc = -ENOTCONN;
	return fault_set(why, rc, "%s: %s", what, text);
}

static int make_dir(const char *root, const char *name, struct fault *why)
{
	char path[PATH_TEXT];

	snprintf(path, sizeof path, "%s%s", root, name);
	/* QEMU, which may be another user, has to get to its own files in there. */
	if (mkdir(path, 0711) < 0 && errno != EEXIST)
		return fault_set(why, -errno, "%s cannot be made: %s", path, strerror(errno));
	return 0;
}

/* The embedded driver reads its settings from below its root. Without stdio_handler it starts a
 * virtlogd; without the empty lists it wants cgroups and mounts of its own. */
static int prepare_root(const struct virt_options *o, struct fault *why)
{
	CLEANUP(buf_done) struct buf text = BUF(4 * KIB);
	char path[PATH_TEXT];
	int rc = make_dir(o->root, "", why);

	if (rc == 0)
		rc = make_dir(o->root, "/etc", why);
	if (rc < 0)
		return rc;
	if (geteuid() == 0 && !getpwnam("libvirt-qemu"))
		return fault_set(why, -ENOENT,
				 "libvirt wants a user and a group libvirt-qemu when it is run by "
				 "root, and there is none");
	buf_addf(&text, "stdio_handler = \"file\"\nsecurity_driver = \"none\"\n"
			"cgroup_controllers = []\nnamespaces = []\nremember_owner = 0\n");
	if (geteuid() == 0)
		buf_addf(&text, "user = \"%s\"\ngroup = \"%s\"\ndynamic_ownership = 1\n", o->user,
			 o->user);
	snprintf(path, sizeof path, "%s/etc/qemu.conf", o->root);
	rc = file_replace(path, buf_str(&text));
	return rc < 0 ? fault_set(why, rc, "%s cannot be written: %s", path, strerror(-rc)) : 0;
}

static int connect_now(struct virt *v, struct fault *why)
{
	char uri[PATH_TEXT];

	pthread_once(&loop.once, start_events);
	if (loop.rc < 0)
		return fault_set(why, loop.rc, "libvirt's events cannot be started");
	if (v->o.uri) {
		snprintf(uri, sizeof uri, "%s", v->o.uri);
	} else {
		int rc = prepare_root(&v->o, why);

		if (rc < 0)
			return rc;
		snprintf(uri, sizeof uri, "qemu:///embed?root=%s", v->o.root);
	}
	v->conn = virConnectOpen(uri);
	if (!v->conn) {
		virt_failed("libvirt cannot be reached", why);
		return -ENOTCONN;
	}
	if (v->o.uri)
		/* Local drivers have none, which is fine. */
		(void)!virConnectSetKeepAlive(v->conn, KEEPALIVE_S, KEEPALIVE_COUNT);
	return 0;
}

virConnectPtr virt_take(struct virt *v, struct fault *why)
{
	virConnectPtr c = NULL;

	pthread_mutex_lock(&v->lock);
	if (v->conn && virConnectIsAlive(v->conn) != 1) {
		virConnectClose(v->conn);
		v->conn = NULL;
	}
	if (v->conn || connect_now(v, why) == 0) {
		c = v->conn;
		virConnectRef(c);
	}
	pthread_mutex_unlock(&v->lock);
	return c;
}

int virt_connect(struct virt *v, struct fault *why)
{
	CLEANUP(virt_conn_end) virConnectPtr c = virt_take(v, why);

	return c ? 0 : -ENOTCONN;
}

int virt_find(struct virt *v, const char *id, virConnectPtr *ret_conn, virDomainPtr *ret,
	      struct fault *why)
{
	virConnectPtr c = virt_take(v, why);

	if (!c)
		return -ENOTCONN;
	virDomainPtr d = virDomainLookupByUUIDString(c, id);

	if (!d) {
		/* Closing forgets the error. */
		int rc = virt_failed("The machine is not known to libvirt", why);

		virConnectClose(c);
		return rc;
	}
	*ret_conn = c;
	*ret = d;
	return 0;
}

int virt_host(struct virt *v, struct virt_host *ret, struct fault *why)
{
	CLEANUP(virt_conn_end) virConnectPtr c = virt_take(v, why);
	unsigned long version = 0;
	virNodeInfo info;

	if (!c)
		return -ENOTCONN;
	if (virNodeGetInfo(c, &info) < 0 || virConnectGetVersion(c, &version) < 0)
		return virt_failed("The host cannot be asked", why);
	*ret = (struct virt_host){ .vcpus = info.cpus,
				   .ram_mib = info.memory / KIB,
				   .qemu_version = (unsigned)version,
				   .kvm = v->kvm };
	snprintf(ret->arch, sizeof ret->arch, "%s", info.model);
	snprintf(ret->model, sizeof ret->model, "%s", info.model);
	return 0;
}
