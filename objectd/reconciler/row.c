/* One misplaced row: what is in the wrong policy goes to the right one, unless something newer is
 * there, and then away from the wrong one. Offsets make the copies newer than what they replace
 * without changing the time that clients see. Swift: container/reconciler.py _reconcile_object */
#include "objectd/reconciler/internal.h"

enum { TOMBSTONE_OFFSET = 1, COPY_OFFSET = 2 };

static struct timestamp later(struct timestamp ts, unsigned by)
{
	ts.offset += by;
	return ts;
}

/* X-Backend-Data-Timestamp, or for what has none X-Backend-Timestamp. */
static void read_answer(const struct direct_answer *answer, unsigned at, struct found *ret)
{
	const struct headers *h = &answer->res.headers;
	struct timestamp data, newest;

	if (answer->status != 200 && answer->status != 404)
		return;
	ret->answered++;
	if (timestamp_parse(headers_get(h, S("X-Backend-Timestamp")), &newest) < 0)
		return;
	if (timestamp_parse(headers_get(h, S("X-Backend-Data-Timestamp")), &data) < 0)
		data = newest;
	int order = timestamp_cmp(data, ret->data_ts);

	if (order < 0 || (order == 0 && timestamp_cmp(newest, ret->newest_ts) <= 0))
		return;
	ret->data_ts = data;
	ret->newest_ts = newest;
	ret->live = answer->status == 200;
	ret->at = at;
}

void found_look(const struct direct *d, struct arena *a, struct found *ret)
{
	struct headers *h = direct_headers(d, a, timestamp_now(), RECONCILER_AGENT);

	*ret = (struct found){ .answered = 0 };
	for (unsigned i = 0; i < d->n; i++)
		headers_add_ref(&h[i], S("X-Backend-Replication"), S("true"));
	const struct direct_answer *answers = direct_ask_all(d, a, S("HEAD"), h);

	for (unsigned i = 0; i < d->n; i++)
		read_answer(&answers[i], i, ret);
}

/* A deletion everywhere in one policy, with its rows: 0 when most devices have it. */
waits static int delete_at(const struct misplaced *m, const struct direct *d, struct timestamp ts,
			   struct arena *a)
{
	struct headers *h = direct_headers(d, a, ts, RECONCILER_AGENT);
	unsigned good = 0;

	for (unsigned i = 0; i < d->n; i++)
		direct_add_rows(d, i, m->container, "Container", &h[i]);
	const struct direct_answer *answers = direct_ask_all(d, a, S("DELETE"), h);

	for (unsigned i = 0; i < d->n; i++) {
		int s = answers[i].status;

		good += (s >= 200 && s < 300) || s == 404 || s == 409;
	}
	return good > d->n / 2 ? 0 : -EREMOTEIO;
}

/* A deletion: what it was meant for may be in the right policy. */
waits static int settle_deletion(const struct misplaced *m, const struct direct *right,
				 struct arena *a)
{
	struct found there;

	found_look(right, a, &there);
	if (there.answered <= right->n / 2)
		return -EREMOTEIO;
	if (!there.live || timestamp_cmp(there.data_ts, m->row->data_ts) >= 0)
		return 0;
	int rc = delete_at(m, right, later(m->row->data_ts, COPY_OFFSET), a);

	return rc < 0 ? rc : 1;
}

waits static int settle_object(const struct misplaced *m, const struct direct *wrong,
			       const struct direct *right, struct arena *a)
{
	struct found here, there;

	found_look(wrong, a, &here);
	found_look(right, a, &there);
	if (here.answered <= wrong->n / 2 || there.answered <= right->n / 2)
		return -EREMOTEIO;
	if (!here.live) {
		/* It may be on a handoff, on a device that is away, or its row is on its way. */
		if (timestamp_cmp(there.data_ts, m->row->data_ts) < 0)
			return -ENOENT;
		here.newest_ts = m->row->data_ts;
	} else if (timestamp_cmp(there.data_ts, here.newest_ts) < 0) {
		int rc = misplaced_copy(m, wrong, here.at, right,
					later(here.newest_ts, COPY_OFFSET));

		if (rc < 0)
			return rc;
	}
	int rc = delete_at(m, wrong, later(here.newest_ts, TOMBSTONE_OFFSET), a);

	return rc < 0 ? rc : 1;
}

int misplaced_settle(const struct misplaced *m, struct arena *a)
{
	const struct direct *c = m->container;
	struct direct wrong, right;
	int rc = direct_init(&right, m->o, c->account, c->container, m->object, m->policy);

	if (rc < 0)
		return rc;
	rc = direct_init(&wrong, m->o, c->account, c->container, m->object, m->row->policy);
	if (rc == 0) {
		rc = m->row->deleted ? settle_deletion(m, &right, a)
				     : settle_object(m, &wrong, &right, a);
		direct_done(&wrong);
	}
	direct_done(&right);
	return rc;
}
