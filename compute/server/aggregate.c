/* Host aggregates: hosts with common metadata, which flavors may ask for; one with an
 * availability_zone makes a zone. Nova: api/openstack/compute/aggregates.py */
#include "compute/server/server.h"
#include "lib/base/clock.h"
#include "lib/crypto/digest.h"

static json_t *view_of(const struct api_call *c, const json_t *doc, bool created)
{
	const json_t *zone = json_object_get(json_object_get(doc, "metadata"),
					     "availability_zone");
	json_t *view = json_pack("{s:O, s:O, s:o, s:b, s:o, s:n, s:o}", "id",
				 json_object_get(doc, "id"), "name", json_object_get(doc, "name"),
				 "availability_zone",
				 zone ? json_incref((json_t *)zone) : json_null(), "deleted", 0,
				 "created_at", time_legacy(number(doc, "created_us")),
				 "deleted_at", "updated_at",
				 time_legacy(number(doc, "updated_us")));

	if (!created) {
		json_object_set(view, "hosts", json_object_get(doc, "hosts"));
		json_object_set(view, "metadata", json_object_get(doc, "metadata"));
	}
	if (c->version >= 41)
		json_object_set(view, "uuid", json_object_get(doc, "uuid"));
	return view;
}

waits static bool all_of(struct api_call *c, struct record_list *ret)
{
	int rc = records_list(server_state(c)->aggregates, c->arena, ret);

	if (rc < 0)
		api_fail(c, rc);
	return rc == 0;
}

void aggregate_list(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	json_t *list;

	if (!all_of(c, &all))
		return;
	list = json_array();
	for (size_t i = 0; i < all.n; i++)
		json_array_append_new(list, view_of(c, all.v[i].doc, false));
	api_respond(c, 200, json_pack("{s:o}", "aggregates", list));
}

static bool name_free(struct api_call *c, const struct record_list *all, struct str name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(text(all->v[i].doc, "name"), name) &&
		    !(c->args && str_eq(all->v[i].id, c->arg[0]))) {
			api_error(c, 409, "Aggregate %.*s already exists.", STR(name));
			return false;
		}
	return true;
}

static const struct field create_fields[] = {
	{ .name = "name", .kind = F_NAME, .min = 1, .max = 255, .required = true },
	{ .name = "availability_zone", .kind = F_NAME, .min = 1, .max = 255, .nullable = true },
	{ .name = NULL },
};

void aggregate_create(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	AUTO(json_text) body = NULL;
	const json_t *f = fields_body(c, "aggregate", create_fields, &body);
	const json_t *zone = json_object_get(f, "availability_zone");
	char uuid[UUID_SIZE];
	uint32_t id;

	if (!f || !all_of(c, &all) || !name_free(c, &all, text(f, "name")))
		return;
	uuid_make(uuid);
	random_bytes(&id, sizeof id);
	id >>= 1;
	AUTO(json_text) doc = json_pack("{s:I, s:s, s:O, s:{}, s:[], s:I}", "id", (json_int_t)id,
					"uuid", uuid, "name", json_object_get(f, "name"),
					"metadata", "hosts", "created_us",
					(json_int_t)clock_wall_us());

	if (json_is_string(zone))
		json_object_set(json_object_get(doc, "metadata"), "availability_zone",
				(json_t *)zone);
	int rc = records_create(server_state(c)->aggregates, c->arena,
				arena_printf(c->arena, "%" PRIu32, id), doc);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond(c, 200, json_pack("{s:o}", "aggregate", view_of(c, doc, true)));
}

waits static json_t *need(struct api_call *c)
{
	json_t *doc = NULL;
	int rc = records_get(server_state(c)->aggregates, c->arena, c->arg[0], &doc);

	if (rc < 0)
		answer_fail(c, rc, "Aggregate", c->arg[0]);
	return doc;
}

void aggregate_show(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (doc)
		api_respond(c, 200, json_pack("{s:o}", "aggregate", view_of(c, doc, false)));
}

struct change {
	struct api_call *c;
	const json_t *f;
	struct str host;
	bool add;
};

waits static void change(struct api_call *c, record_change *fn, struct change *ch)
{
	AUTO(json_text) doc = NULL;
	int rc = records_change(server_state(c)->aggregates, c->arena, c->arg[0], fn, ch, &doc);

	if (rc == 0)
		api_respond(c, 200, json_pack("{s:o}", "aggregate", view_of(c, doc, false)));
	else if (rc != SERVER_ANSWERED)
		answer_fail(c, rc, "Aggregate", c->arg[0]);
}

static int touch(json_t *doc)
{
	json_object_set_new(doc, "updated_us", json_integer(clock_wall_us()));
	return 1;
}

static int update(void *arg, json_t *doc)
{
	struct change *ch = arg;
	const json_t *zone = json_object_get(ch->f, "availability_zone");

	if (json_object_get(ch->f, "name"))
		json_object_set(doc, "name", json_object_get(ch->f, "name"));
	if (json_is_string(zone))
		json_object_set(json_object_get(doc, "metadata"), "availability_zone",
				(json_t *)zone);
	return touch(doc);
}

void aggregate_update(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "name", .kind = F_NAME, .min = 1, .max = 255 },
		{ .name = "availability_zone",
		  .kind = F_NAME,
		  .min = 1,
		  .max = 255,
		  .nullable = true },
		{ .name = NULL },
	};
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	AUTO(json_text) body = NULL;
	struct change ch = { .c = c, .f = fields_body(c, "aggregate", fields, &body) };

	if (!ch.f)
		return;
	if (json_object_size(ch.f) == 0) {
		api_error(c, 400, "Invalid input: nothing is to be changed");
		return;
	}
	if (all_of(c, &all) && name_free(c, &all, text(ch.f, "name")))
		change(c, update, &ch);
}

void aggregate_delete(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (!doc)
		return;
	if (json_array_size(json_object_get(doc, "hosts"))) {
		api_error(c, 400, "Cannot remove the aggregate %.*s: it has hosts.",
			  STR(c->arg[0]));
		return;
	}
	int rc = records_remove(server_state(c)->aggregates, c->arena, c->arg[0]);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond_empty(c, 200);
}

static int change_host(void *arg, json_t *doc)
{
	struct change *ch = arg;
	json_t *hosts = json_object_get(doc, "hosts"), *h;
	size_t i, at = SIZE_MAX;

	json_array_foreach(hosts, i, h)
		if (str_eq(str_from(json_string_value(h)), ch->host))
			at = i;
	if (ch->add == (at != SIZE_MAX)) {
		api_error(ch->c, ch->add ? 409 : 404, "Aggregate %.*s %s host %.*s.",
			  STR(ch->c->arg[0]), ch->add ? "already has" : "does not have",
			  STR(ch->host));
		return SERVER_ANSWERED;
	}
	if (ch->add)
		json_array_append_new(hosts, json_of(ch->host));
	else
		json_array_remove(hosts, at);
	return touch(doc);
}

static int set_metadata(void *arg, json_t *doc)
{
	struct change *ch = arg;
	json_t *to = json_object_get(doc, "metadata"), *v;
	const char *key;

	json_object_foreach(json_object_get(ch->f, "metadata"), key, v) {
		if (json_is_null(v))
			json_object_del(to, key);
		else
			json_object_set(to, key, v);
	}
	return touch(doc);
}

waits static void host_action(struct api_call *c, const json_t *f, bool add)
{
	static const struct field fields[] = {
		{ .name = "host", .kind = F_TEXT, .min = 1, .max = 255, .required = true },
		{ .name = NULL },
	};
	struct change ch = { .c = c, .host = text(f, "host"), .add = add };
	AUTO(json_text) host = NULL;

	if (!fields_check(c, f, fields))
		return;
	int rc = add ? records_get(server_state(c)->hosts, c->arena, ch.host, &host) : 0;

	if (rc < 0)
		answer_fail(c, rc, "Compute host", ch.host);
	else
		change(c, change_host, &ch);
}

static bool metadata_valid(struct api_call *c, const json_t *f)
{
	const json_t *metadata = json_object_get(f, "metadata");
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)metadata, key, v)
		if (!*key || strlen(key) > 255 || (!json_is_null(v) && !json_is_string(v)) ||
		    json_string_length(v) > 255)
			metadata = NULL;
	if (json_is_object(metadata))
		return true;
	api_error(c, 400, "Invalid input for field/attribute metadata.");
	return false;
}

void aggregate_action(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	const json_t *add = json_object_get(body, "add_host");
	const json_t *remove = json_object_get(body, "remove_host");
	struct change ch = { .c = c, .f = json_object_get(body, "set_metadata") };

	if (!body)
		return;
	if (add || remove)
		host_action(c, add ? add : remove, add);
	else if (!ch.f)
		api_error(c, 400, "There is no such action.");
	else if (metadata_valid(c, ch.f))
		change(c, set_metadata, &ch);
}
