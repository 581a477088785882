/* The skeleton of a server program: options, configuration, a master process that forks workers
 * and starts them again when they die, signals, readiness.
 *
 *	needletail-x --conf FILE [--check-config] [--version] [--print-config-reference[=own]]
 *	             [--ready-fd N] [--with-parent]
 *
 * The master reads the configuration, claims nothing but memory, forks, and waits. Each worker
 * has its own libuv loop and runs worker_start in its first task. Signals to the master:
 *	SIGTERM, SIGINT  stop: workers accept no more, finish what runs (up to [cluster]
 *	                 stop_timeout), exit; a second one stops at once
 *	SIGHUP           reads the configuration again (a bad one is reported and the old
 *	                 one stays), opens log files again, calls reload in every worker
 *	SIGUSR1          opens log files again
 *	SIGUSR2          every worker writes its tasks and what they wait for to the log
 * A worker that dies is started again at once, then with pauses doubling up to 30 s while it
 * lives less than 10 s. Workers end when the master does. */
#pragma once
#include "lib/base/fault.h"
#include "lib/conf/conf.h"
#include "lib/task/task.h"

struct daemon {
	const char *program;            /* "needletail-proxy" */
	const char *conf_path;
	unsigned workers;
	unsigned worker;                /* in a worker: its index */
	bool restarted;                 /* in a worker: not the first with that index */
	bool stopping;                  /* in a worker: worker_stop was or is about to be called */
	void *state;                    /* the program's own; set in prepare, copied by the fork */
};

/* Where a worker listens: checked before the fork, so that a busy port is one clear sentence. */
struct daemon_address {
	const char *ip;
	unsigned port;
	const char *set_by;             /* how to choose another: "[proxy] bind_port" */
};

struct daemon_ops {
	const char *program;
	const char *help;               /* one sentence for --help and the reference */
	/* Adds the program's sections; [cluster] and [log] are the daemon's. */
	void (*add_conf)(struct conf_spec *spec);
	/* In the master after the configuration was read (and after each reload that was good),
	 * before any fork, not in a task: checks what tables cannot, loads rings, sets
	 * *ret_workers (ignored at reload). 0, or negative with the reason: the program ends
	 * with it. */
	int (*prepare)(struct daemon *d, bool reload, unsigned *ret_workers, struct fault *why);
	/* The address of a worker (or of the i-th listening port): false when there is no i-th. */
	bool (*address)(struct daemon *d, unsigned i, struct daemon_address *ret);
	/* A name for a worker in logs and in ps (a device); NULL: its number. */
	const char *(*worker_name)(struct daemon *d, unsigned worker);
	/* Label under which a worker's metrics show ("device"); NULL: metrics are summed. */
	const char *worker_label;
	/* In the worker's first task: opens, listens, spawns. Ready when it returns 0; negative
	 * with the reason otherwise, and the worker ends. (It waits.) */
	int (*worker_start)(struct daemon *d, struct fault *why);
	/* In a task of the worker: stop accepting, let requests end for up to grace_ms, cancel
	 * the rest and every background task, release. All tasks have ended when it returns. (It
	 * waits.) */
	void (*worker_stop)(struct daemon *d, uint64_t grace_ms);
	/* In a task of the worker, after conf_load: takes over what can change. May be NULL. (It
	 * waits.) */
	int (*worker_reload)(struct daemon *d, struct fault *why);
	/* The program goes on while some worker cannot start (a broken disk): it is tried again. */
	bool workers_optional;
};

/* 0 when the address can be listened on now; otherwise a sentence for the operator. */
int daemon_check_address(const struct daemon_address *a, struct fault *why) must_check;

/* What main returns. */
int daemon_main(int argc, char **argv, const struct daemon_ops *ops);
/* In a worker: stop this program as SIGTERM does (a worker that finds that it cannot go on). */
void daemon_stop(void);

/* [cluster] as the daemon reads it; valid after the configuration was read. */
struct daemon_conf {
	const char *home;               /* absolute; other relative paths start here */
	const char *ring_dir;           /* absolute */
	const char *swift_conf;         /* NULL, or what replaces [swift-hash] and policies */
	uint64_t stop_timeout;          /* ms */
	uint64_t restart_pause_max;     /* ms */
};
const struct daemon_conf *daemon_conf(void);
/* path itself when absolute, else home/path; from an allocation that is never freed (start
 * only). */
const char *daemon_path(const char *path);
