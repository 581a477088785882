/* Server groups: servers that are to be on one host, or on different ones.
 * Nova: api/openstack/compute/server_groups.py */
#include "compute/server/server.h"

/* The members are the servers that name the group. */
static json_t *view_of(const struct api_call *c, const json_t *doc,
		       const struct record_list *servers)
{
	json_t *members = json_array();
	json_t *view = json_pack("{s:O, s:O, s:o}", "id", json_object_get(doc, "id"), "name",
				 json_object_get(doc, "name"), "members", members);

	for (size_t i = 0; i < servers->n; i++)
		if (str_eq(text(servers->v[i].doc, "group"), text(doc, "id")))
			json_array_append(members, json_object_get(servers->v[i].doc, "id"));
	if (c->version < 64) {
		json_object_set_new(view, "policies",
				    json_pack("[O]", json_object_get(doc, "policy")));
		json_object_set_new(view, "metadata", json_object());
	} else {
		json_object_set(view, "policy", json_object_get(doc, "policy"));
		json_object_set(view, "rules", json_object_get(doc, "rules"));
	}
	if (c->version >= 13) {
		json_object_set(view, "project_id", json_object_get(doc, "project_id"));
		json_object_set(view, "user_id", json_object_get(doc, "user_id"));
	}
	return view;
}

waits static bool servers_of(struct api_call *c, struct record_list *ret)
{
	int rc = records_list(server_state(c)->servers, c->arena, ret);

	if (rc < 0)
		api_fail(c, rc);
	return rc == 0;
}

static struct str id_at(const void *items, size_t i)
{
	return text(((json_t *const *)items)[i], "id");
}

void group_list(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	CLEANUP(record_list_done) struct record_list servers = { .n = 0 };
	bool every = c->caller->admin && api_query(c, "all_projects").p;
	struct page page;
	size_t n = 0;
	int rc = records_list(server_state(c)->groups, c->arena, &all);

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	json_t **docs = arena_alloc(c->arena, (all.n + 1) * sizeof *docs);

	for (size_t i = 0; i < all.n; i++)
		if (every || str_eq(text(all.v[i].doc, "project_id"), c->caller->project_id))
			docs[n++] = all.v[i].doc;
	if (!servers_of(c, &servers) || !page_of(c, n, id_at, docs, &page))
		return;
	json_t *list = json_array();

	for (size_t i = page.from; i < page.end; i++)
		json_array_append_new(list, view_of(c, docs[i], &servers));
	api_respond(c, 200, json_pack("{s:o}", "server_groups", list));
}

static struct str policy_of(struct api_call *c, const json_t *f)
{
	const json_t *list = json_object_get(f, "policies");
	struct str name = text(f, "policy");

	if (c->version < 64)
		name = json_array_size(list) == 1 ?
			       str_from(json_string_value(json_array_get(list, 0))) : S("");
	enum sched_policy p = sched_policy_parse(name);

	if (p == SCHED_NONE || (p >= SCHED_SOFT_AFFINITY && c->version < 15)) {
		api_error(c, 400, "Invalid input for field/attribute policies.");
		return STR_NONE;
	}
	return name;
}

waits static bool room(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	struct server_state *s = server_state(c);
	int64_t most = -1, have = 0;
	int rc = quota_of(s, c->arena, c->caller->project_id, "server_groups", &most);

	if (rc == 0)
		rc = records_list(s->groups, c->arena, &all);
	for (size_t i = 0; i < all.n; i++)
		have += str_eq(text(all.v[i].doc, "project_id"), c->caller->project_id);
	if (rc < 0)
		api_fail(c, rc);
	else if (most >= 0 && have >= most)
		api_error(c, rc = 403, "Quota exceeded, too many server groups.");
	return rc == 0;
}

void group_create(struct api_call *c)
{
	static const struct field old_fields[] = {
		{ .name = "name", .kind = F_NAME, .min = 1, .max = 255, .required = true },
		{ .name = "policies", .kind = F_LIST, .required = true },
		{ .name = NULL },
	};
	static const struct field new_fields[] = {
		{ .name = "name", .kind = F_NAME, .min = 1, .max = 255, .required = true },
		{ .name = "policy", .kind = F_TEXT, .min = 1, .max = 64, .required = true },
		{ .name = "rules", .kind = F_OBJECT },
		{ .name = NULL },
	};
	static const struct field rule_fields[] = {
		{ .name = "max_server_per_host", .kind = F_INT, .min = 1, .max = INT32_MAX },
		{ .name = NULL },
	};
	AUTO(json_text) body = NULL;
	const json_t *f = fields_body(c, "server_group", c->version < 64 ? old_fields : new_fields,
				      &body);
	json_t *rules = json_object_get(f, "rules");
	struct str policy = f ? policy_of(c, f) : STR_NONE;
	char id[UUID_SIZE];

	if (!policy.p || (rules && !fields_check(c, rules, rule_fields)))
		return;
	if (json_object_size(rules) && !str_eq(policy, S("anti-affinity"))) {
		api_error(c, 400, "Only anti-affinity policy supports rules.");
		return;
	}
	if (!room(c))
		return;
	uuid_make(id);
	AUTO(json_text) doc = json_pack("{s:s, s:O, s:o, s:o, s:o, s:o}", "id", id, "name",
					json_object_get(f, "name"), "policy", json_of(policy),
					"rules", rules ? json_incref(rules) : json_object(),
					"project_id", json_of(c->caller->project_id), "user_id",
					json_of(c->caller->user_id));
	const struct record_list none = { .n = 0 };
	int rc = records_create(server_state(c)->groups, c->arena, str_from(id), doc);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond(c, 200, json_pack("{s:o}", "server_group", view_of(c, doc, &none)));
}

waits static json_t *need(struct api_call *c)
{
	AUTO(json_text) doc = NULL;
	int rc = uuid_valid(c->arg[0]) ?
			 records_get(server_state(c)->groups, c->arena, c->arg[0], &doc) : -ENOENT;

	if (rc == 0 && !may_see(c, text(doc, "project_id")))
		rc = -ENOENT;
	if (rc == 0)
		return TAKE(doc);
	answer_fail(c, rc, "Instance group", c->arg[0]);
	return NULL;
}

void group_show(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list servers = { .n = 0 };
	AUTO(json_text) doc = need(c);

	if (doc && servers_of(c, &servers))
		api_respond(c, 200, json_pack("{s:o}", "server_group", view_of(c, doc, &servers)));
}

void group_delete(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (!doc)
		return;
	int rc = records_remove(server_state(c)->groups, c->arena, c->arg[0]);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond_empty(c, 204);
}
