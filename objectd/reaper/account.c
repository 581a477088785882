/* Empties one deleted account: lists its containers here and their objects where they are listed,
 * and deletes both on all their devices. Swift: account/reaper.py reap_account, reap_container,
 * reap_object */
#include "objectd/reaper/internal.h"

#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "objectd/direct.h"

#include <jansson.h>

enum { ROWS_STEP = 256, PAGE = 1000, PAGE_BYTES_MAX = 16 * MIB, NAME_BYTES = 16 * KIB };

/* A container on its way out. */
struct reaping {
	struct reaper *r;
	struct direct at;               /* its own devices */
	unsigned policy;                /* of its objects */
	struct task_sem room;           /* objects at a time */
	uint64_t failed;
};

struct object_job {
	struct reaping *c;
	struct str name;
};

/* Gone on most devices: those that are away hear of it when they are back. */
static bool is_gone(const struct direct_answer *answers, unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		int s = answers[i].status;

		good += (s >= 200 && s < 300) || s == 404 || s == 409;
	}
	return good > n / 2;
}

/* Each of the container's devices is told by one of the object's. */
waits static bool delete_object(struct reaping *c, struct str name)
{
	AUTO(arena) a = arena_new();
	struct direct d;

	if (direct_init(&d, c->r->o, c->at.account, c->at.container, name, c->policy) < 0)
		return false;
	struct headers *h = direct_headers(&d, a, timestamp_now(), S("account-reaper"));

	for (unsigned i = 0; i < d.n; i++)
		direct_add_rows(&d, i, &c->at, "Container", &h[i]);
	bool gone = is_gone(direct_ask_all(&d, a, S("DELETE"), h), d.n);

	direct_done(&d);
	return gone;
}

task_asserted static void object_run(void *arg)
{
	struct object_job *j = arg;

	if (delete_object(j->c, j->name)) {
		j->c->r->now.objects++;
	} else {
		j->c->r->now.objects_remaining++;
		j->c->failed++;
	}
	task_sem_give(&j->c->room);
}

/* A page of names behind marker, from whichever of the container's devices has it: 0 with the names
 * in the arena, -ENOENT when all say that there is no such container. */
waits static int list_page(struct reaping *c, struct str marker, struct arena *a,
			   struct str **ret_names, unsigned *ret_n)
{
	CLEANUP(buf_done) struct buf body = BUF(PAGE_BYTES_MAX);
	CLEANUP(buf_done) struct buf query = BUF(4 * NAME_BYTES);
	struct response res = { 0 };
	struct headers h;
	unsigned missing = 0;
	int status = -ENOENT;

	headers_init(&h, a);
	direct_add_ts(&h, timestamp_now());
	headers_add_ref(&h, S("User-Agent"), S("account-reaper"));
	buf_addf(&query, "format=json&limit=%d&marker=", PAGE);
	percent_encode(&query, marker, S(""));
	for (unsigned i = 0; i < c->at.n; i++) {
		buf_clear(&body);
		status = direct_ask(&c->at, i, a, S("GET"), buf_str(&query), &h, &res, &body);
		if (status == 200)
			break;
		missing += status == 404;
	}
	if (status != 200)
		return missing == c->at.n && missing ? -ENOENT : -EREMOTEIO;
	uint64_t policy = 0;

	if (str_to_u64(headers_get(&res.headers, S("X-Backend-Storage-Policy-Index")), &policy) ==
	    0)
		c->policy = (unsigned)policy;
	json_t *list = json_loadb(body.p, body.n, 0, NULL), *row;
	size_t i;

	*ret_names = arena_alloc(a, (json_array_size(list) + 1) * sizeof **ret_names);
	*ret_n = 0;
	json_array_foreach(list, i, row) {
		json_t *name = json_object_get(row, "name");

		if (json_is_string(name))
			(*ret_names)[(*ret_n)++] =
				arena_str(a, str_of(json_string_value(name),
						    json_string_length(name)));
	}
	json_decref(list);
	return 0;
}

/* Deletes every object of the container: 0, -ENOENT (there is none), or negative. */
waits static int delete_objects(struct reaping *c)
{
	CLEANUP(buf_done) struct buf marker = BUF(NAME_BYTES);
	unsigned n;

	do {
		AUTO(arena) a = arena_new();
		struct str *names;
		int rc = list_page(c, buf_str(&marker), a, &names, &n);

		if (rc < 0)
			return rc;
		struct object_job *jobs = arena_alloc(a, (n + 1) * sizeof *jobs);
		TASK_GROUP(g);

		for (unsigned i = 0; i < n; i++) {
			rc = task_sem_take(&c->room, 0);
			if (rc < 0)
				return rc;
			jobs[i] = (struct object_job){ c, names[i] };
			task_spawn(&g, "reap", object_run, &jobs[i]);
		}
		rc = task_group_join(&g);
		if (rc < 0)
			return rc;
		if (n) {
			buf_clear(&marker);
			buf_add_str(&marker, names[n - 1]);
		}
	} while (n);
	return 0;
}

waits static bool delete_container(struct reaping *c, const struct direct *account)
{
	AUTO(arena) a = arena_new();
	struct headers *h = direct_headers(&c->at, a, timestamp_now(), S("account-reaper"));

	for (unsigned i = 0; i < c->at.n; i++) {
		direct_add_rows(&c->at, i, account, "Account", &h[i]);
		headers_add_ref(&h[i], S("X-Account-Override-Deleted"), S("yes"));
	}
	const struct direct_answer *answers = direct_ask_all(&c->at, a, S("DELETE"), h);

	/* 409: it is not empty there yet. */
	for (unsigned i = 0; i < c->at.n; i++)
		if (answers[i].status == 409)
			return false;
	return is_gone(answers, c->at.n);
}

waits static int reap_container(struct reaper *r, const struct direct *account, struct str name,
				unsigned policy)
{
	struct reaping c = { .r = r, .policy = policy };
	int rc = direct_init(&c.at, r->o, account->account, name, STR_NONE, 0);

	if (rc < 0)
		return 0;
	task_sem_init(&c.room, (unsigned)reaper_conf.concurrency);
	rc = delete_objects(&c);
	if ((rc == 0 || rc == -ENOENT) && c.failed == 0 && delete_container(&c, account))
		r->now.containers++;
	else
		r->now.containers_remaining++;
	if (rc < 0 && rc != -ENOENT && rc != -ECANCELED)
		log_debug("reaper: %.*s/%.*s: %s, trying again later", STR(account->account),
			  STR(name), strerror(-rc));
	direct_done(&c.at);
	return rc == -ECANCELED ? rc : 0;
}

waits static int reap_containers(struct reaper *r, const struct db_id *id,
				 const struct direct *account)
{
	CLEANUP(buf_done) struct buf after = BUF(NAME_BYTES);
	int more = 1;

	while (more > 0) {
		AUTO(arena) a = arena_new();
		struct db_item *rows = arena_alloc(a, ROWS_STEP * sizeof *rows);
		unsigned n;

		more = db_rows(r->o->dbs, id, after.n ? buf_str(&after) : STR_NONE, ROWS_STEP, a,
			       rows, &n);
		if (more < 0)
			return more;
		for (unsigned i = 0; i < n; i++) {
			struct account_row row;

			if (account_row_decode(rows[i].value, &row) < 0 ||
			    account_row_deleted(&row))
				continue;
			int rc = reap_container(r, account, rows[i].name, row.policy);

			if (rc < 0)
				return rc;
		}
		if (n) {
			buf_clear(&after);
			buf_add_str(&after, rows[n - 1].name);
		}
	}
	return 0;
}

int reap_account(struct reaper *r, const struct db_id *id, const struct db_info *info)
{
	AUTO(arena) a = arena_new();
	struct direct account;

	if (db_info_empty(info))
		return 0;
	if (direct_init(&account, r->o, arena_str(a, info->account), STR_NONE, STR_NONE, 0) < 0)
		return 0;
	r->now.accounts++;
	int rc = account.n ? reap_containers(r, id, &account) : 0;

	direct_done(&account);
	return rc;
}
