/* A job is one workload against the server: which requests, how many at once, for how long; running
 * it fills in the stats. */
#pragma once
#include "lib/base/buf.h"
#include "tests/bench/load/load.h"

enum op {
	OP_PUT, OP_GET, OP_HEAD, OP_DELETE, OP_LIST, OP_LISTJSON, OP_LOGIN, OP_TEMPURL,
	OP_COUNT,
	JOB_MIXED = OP_COUNT, /* GET, PUT, HEAD, DELETE by chance */
	JOB_PATHS,            /* DELETE of given paths */
};

struct job {
	struct load *load;
	enum op op;
	uint64_t size;           /* of an object */
	char container[256];
	char names[48];          /* object names are this and ten digits */
	long limit;              /* stop after this many; 0: by the clock */
	double seconds;
	int conns;
	long set;                /* objects 0 … set - 1 are there */
	char **paths;            /* for JOB_PATHS: limit of them */
	bool tolerates_404;
	struct str listing;      /* all names of the set, a line each */
	const char *link_key;    /* of temporary URLs */
	bool anonymous;          /* no token is sent */
	/* private */
	long next;
	uint64_t record_us, end_us;
};

struct stats {
	uint64_t ops, bytes, by_op[OP_COUNT];
	uint64_t errors, bad_etag, bad_length, bad_body, bad_listing;
	uint64_t timeouts, connect_errors, reconnects;
	uint64_t status[600];
	double seconds, cpu_s;
	char first_error[200];
	struct buf latencies;    /* uint32_t microseconds, one per recorded request */
};

/* An upper bound for what is remembered of one run: 100 million requests. */
#define LATENCIES_MAX (400 * MIB)

void job_name(const struct job *j, long number, char *name, size_t size);
/* Runs until the limit or the clock ends it. The caller frees the stats. */
struct stats *job_run(struct job *j);
void stats_free(struct stats *s);
DEFINE_AUTO(stats, struct stats *, stats_free);
/* One line of JSON on stdout. */
void stats_print(struct stats *s, const struct job *j, const char *workload);
