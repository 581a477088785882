/* Tells what this device has of an account, container or object: copies, tombstones, databases,
 * rows, and listing rows that wait for another device. */
#include "objectd/explain.h"

#include "objectd/db/db.h"
#include "objectd/updater/updater.h"

#include <jansson.h>

enum { NAME_BYTES_MAX = 16 * KIB };

static json_t *ts_json(struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	if (!timestamp_is_set(ts))
		return json_null();
	timestamp_internal(ts, text);
	return json_string(text);
}

static json_t *str_json(struct str s)
{
	return s.p ? json_stringn(s.p, s.n) : json_null();
}

/* ---- the object ---- */

static void add_metadata(json_t *j, struct store_object *object)
{
	const struct headers *h = store_object_metadata(object);
	json_t *all = json_object();

	for (unsigned i = 0; i < h->n; i++)
		json_object_setn_new(all, h->v[i].name.p, h->v[i].name.n, str_json(h->v[i].value));
	json_object_set_new(j, "metadata", all);
}

/* What is here of the object in one policy; NULL: nothing. */
waits static json_t *object_json(struct objectd *o, const struct object_id *id)
{
	AUTO(arena) a = arena_new();
	AUTO(store_object) object = NULL;
	struct object_entry e;
	int rc = store_lookup(o->store, id, &e);

	if (rc == -ENOENT)
		return NULL;
	json_t *j = json_object();

	json_object_set_new(j, "policy", json_integer(id->policy));
	if (rc < 0) {
		json_object_set_new(j, "error", json_string(strerror(-rc)));
		return j;
	}
	json_object_set_new(j, "state",
			    json_string(e.state == OBJECT_TOMBSTONE ? "deleted" : "data"));
	json_object_set_new(j, "timestamp", ts_json(e.data_ts));
	if (e.state == OBJECT_TOMBSTONE)
		return j;
	json_object_set_new(j, "metadata_timestamp", ts_json(e.meta_ts));
	json_object_set_new(j, "size", json_integer((json_int_t)e.size));
	if (e.delete_at)
		json_object_set_new(j, "delete_at", json_integer(e.delete_at));
	rc = store_object_open(o->store, id, a, &object);
	if (rc == 0)
		add_metadata(j, object);
	else
		json_object_set_new(j, "error", json_string(rc == -EIO ? "damaged" :
									 strerror(-rc)));
	return j;
}

waits static json_t *objects_json(struct objectd *o, const struct backend_path *p)
{
	const struct cluster *c = o->cluster;
	json_t *list = json_array();
	struct object_id id;

	ring_hash_path(c->hash_prefix, c->hash_suffix, p->account, p->container, p->object,
		       id.hash);
	for (unsigned i = 0; i < c->policy_count; i++) {
		id.policy = (uint16_t)c->policies[i].index;
		json_t *j = object_json(o, &id);

		if (j)
			json_array_append_new(list, j);
	}
	return list;
}

/* ---- databases ---- */

static json_t *row_json(const struct row *r)
{
	char etag[33];
	json_t *j = json_object();

	json_object_set_new(j, "policy", json_integer((json_int_t)r->policy));
	json_object_set_new(j, "deleted", json_boolean(r->deleted));
	json_object_set_new(j, "timestamp", ts_json(r->data_ts));
	if (r->deleted)
		return j;
	json_object_set_new(j, "metadata_timestamp", ts_json(r->meta_ts));
	json_object_set_new(j, "size", json_integer((json_int_t)r->size));
	json_object_set_new(j, "etag", str_json(row_etag_text(&r->etag, etag)));
	json_object_set_new(j, "content_type", str_json(r->content_type));
	return j;
}

static json_t *account_row_json(const struct account_row *r)
{
	json_t *j = json_object();

	json_object_set_new(j, "deleted", json_boolean(account_row_deleted(r)));
	json_object_set_new(j, "put_timestamp", ts_json(r->put_ts));
	json_object_set_new(j, "delete_timestamp", ts_json(r->delete_ts));
	json_object_set_new(j, "policy", json_integer((json_int_t)r->policy));
	json_object_set_new(j, "objects", json_integer((json_int_t)r->objects));
	json_object_set_new(j, "bytes", json_integer((json_int_t)r->bytes));
	return j;
}

/* Rows of one name: of an object one for each policy. */
waits static json_t *rows_json(struct objectd *o, const struct db_id *id, struct str name)
{
	CLEANUP(buf_done) struct buf value = BUF(ROW_VALUE_MAX);
	json_t *list = json_array();
	struct account_row account;
	struct row row;

	if (db_row(o->dbs, id, name, &value) < 0)
		return list;
	struct str rest = buf_str(&value);

	if (id->kind == DB_ACCOUNT && account_row_decode(rest, &account) == 0)
		json_array_append_new(list, account_row_json(&account));
	while (id->kind == DB_CONTAINER && rest.n && row_decode(&rest, &row) == 0)
		json_array_append_new(list, row_json(&row));
	return list;
}

waits static json_t *database_json(struct objectd *o, struct str account, struct str container,
				   struct str row)
{
	const struct cluster *c = o->cluster;
	struct db_id id = db_id_of(c->hash_prefix, c->hash_suffix, account, container);
	AUTO(db_info) info = NULL;
	json_t *j;
	int rc = db_info_get(o->dbs, &id, &info);

	if (rc == 0 && !info->exists)
		return json_null();
	j = json_object();
	if (rc < 0) {
		json_object_set_new(j, "error", json_string(strerror(-rc)));
		return j;
	}
	struct db_stat sum = db_info_total(info);

	json_object_set_new(j, "deleted", json_boolean(db_info_deleted(info)));
	json_object_set_new(j, "put_timestamp", ts_json(info->put_ts));
	json_object_set_new(j, "delete_timestamp", ts_json(info->delete_ts));
	if (id.kind == DB_CONTAINER)
		json_object_set_new(j, "policy", json_integer((json_int_t)info->policy));
	else
		json_object_set_new(j, "containers", json_integer(sum.containers));
	json_object_set_new(j, "objects", json_integer(sum.objects));
	json_object_set_new(j, "bytes", json_integer(sum.bytes));
	if (id.kind == DB_CONTAINER)
		json_object_set_new(j, "account_told", json_boolean(!db_info_unreported(info)));
	if (row.p)
		json_object_set_new(j, "rows", rows_json(o, &id, row));
	return j;
}

/* ---- rows under way ---- */

static void add_pending(void *arg, const struct row_target *to,
			const struct container_row_update *row)
{
	char host[160];
	json_t *j = json_object();

	snprintf(host, sizeof host, "%s:%u/%s", to->address.ip, to->address.port, to->device);
	json_object_set_new(j, "for", json_string(host));
	json_object_set_new(j, "policy", json_integer((json_int_t)row->policy_index));
	json_object_set_new(j, "deleted", json_boolean(row->deleted));
	json_object_set_new(j, "timestamp", ts_json(row->ts));
	json_array_append_new(arg, j);
}

waits static json_t *pending_json(struct objectd *o, const struct backend_path *p)
{
	json_t *list = json_array();
	int rc = updater_find(o->updater, p->account, p->container, p->object, add_pending, list);

	if (rc < 0)
		json_array_append_new(list, json_pack("{s:s}", "error", strerror(-rc)));
	return list;
}

static int parse(struct str body, struct backend_path *ret)
{
	struct str rest = body;

	if (!str_is_utf8(body))
		return -EINVAL;
	ret->account = str_cut(&rest, '/');
	ret->container = rest.n ? str_cut(&rest, '/') : STR_NONE;
	ret->object = rest.n ? rest : STR_NONE;
	return ret->account.n && (!ret->container.p || ret->container.n) ? 0 : -EINVAL;
}

void explain_handle(struct objectd *o, struct request *req, struct response *res)
{
	CLEANUP(buf_done) struct buf body = BUF(NAME_BYTES_MAX);
	struct backend_path p = { .partition = 0 };
	int rc = body_read_all(req->body, &body);

	if (rc < 0)
		return objectd_respond_error(res, rc);
	if (parse(buf_str(&body), &p) < 0)
		return respond_text(res, 400, "not an account, container or object\n");
	json_t *j = json_object();

	json_object_set_new(j, "device", json_string(o->device));
	json_object_set_new(j, "account",
			    database_json(o, p.account, STR_NONE, p.container));
	if (p.container.p)
		json_object_set_new(j, "container",
				    database_json(o, p.account, p.container, p.object));
	if (p.object.p) {
		json_object_set_new(j, "objects", objects_json(o, &p));
		json_object_set_new(j, "pending", pending_json(o, &p));
	}
	char *dump = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	respond(res, 200, S("application/json"), arena_str(req->arena, str_from(dump)));
	free(dump);
}
