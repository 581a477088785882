/* One connection of the load generator: its request, how far it went, and the response. */
#pragma once
#include "tests/bench/load/job.h"
#include "tests/bench/load/response.h"

enum conn_state {
	CONN_CONNECTING, CONN_SENDING, CONN_READING,
	CONN_DOWN,               /* waits to connect again */
	CONN_DONE,
};

struct conn {
	struct job *job;
	struct stats *stats;
	int fd, id, epoll;
	enum conn_state state;
	bool wants_out;
	/* The request. */
	enum op op;
	long number;             /* of the object, or of the listing's first name */
	unsigned variant;
	uint64_t put_size, put_sent;
	size_t request_n, request_sent;
	char request[4 * KIB];
	bool retried;
	/* What it did before. */
	unsigned long served, mixed_put, mixed_deleted;
	uint64_t start_us, last_us, retry_us, rng;
	/* The response. */
	bool body_wrong;
	uint64_t marks;          /* names counted in a listing */
	struct buf json;         /* a JSON listing that is to be looked through */
	struct response res;
};

/* Fills in the next request. False when the job is over. */
bool request_next(struct conn *c);
/* A piece of body: compares, counts. */
void check_body(void *conn, struct str s);
/* After a complete response: what is wrong with it, or NULL. */
const char *check_response(struct conn *c);
