/* Messages for the operator, and the access log. A line carries the time, level, program, worker
 * and process id, and of the running task its transaction id and name, so nobody passes a
 * logger:
 *
 *	2026-11-22T09:19:12.075580 error needletail-proxy[1 4711] tx3f…-0067… put: …
 *
 * Library code logs nothing above debug: whoever decides logs, once; a tolerated failure says ",
 * ignoring". A line is one write; control bytes in it are escaped; lines beyond 8 KiB are cut.
 * The same format that repeats more than 10 times in 10 s is held back and counted. */
#pragma once
#include "lib/base/base.h"
#include "lib/base/fault.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
extern const char *const log_level_names[];     /* "error", "warn", "info", "debug", NULL */

struct log_options {
	const char *program;            /* "needletail-proxy" */
	const char *dir;                /* NULL: messages to stderr, access lines to stdout; else
					 * dir/program.log and dir/program.access.log */
	enum log_level level;
	bool access;                    /* write an access log */
};
/* Before it is called, messages of level info and above go to stderr. The options' strings are
 * kept. 0, or an error with the reason. */
int log_open(const struct log_options *o, struct fault *why) must_check;
/* The worker's number (or name such as a device's) in lines from now on; NULL for none. Kept. */
void log_set_worker(const char *name);
void log_set_level(enum log_level level);
/* Opens the files again by name (after rotation). The old stay when that fails. */
int log_reopen(struct fault *why) must_check;
/* Says what was held back longer than 10 s ago; called now and then. */
void log_tell_held(void);
/* Where messages go: for task dumps. */
int log_fd(void);

void log_error(const char *fmt, ...) printf_like(1, 2);
void log_warn(const char *fmt, ...) printf_like(1, 2);
void log_info(const char *fmt, ...) printf_like(1, 2);
#define log_debug(...)                                 \
	do {                                           \
		if (log_level_now >= LOG_LEVEL_DEBUG)  \
			log_debug_line(__VA_ARGS__);   \
	} while (0)
void log_debug_line(const char *fmt, ...) printf_like(1, 2);
extern enum log_level log_level_now;

/* One request in Swift's proxy-logging format (common/middleware/proxy_logging.py): fields
 * separated by spaces, each percent-encoded, "-" where absent. */
struct log_access {
	struct str client_ip;           /* X-Cluster-Client-Ip, X-Forwarded-For, or the peer */
	struct str remote_addr;
	struct str method, path;        /* path with query, as it came */
	struct str protocol;            /* "HTTP/1.1" */
	int status;                     /* 499 when the client went away */
	struct str referer, user_agent;
	struct str auth_token;          /* cut to 16 characters and "..." here */
	uint64_t bytes_in, bytes_out;
	struct str client_etag;
	struct str trans_id;
	struct str headers;
	struct str source;              /* "TU", "SLO" …, absent for a client's own request */
	struct str log_info;            /* comma-separated */
	int64_t start_us, end_us;       /* wall clock */
	int policy_index;               /* < 0: none */
	struct str access_user_id;
};
void log_access(const struct log_access *a);

/* One request in the format of Swift's storage servers (common/utils get_log_line). */
struct log_storage {
	struct str remote_addr;
	struct str method, path;
	int status;
	struct str content_length;      /* of the response */
	struct str referer, trans_id, user_agent;
	int64_t start_us, end_us;
	struct str additional_info;
	int policy_index;               /* < 0: none */
};
void log_storage(const struct log_storage *s);

/* A finished line (without newline) for the access log. Lines are collected and written every
 * 0.5 s, at 64 KiB and at the end: a crash after an assertion writes them, SIGKILL loses them. */
void log_access_line(struct str line);
bool log_access_wanted(void);
void log_access_flush(void);
/* Starts the task that writes collected lines on time; ended by cancelling it through the group. */
struct task_group;
void log_access_start(struct task_group *g);
