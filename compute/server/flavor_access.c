/* Who may use a flavor that is not public, and its extra specs.
 * Nova: api/openstack/compute/flavor_access.py, flavors_extraspecs.py */
#include "compute/server/server.h"

static json_t *access_view(const json_t *doc)
{
	json_t *list = json_array(), *p;
	size_t i;

	json_array_foreach(json_object_get(doc, "projects"), i, p)
		json_array_append_new(list, json_pack("{s:O, s:O}", "flavor_id",
						      json_object_get(doc, "id"), "tenant_id", p));
	return json_pack("{s:o}", "flavor_access", list);
}

waits static json_t *need(struct api_call *c)
{
	json_t *doc = NULL;
	int rc = flavor_get(c, c->arg[0], &doc);

	if (rc < 0)
		answer_fail(c, rc, "Flavor", c->arg[0]);
	return doc;
}

struct change {
	struct api_call *c;
	struct str key;                 /* a project, or a spec's name */
	const json_t *specs;
	bool add;
};

waits static json_t *change(struct change *ch, record_change *fn)
{
	struct api_call *c = ch->c;
	json_t *doc = NULL;
	int rc = records_change(server_state(c)->flavors, c->arena, c->arg[0], fn, ch, &doc);

	if (rc < 0 && rc != SERVER_ANSWERED)
		answer_fail(c, rc, "Flavor", c->arg[0]);
	return doc;
}

void flavor_access(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (!doc)
		return;
	if (json_is_true(json_object_get(doc, "is_public")))
		api_error(c, 404, "Access list not available for public flavors.");
	else
		api_respond(c, 200, access_view(doc));
}

static int change_access(void *arg, json_t *doc)
{
	struct change *ch = arg;
	json_t *list = json_object_get(doc, "projects"), *p;
	size_t i, at = SIZE_MAX;

	if (ch->c->version >= 7 && ch->add && json_is_true(json_object_get(doc, "is_public"))) {
		api_error(ch->c, 409, "Can not add access to a public flavor.");
		return SERVER_ANSWERED;
	}
	json_array_foreach(list, i, p)
		if (str_eq(str_from(json_string_value(p)), ch->key))
			at = i;
	if (ch->add == (at != SIZE_MAX)) {
		api_error(ch->c, ch->add ? 409 : 404, "Flavor access %s for %.*s / %.*s.",
			  ch->add ? "already exists" : "not found", STR(ch->c->arg[0]),
			  STR(ch->key));
		return SERVER_ANSWERED;
	}
	if (ch->add)
		json_array_append_new(list, json_of(ch->key));
	else
		json_array_remove(list, at);
	return 1;
}

void flavor_action(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "tenant", .kind = F_NAME, .min = 1, .max = 255, .required = true },
		{ .name = NULL },
	};
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	const json_t *add = json_object_get(body, "addTenantAccess");
	const json_t *what = add ? add : json_object_get(body, "removeTenantAccess");
	struct change ch = { .c = c, .add = add };

	if (!body)
		return;
	if (!what) {
		api_error(c, 400, "There is no such action.");
		return;
	}
	if (!fields_check(c, what, fields))
		return;
	ch.key = text(what, "tenant");
	AUTO(json_text) doc = change(&ch, change_access);

	if (doc)
		api_respond(c, 200, access_view(doc));
}

/* ---- extra specs ---- */

void flavor_specs(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (doc)
		api_respond(c, 200, json_pack("{s:O}", "extra_specs",
					      json_object_get(doc, "extra_specs")));
}

static bool specs_valid(struct api_call *c, const json_t *specs)
{
	const char *key;
	json_t *v;

	if (!json_is_object(specs)) {
		api_error(c, 400, "Invalid input: 'extra_specs' is a required property");
		return false;
	}
	json_object_foreach((json_t *)specs, key, v) {
		bool good = *key && strlen(key) <= 255 &&
			    strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789_-:. ") == strlen(key);

		if (!good || !(json_is_string(v) || json_is_number(v)) ||
		    json_string_length(v) > 255) {
			api_error(c, 400, "Invalid input for field/attribute extra_specs: '%s'",
				  key);
			return false;
		}
	}
	return true;
}

static int add_specs(void *arg, json_t *doc)
{
	struct change *ch = arg;
	json_t *specs = json_object_get(doc, "extra_specs"), *v;
	const char *key;

	json_object_foreach((json_t *)ch->specs, key, v) {
		AUTO(chars) dump = json_dumps(v, JSON_ENCODE_ANY);

		if (json_is_string(v))
			json_object_set(specs, key, v);
		else
			json_object_set_new(specs, key, json_string(dump));
	}
	return 1;
}

void flavor_specs_add(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	struct change ch = { .c = c, .specs = json_object_get(body, "extra_specs") };

	if (!body || !specs_valid(c, ch.specs))
		return;
	AUTO(json_text) doc = change(&ch, add_specs);

	if (doc)
		api_respond(c, 200, json_pack("{s:O}", "extra_specs", ch.specs));
}

static bool spec_missing(struct api_call *c, const json_t *doc)
{
	if (json_object_get(json_object_get(doc, "extra_specs"), c->arg[1].p))
		return false;
	api_error(c, 404, "Flavor %.*s has no extra specs with key %.*s.", STR(c->arg[0]),
		  STR(c->arg[1]));
	return true;
}

void flavor_spec_show(struct api_call *c)
{
	AUTO(json_text) doc = need(c);
	char *key = arena_cstr(c->arena, c->arg[1]);

	c->arg[1] = str_from(key);
	if (doc && !spec_missing(c, doc))
		api_respond(c, 200,
			    json_pack("{s:O}", key,
				      json_object_get(json_object_get(doc, "extra_specs"), key)));
}

void flavor_spec_set(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	struct change ch = { .c = c, .specs = body };

	if (!body)
		return;
	if (json_object_size(body) != 1 ||
	    !json_object_get(body, arena_cstr(c->arena, c->arg[1]))) {
		api_error(c, 400, "The body has to be about %.*s only.", STR(c->arg[1]));
		return;
	}
	if (!specs_valid(c, body))
		return;
	AUTO(json_text) doc = change(&ch, add_specs);

	if (doc)
		api_respond(c, 200, json_incref(body));
}

static int delete_spec(void *arg, json_t *doc)
{
	struct change *ch = arg;

	if (spec_missing(ch->c, doc))
		return SERVER_ANSWERED;
	json_object_del(json_object_get(doc, "extra_specs"), ch->c->arg[1].p);
	return 1;
}

void flavor_spec_delete(struct api_call *c)
{
	struct change ch = { .c = c };

	c->arg[1] = str_from(arena_cstr(c->arena, c->arg[1]));
	AUTO(json_text) doc = change(&ch, delete_spec);

	if (doc)
		api_respond_empty(c, 200);
}
