/* What the files of lib/daemon share. */
#pragma once
#include "lib/daemon/daemon.h"

#include <stdatomic.h>

/* Exit codes of a worker. */
enum { WORKER_START_FAILED = 3, WORKER_ORPHANED = 4 };

/* What a worker writes into its pipe: READY, or FAILED and the reason. */
enum { REPORT_READY = 'R', REPORT_FAILED = 'F' };

/* One worker as the master sees it. */
struct worker {
	pid_t pid;                      /* 0: none now */
	int report;                     /* read end of its pipe, -1 when closed */
	bool started_once, ready, reported;     /* reported: ready or failed, the first time */
	uint64_t started_ms, restart_ms;        /* restart_ms 0: none is due */
	unsigned pause_ms;
	uint64_t wedged_ms;             /* when its silence was last logged */
	const char *name;
};

struct master {
	const struct daemon_ops *ops;
	struct daemon *d;
	struct conf_spec spec;
	struct worker *workers;
	/* When each worker's loop last ran; shared with them. */
	_Atomic uint64_t *beats;
	int signals;                    /* signalfd */
	int ready_fd;                   /* -1: none */
	bool ready, stopping;
	struct fault last_failure;      /* why a worker could not start */
	int exit_code;
	uint64_t kill_ms;               /* when what is left is killed */
	pid_t pid;
};

/* Forks the workers and looks after them until all have ended: the program's exit code. */
int master_run(struct master *m);
/* In a worker, once it handles them. */
void master_unblock_signals(void);
/* The body of a worker process; never returns. */
__attribute__((noreturn)) void worker_run(struct master *m, unsigned index, int report);

/* Reads the configuration file and takes over [cluster] and [log]. */
int daemon_read_conf(struct master *m, struct fault *why) must_check;

/* Shows in ps as "program: text". Once argv is overwritten, nothing may point into it. */
void daemon_title_init(int argc, char **argv);
void daemon_title_set(const char *program, const char *text);

/* Crash reports: what the process was doing, for assertions and for signals. */
void daemon_catch_crashes(void);
