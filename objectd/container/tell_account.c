/* Tells an account's servers what its container is like, with PUT of a row. Swift:
 * container/server.py account_update, container/updater.py container_report */
#include "lib/log/log.h"
#include "objectd/container/container_server.h"
#include "objectd/objectd_conf.h"

enum { TARGETS_MAX = 32, ANSWER_MAX = 64 * KIB };

/* Whether the ring gives the container to this device. */
static bool is_primary(const struct objectd *o, const struct db_info *info)
{
	const struct cluster *c = o->cluster;
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	unsigned n = 0;

	if (c->container_ring)
		n = ring_primaries(c->container_ring,
				   ring_part_of(c->container_ring, c->hash_prefix, c->hash_suffix,
						info->account, info->container, STR_NONE),
				   devs, RING_REPLICAS_MAX);
	for (unsigned i = 0; i < MIN(n, (unsigned)RING_REPLICAS_MAX); i++)
		if (strcmp(devs[i]->device, o->device) == 0 && devs[i]->port == o->port)
			return true;
	return n == 0;
}

/* When it was counted: the later count wins, whichever server it comes from. A handoff has only
 * what it was sent while it stood in, so its count is older than any other. */
static struct timestamp counted_at(const struct objectd *o, const struct db_info *info)
{
	return is_primary(o, info) ? timestamp_now() : (struct timestamp){ .t = 1 };
}

static void add_headers(struct headers *h, const struct objectd *o,
			const struct container_report *to, const struct db_info *info)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(info->put_ts, text);
	headers_add(h, S("X-Put-Timestamp"), str_from(text));
	timestamp_internal(info->delete_ts, text);
	headers_add(h, S("X-Delete-Timestamp"), str_from(text));
	timestamp_internal(counted_at(o, info), text);
	headers_add(h, S("X-Timestamp"), str_from(text));
	headers_addf(h, S("X-Object-Count"), "%" PRId64, db_info_objects(info));
	headers_addf(h, S("X-Bytes-Used"), "%" PRId64, db_info_bytes(info));
	headers_addf(h, S("X-Backend-Storage-Policy-Index"), "%u", info->policy);
	if (to->override_deleted)
		headers_add(h, S("X-Account-Override-Deleted"), S("yes"));
	if (to->trans_id.n)
		headers_add(h, S("X-Trans-Id"), to->trans_id);
	headers_add(h, S("User-Agent"), S("needletail-objectd container"));
}

int container_send_report(struct objectd *o, const struct container_report *to,
			  const struct db_info *info)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct response res;
	struct headers h;
	struct str target = backend_path_quote(a, to->device, to->partition, info->account,
					       info->container, STR_NONE);

	headers_init(&h, a);
	add_headers(&h, o, to, info);
	int rc = exchange_start(o->client, &to->to, &x);

	if (rc < 0)
		return rc;
	rc = exchange_send(x, S("PUT"), target, &h, 0, STR_NONE);
	if (rc < 0)
		return rc;
	rc = exchange_receive(x, a, false, &res);
	if (rc < 0)
		return rc;
	int drained = body_drain(res.body, ANSWER_MAX);

	body_close(res.body);
	return drained < 0 ? drained : rc;
}

/* ---- the request's own report ---- */

struct telling {
	struct objectd *o;
	struct container_report to;
	const struct db_info *info;
	int status;
};

task_asserted static void tell_one(void *arg)
{
	struct telling *t = arg;

	t->status = container_send_report(t->o, &t->to, t->info);
	if (t->status == 404 || (t->status >= 200 && t->status < 300))
		return;
	struct str why = t->status < 0 ? str_from(strerror(-t->status)) : http_reason(t->status);

	log_warn("account %.*s was not told of container %.*s at %s:%u/%.*s: %.*s, will be told "
		 "later",
		 STR(t->info->account), STR(t->info->container), t->to.to.ip, t->to.to.port,
		 STR(t->to.device), STR(why));
}

/* "ip:port", "[ip6]:port" */
static int parse_host(struct str host, struct http_address *ret)
{
	ssize_t colon = str_rchr(host, ':');
	struct str ip = str_head(host, colon < 0 ? 0 : (size_t)colon);
	uint64_t port;

	if (ip.n > 2 && ip.p[0] == '[')
		ip = str_of(ip.p + 1, ip.n - 2);
	if (ip.n == 0 || ip.n >= sizeof ret->ip ||
	    str_to_u64(str_skip(host, (size_t)colon + 1), &port) < 0 || port == 0 || port > 65535)
		return -EINVAL;
	*ret = (struct http_address){ .port = (unsigned)port };
	memcpy(ret->ip, ip.p, ip.n);
	return 0;
}

/* The servers named by the request: the count, or -EINVAL. */
static int take_targets(struct db_request *r, struct telling *to, const struct db_info *info)
{
	struct str hosts = db_header(r, "X-Account-Host"),
		   devices = db_header(r, "X-Account-Device");
	struct str partition = db_header(r, "X-Account-Partition"), host, device;
	bool override = str_ieq(db_header(r, "X-Account-Override-Deleted"), S("yes"));
	uint64_t part;
	int n = 0;

	if (!hosts.n && !devices.n)
		return 0;
	if (partition.n && (str_to_u64(partition, &part) < 0 || part > UINT32_MAX))
		return -EINVAL;
	for (;;) {
		host = str_cut(&hosts, ',');
		device = str_cut(&devices, ',');
		if (!host.p || !device.p)
			break;
		if (n == TARGETS_MAX || !partition.n)
			continue;
		to[n] = (struct telling){ .o = r->o,
					  .info = info,
					  .to = { .device = str_trim(device),
						  .partition = (uint32_t)part,
						  .trans_id = r->req->trans_id,
						  .override_deleted = override } };
		if (parse_host(str_trim(host), &to[n].to.to) < 0)
			return -EINVAL;
		n++;
	}
	return host.p || device.p ? -EINVAL : n;
}

int container_tell_account(struct db_request *r, const struct db_info *info)
{
	struct telling *to = arena_zalloc(r->req->arena, TARGETS_MAX * sizeof *to);
	int n = take_targets(r, to, info), missing = 0, good = 0;

	if (n <= 0)
		return n;
	{
		TASK_GROUP(group);

		for (int i = 0; i < n; i++)
			task_spawn(&group, "tell account", tell_one, &to[i]);
		if (task_group_join(&group) < 0)
			return 0;
	}
	for (int i = 0; i < n; i++) {
		missing += to[i].status == 404;
		good += to[i].status >= 200 && to[i].status < 300;
	}
	if (good == n)
		db_report_known(r->o->dbs, &r->id, info);
	return missing == n ? -ENOENT : 0;
}
