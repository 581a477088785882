/* What the files of proxy/backend share. */
#pragma once
#include "lib/conf/conf.h"
#include "proxy/backend/affinity.h"
#include "proxy/backend/backend.h"
#include "proxy/proxy_conf.h"

struct backend {
	struct proxy *proxy;
	struct map *troubles;           /* struct trouble by "ip:port/device" */
	struct task_group background;   /* writes that go on after their answer */
	struct task_group probes;
	struct affinity read, write;
	uint64_t random;                /* state of the shuffle */
	bool no_digests;                /* the last listing came from a server that knows none */
};

/* A server that failed or was late lately. */
struct trouble {
	unsigned errors;
	uint64_t last_ms;               /* of the last error */
	uint64_t slow_until_ms;         /* it was late: others are preferred until then */
	uint64_t behind_until_ms;       /* it was away: what it missed may not be home before */
	bool refused;                   /* the last error was a refused connection */
	bool silent;                    /* or no answer at all */
	bool probing;                   /* a task looks whether it answers */
	bool aside;                     /* counted as put aside */
};

enum { TROUBLE_KEY_SIZE = RING_HOST_SIZE + RING_DEVICE_SIZE + 16 };
struct str trouble_key(const struct ring_dev *dev, char text[TROUBLE_KEY_SIZE]);
/* Where a device's server listens: 0, or -EINVAL for what cannot be an address. */
int node_address(const struct ring_dev *dev, struct http_address *ret) must_check;
/* It took a connection: what was held against it for refusing them is forgotten. */
void node_connected(struct backend *b, const struct ring_dev *dev);
/* For the counts per server (servers.c). */
enum server_event { SERVER_FAILED, SERVER_LATE, SERVER_HANDOFF };
/* h: of the answer, which tells whose server it is. */
void server_answered(const struct ring_dev *dev, uint64_t microseconds, const struct headers *h);
/* It is known to be a needletail-objectd, not one of Swift's. */
bool server_is_ours(const struct ring_dev *dev);
void server_note(const struct ring_dev *dev, enum server_event what);
/* A write is answered 503: not enough servers answered, some went away in the middle, or their
 * answers differ. */
enum write_failure { TOO_FEW_SERVERS, SERVERS_LOST, ANSWERS_DIFFER };
void write_failed(enum write_failure why);
/* 0..n-1 */
unsigned backend_random(struct backend *b, unsigned n);
