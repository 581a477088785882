/* Takes rows to one device: to our own by a call, to a Needletail many at once, to a Swift
 * container server one by one as its object servers do (obj/server.py async_update). */
#include "objectd/updater/internal.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "objectd/container/container_server.h"

METRIC_COUNTER(rows_sent, "needletail_update_rows_total",
	       "Listing rows delivered to container devices.");
METRIC_COUNTER(batches_sent, "needletail_update_requests_total",
	       "Requests and calls that delivered them.");

enum { BACKOFF_FIRST_MS = 250, PATIENCE_MS = 500, ALIVE_MS = 1000 };

bool target_is_down(const struct target *t)
{
	return t->down_until_ms && clock_mono_ms() < t->down_until_ms;
}

void target_failed(struct updater *u, struct target *t, int error)
{
	uint64_t pause = (uint64_t)BACKOFF_FIRST_MS << MIN(t->failures, 16u);

	if (t->local || error == -ECANCELED)
		return;
	if (t->failures++ == 0)
		log_warn("container device %s: %s; rows for it are kept as pending", t->key,
			 strerror(-error));
	t->down_until_ms = clock_mono_ms() + MIN(pause, updater_conf.retry_max);
	if (t->failures == 1)
		updater_wake(u);        /* to look in time */
}

void target_answered(struct updater *u, struct target *t, bool needletail)
{
	t->kind = needletail ? PEER_NEEDLETAIL : PEER_PLAIN;
	if (t->failures == 0)
		return;
	log_info("container device %s is back", t->key);
	t->failures = 0;
	t->down_until_ms = 0;
	updater_wake(u);
}

static void add_ts(struct headers *h, struct str name, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	if (!timestamp_is_set(ts))
		return;
	timestamp_internal(ts, text);
	headers_add(h, name, str_from(text));
}

static void row_headers(const struct container_row_update *row, struct headers *h)
{
	add_ts(h, S("X-Timestamp"), row->ts);
	headers_addf(h, S("X-Backend-Storage-Policy-Index"), "%u", row->policy_index);
	headers_addf(h, S("User-Agent"), "object-server %d", (int)getpid());
	headers_add(h, S("X-Trans-Id"), str_from(task_trans_id()[0] ? task_trans_id() : "-"));
	if (row->auto_create)
		headers_add_ref(h, S("X-Backend-Auto-Create"), S("true"));
	if (row->deleted)
		return;
	headers_addf(h, S("X-Size"), "%" PRIu64, row->size);
	headers_add_ref(h, S("X-Content-Type"), row->content_type);
	headers_add_ref(h, S("X-Etag"), row->etag);
	add_ts(h, S("X-Content-Type-Timestamp"), row->content_type_ts);
	add_ts(h, S("X-Meta-Timestamp"), row->meta_ts);
}

/* Whether it answers something easy. */
waits static bool is_alive(struct updater *u, struct target *t, struct arena *a)
{
	AUTO(exchange) x = NULL;
	struct response res = { 0 };
	struct headers h;
	int rc = exchange_start(u->o->client, &t->to.address, &x);

	headers_init(&h, a);
	if (rc == 0) {
		exchange_set_timeouts(x, ALIVE_MS, ALIVE_MS);
		rc = exchange_send(x, S("OPTIONS"), S("/"), &h, 0, STR_NONE);
	}
	if (rc == 0)
		rc = exchange_receive(x, a, false, &res);
	if (rc > 0 && body_drain(res.body, 64 * KIB) < 0)
		log_debug("%s: the answer to a probe broke off, ignoring", t->key);
	body_close(res.body);
	return rc > 0;
}

/* Writes of clients wait for this: a device that is late is only waited for when it is alive. */
waits static int receive(struct updater *u, struct target *t, struct exchange *x, struct arena *a,
			 struct response *res)
{
	uint64_t timeout = objectd_conf.node_timeout;

	exchange_set_timeouts(x, MIN((uint64_t)PATIENCE_MS, timeout), 0);
	int rc = exchange_receive(x, a, false, res);

	exchange_set_timeouts(x, timeout, 0);
	if (rc != -ETIMEDOUT || timeout <= PATIENCE_MS || !is_alive(u, t, a))
		return rc;
	return exchange_receive(x, a, false, res);
}

/* One exchange without a response body worth keeping, unless ret_body is given. The status, or
 * negative. */
waits static int ask(struct updater *u, struct target *t, struct arena *a, struct str method,
		     struct str path, const struct headers *h, struct str bytes,
		     struct buf *ret_body)
{
	AUTO(exchange) x = NULL;
	struct response res = { 0 };
	int rc = exchange_start(u->o->client, &t->to.address, &x);

	if (rc < 0)
		return rc;
	rc = exchange_send(x, method, path, h, (int64_t)bytes.n, bytes);
	if (rc < 0)
		return rc;
	rc = receive(u, t, x, a, &res);
	if (rc < 0)
		return rc;
	bool ours = headers_has(&res.headers, S("X-Backend-Needletail"));

	rc = ret_body ? body_read_all(res.body, ret_body) : body_drain(res.body, 64 * KIB);
	body_close(res.body);
	if (rc < 0)
		return rc;
	if (res.status == 507 || res.status == 503 || res.status == 500)
		return res.status == 507 ? -ENOSPC : -EREMOTEIO;
	target_answered(u, t, ours);
	return res.status;
}

waits static int deliver_one(struct updater *u, struct target *t, struct arena *a,
			     const struct container_row_update *row)
{
	struct headers h;
	struct str path = backend_path_quote(a, str_from(t->to.device), row->partition,
					     row->account, row->container, row->object);

	headers_init(&h, a);
	row_headers(row, &h);
	return ask(u, t, a, row->deleted ? S("DELETE") : S("PUT"), path, &h, STR_NONE, NULL);
}

waits static int deliver_singly(struct updater *u, struct target *t, struct arena *a,
				const struct container_row_update *rows, unsigned n,
				int *ret_status)
{
	for (unsigned i = 0; i < n; i++) {
		int rc = deliver_one(u, t, a, &rows[i]);

		if (rc < 0)
			return rc;
		ret_status[i] = rc;
	}
	return 0;
}

/* The answer is three digits per row. */
static int read_statuses(struct str text, unsigned n, int *ret_status)
{
	if (text.n != 3 * (size_t)n)
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++) {
		uint64_t v;

		if (str_to_u64(str_of(text.p + 3 * i, 3), &v) < 0)
			return -EBADMSG;
		ret_status[i] = (int)v;
	}
	return 0;
}

waits static int deliver_together(struct updater *u, struct target *t, struct arena *a,
				  const struct container_row_update *rows, unsigned n,
				  int *ret_status)
{
	CLEANUP(buf_done) struct buf b = BUF(ROWS_BYTES_MAX);
	CLEANUP(buf_done) struct buf answer = BUF(3 * ROWS_MAX + 256);
	struct str path = backend_path_quote(a, str_from(t->to.device), 0, S(".needletail"),
					     S("rows"), STR_NONE);
	struct headers h;

	for (unsigned i = 0; i < n; i++)
		row_write(&b, &rows[i]);
	if (buf_failed(&b))
		return -EFBIG;
	headers_init(&h, a);
	headers_add_ref(&h, S("Content-Type"), S("application/x-needletail-rows"));
	headers_add(&h, S("X-Trans-Id"), str_from(task_trans_id()[0] ? task_trans_id() : "-"));
	int rc = ask(u, t, a, S("POST"), path, &h, buf_str(&b), &answer);

	if (rc < 0)
		return rc;
	if (rc != 200) {
		t->kind = PEER_PLAIN;   /* it was replaced by another kind of server */
		return deliver_singly(u, t, a, rows, n, ret_status);
	}
	return read_statuses(buf_str(&answer), n, ret_status);
}

int rows_deliver(struct updater *u, struct target *t, struct arena *a,
		 const struct container_row_update *rows, unsigned n, int *ret_status)
{
	int rc;

	assert(n > 0 && n <= ROWS_MAX);
	if (t->local)
		rc = container_apply_rows(u->o, rows, n, ret_status);
	else if (t->kind == PEER_NEEDLETAIL)
		rc = deliver_together(u, t, a, rows, n, ret_status);
	else
		rc = deliver_singly(u, t, a, rows, n, ret_status);
	if (rc < 0) {
		target_failed(u, t, rc);
		return rc;
	}
	metric_add(&rows_sent, n);
	metric_add(&batches_sent, 1);
	return 0;
}
