/* Options of a server program, its configuration, and the steps before the first fork. */
#include "lib/daemon/internal.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef NEEDLETAIL_VERSION
#define NEEDLETAIL_VERSION "unknown"
#endif

static struct daemon_conf cluster_conf;
static const struct conf_option cluster_options[] = {
	OPT_STR(struct daemon_conf, home, "/var/lib/needletail",
		"Folder of this host's data. Relative paths elsewhere start here."),
	OPT_STR(struct daemon_conf, ring_dir, "rings",
		"Folder of account.ring.gz, container.ring.gz, object.ring.gz, object-1.ring.gz …"),
	OPT_STR(struct daemon_conf, swift_conf, NULL,
		"A swift.conf to take hash prefix, suffix and policies from, instead of the "
		"sections here."),
	OPT_DURATION(struct daemon_conf, stop_timeout, "10s", 0, 3600000,
		     "How long requests that are under way may take when a program is stopped."),
	OPT_DURATION(struct daemon_conf, restart_pause_max, "30s", 0, 3600000,
		     "A worker that keeps dying is started again at once, then after pauses that "
		     "double from 1 s up to this."),
	OPT_END,
};
static const struct conf_section cluster_section = {
	.name = "cluster",
	.options = cluster_options,
	.into = &cluster_conf,
	.size = sizeof cluster_conf,
	.common = true,
	.help = "What all programs of a host agree on.",
};

struct log_conf {
	const char *dir;
	int level;
	bool access;
};

static struct log_conf log_conf;
static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };
static const struct conf_option log_options[] = {
	OPT_STR(struct log_conf, dir, NULL,
		"Folder of PROGRAM.log and PROGRAM.access.log. Without it messages go to the "
		"standard error "
		"and access lines to the standard output."),
	OPT_ENUM(struct log_conf, level, "info", log_levels, "How much is told."),
	OPT_BOOL(struct log_conf, access, "yes", "A line per request, in Swift's formats."),
	OPT_END,
};
static const struct conf_section log_section = {
	.name = "log",
	.options = log_options,
	.into = &log_conf,
	.size = sizeof log_conf,
	.common = true,
	.help = "SIGHUP and SIGUSR1 open the files again, for rotation.",
};

const struct daemon_conf *daemon_conf(void)
{
	return &cluster_conf;
}

/* Paths that were made, kept so that reading the configuration again makes none twice. */
static struct path {
	struct path *next;
	char text[];
} *paths;

const char *daemon_path(const char *path)
{
	char joined[1024];

	if (path[0] == '/')
		return path;
	snprintf(joined, sizeof joined, "%s/%s", cluster_conf.home, path);
	for (struct path *p = paths; p; p = p->next)
		if (strcmp(p->text, joined) == 0)
			return p->text;
	struct path *p = xmalloc(sizeof *p + strlen(joined) + 1);

	memcpy(p->text, joined, strlen(joined) + 1);
	p->next = paths;
	paths = p;
	return p->text;
}

/* So that SIGHUP finds the file wherever the process stands. */
static const char *absolute(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : xstrdup(path);
}

int daemon_read_conf(struct master *m, struct fault *why)
{
	struct fault text;
	int rc = conf_load(&m->spec, m->d->conf_path, &text);

	if (rc < 0)
		return fault_set(why, rc, "%s", text.text);
	if (cluster_conf.home[0] != '/')
		return fault_set(why, -EINVAL, "%s: [cluster] home = %s must begin with \"/\"",
				 m->d->conf_path, cluster_conf.home);
	cluster_conf.ring_dir = daemon_path(cluster_conf.ring_dir);
	if (cluster_conf.swift_conf)
		cluster_conf.swift_conf = daemon_path(cluster_conf.swift_conf);
	log_set_level((enum log_level)log_conf.level);
	return 0;
}

static int open_log(struct master *m, struct fault *why)
{
	struct log_options o = { .program = m->ops->program,
				 .dir = log_conf.dir ? daemon_path(log_conf.dir) : NULL,
				 .level = (enum log_level)log_conf.level,
				 .access = log_conf.access };

	if (o.dir && mkdir(o.dir, 0750) < 0 && errno != EEXIST)
		return fault_set(why, -errno, "cannot make the folder %s for logs: %s", o.dir,
				 strerror(errno));
	return log_open(&o, why);
}

static int check_addresses(struct master *m, struct fault *why)
{
	struct daemon_address a;

	for (unsigned i = 0; m->ops->address && m->ops->address(m->d, i, &a); i++) {
		int rc = daemon_check_address(&a, why);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* own: without the sections that several programs read. */
static int print_reference(const struct master *m, bool own)
{
	CLEANUP(buf_done) struct buf text = BUF(MIB);

	buf_addf(&text, "# %s\n\n%s\n", m->ops->program, m->ops->help);
	conf_reference(&m->spec, !own, &text);
	return fwrite(text.p, 1, text.n, stdout) == text.n && fflush(stdout) == 0 ? 0 : 1;
}

struct options {
	const char *conf;
	bool check, reference, own, version, with_parent, help;
	int ready_fd;
};

static int usage(const struct daemon_ops *ops, FILE *to)
{
	fprintf(to,
		"%s: %s\n\n"
		"usage: %s --conf FILE [options]\n"
		"  --conf FILE               configuration (default: "
		"/etc/needletail/needletail.conf)\n"
		"  --check-config            say whether the configuration is good, and end\n"
		"  --print-config-reference  every section and key, as Markdown; =own: without "
		"those\n"
		"                            that several programs read\n"
		"  --ready-fd N              write \"ready\" to this descriptor when requests are "
		"answered\n"
		"  --with-parent             stop when the process that started this one ends\n"
		"  --version\n"
		"Signals: TERM and INT stop (twice: at once), HUP reads the configuration again, "
		"USR1 opens\n"
		"the log files again, USR2 writes all tasks to the log.\n",
		ops->program, ops->help, ops->program);
	return to == stderr ? 2 : 0;
}

static int read_options(int argc, char **argv, struct options *o)
{
	enum { CONF, CHECK, REFERENCE, READY_FD, WITH_PARENT, VERSION, HELP };
	static const struct option known[] = {
		{ "conf", required_argument, NULL, CONF },
		{ "check-config", no_argument, NULL, CHECK },
		{ "print-config-reference", optional_argument, NULL, REFERENCE },
		{ "ready-fd", required_argument, NULL, READY_FD },
		{ "with-parent", no_argument, NULL, WITH_PARENT },
		{ "version", no_argument, NULL, VERSION },
		{ "help", no_argument, NULL, HELP },
		{ 0 },
	};
	uint64_t fd;
	int c;

	*o = (struct options){ .conf = "/etc/needletail/needletail.conf", .ready_fd = -1 };
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == CONF)
			o->conf = optarg;
		else if (c == READY_FD && str_to_u64(str_from(optarg), &fd) == 0 && fd < INT_MAX)
			o->ready_fd = (int)fd;
		else if (c == CHECK)
			o->check = true;
		else if (c == REFERENCE && !optarg)
			o->reference = true;
		else if (c == REFERENCE && strcmp(optarg, "own") == 0)
			o->reference = o->own = true;
		else if (c == WITH_PARENT)
			o->with_parent = true;
		else if (c == VERSION)
			o->version = true;
		else if (c == HELP)
			o->help = true;
		else
			return -EINVAL;
	}
	return optind == argc ? 0 : -EINVAL;
}

static void prepare_process(const struct options *o, pid_t parent)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct rlimit files;

	/* In a process group of its own a Ctrl-C reaches the one who started it, who stops it. */
	if (o->with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setpgid(0, 0);
		if (getppid() != parent)
			raise(SIGTERM);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	sigaction(SIGPIPE, &ignore, NULL);
}

static void share_memory(struct master *m)
{
	unsigned n = m->d->workers;

	metrics_share(n);
	m->workers = xcalloc(n, sizeof *m->workers);
	m->beats = mmap(NULL, n * sizeof *m->beats, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->beats == MAP_FAILED)
		unreachable("no memory to share with the workers");
	for (unsigned i = 0; i < n; i++) {
		char *number;

		m->workers[i].report = -1;
		m->workers[i].name = m->ops->worker_name ? m->ops->worker_name(m->d, i) : NULL;
		if (!m->workers[i].name) {
			if (asprintf(&number, "%u", i) < 0)
				unreachable("no memory for a number");
			m->workers[i].name = number;
		}
		if (m->ops->worker_label)
			metrics_label_worker(i, m->ops->worker_label, m->workers[i].name);
	}
}

/* Everything that can fail before there are workers. */
static int start(struct master *m, const struct options *o, struct fault *why)
{
	unsigned workers = 1;
	int rc = daemon_read_conf(m, why);

	if (rc == 0 && m->ops->prepare)
		rc = m->ops->prepare(m->d, false, &workers, why);
	if (rc < 0 || o->check)
		return rc;
	assert(workers > 0);
	m->d->workers = workers;
	rc = check_addresses(m, why);
	return rc < 0 ? rc : open_log(m, why);
}

int daemon_main(int argc, char **argv, const struct daemon_ops *ops)
{
	static struct daemon d;
	static struct master m;
	pid_t parent = getppid();
	struct options o;
	struct fault why = { "" };

	d.program = ops->program;
	m = (struct master){ .ops = ops, .d = &d, .pid = getpid() };
	conf_add(&m.spec, &cluster_section);
	conf_add(&m.spec, &log_section);
	if (ops->add_conf)
		ops->add_conf(&m.spec);
	/* One file serves all programs. */
	m.spec.foreign_any |= !m.spec.foreign;
	if (read_options(argc, argv, &o) < 0 || o.help)
		return usage(ops, o.help ? stdout : stderr);
	if (o.version) {
		printf("%s %s\n", ops->program, NEEDLETAIL_VERSION);
		return 0;
	}
	if (o.reference)
		return print_reference(&m, o.own);
	d.conf_path = absolute(o.conf);
	m.ready_fd = o.ready_fd;
	prepare_process(&o, parent);
	if (start(&m, &o, &why) < 0) {
		fprintf(stderr, "%s: %s\n", ops->program, why.text);
		return 1;
	}
	if (o.check) {
		printf("%s is good\n", d.conf_path);
		return 0;
	}
	daemon_title_init(argc, argv);
	daemon_catch_crashes();
	share_memory(&m);
	return master_run(&m);
}
