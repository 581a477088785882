/* Flavors: how large servers may be. The standard list is made when none was ever there.
 * Nova: api/openstack/compute/flavors.py, flavor_manage.py, flavor_access.py */
#include "compute/server/server.h"
#include "lib/base/clock.h"

static json_t *make(const char *id, const char *name, int ram, int disk, int vcpus)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:b, s:b, s:n, s:{}, s:[]}",
			 "id", id, "name", name, "ram", ram, "disk", disk, "vcpus", vcpus, "swap",
			 0, "ephemeral", 0, "rxtx_factor", 1.0, "disabled", 0, "is_public", 1,
			 "description", "extra_specs", "projects");
}

/* A record in the container says that it was done, so that a list that an admin has emptied stays
 * empty. */
waits static int make_standard(struct server_state *s, struct arena *a)
{
	static const struct {
		const char *id, *name;
		int ram, disk, vcpus;
	} standard[] = {
		{ "1", "m1.tiny", 512, 1, 1 },	    { "2", "m1.small", 2048, 20, 1 },
		{ "3", "m1.medium", 4096, 40, 2 },  { "4", "m1.large", 8192, 80, 4 },
		{ "5", "m1.xlarge", 16384, 160, 8 }, { "42", "m1.nano", 128, 1, 1 },
		{ "84", "m1.micro", 192, 1, 1 },
	};
	AUTO(json_text) marker = NULL;
	int rc = records_get(s->quotas, a, S("standard flavors"), &marker);

	if (rc != -ENOENT)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(standard); i++) {
		AUTO(json_text) doc = make(standard[i].id, standard[i].name, standard[i].ram,
					   standard[i].disk, standard[i].vcpus);

		rc = records_create(s->flavors, a, str_from(standard[i].id), doc);
		if (rc < 0 && rc != -EEXIST)
			return rc;
	}
	AUTO(json_text) done = json_pack("{s:b}", "done", 1);

	rc = records_create(s->quotas, a, S("standard flavors"), done);
	return rc == -EEXIST ? 0 : rc;
}

int flavors_list(struct server_state *s, struct arena *a, struct record_list *ret)
{
	int rc = s->flavors_made ? 0 : make_standard(s, a);

	if (rc < 0)
		return rc;
	s->flavors_made = true;
	return records_list(s->flavors, a, ret);
}

static bool has_access(const struct caller *who, const json_t *doc)
{
	const json_t *p;
	size_t i;

	if (who->admin || json_is_true(json_object_get(doc, "is_public")))
		return true;
	json_array_foreach(json_object_get(doc, "projects"), i, p)
		if (str_eq(str_from(json_string_value(p)), who->project_id))
			return true;
	return false;
}

int flavor_get(struct api_call *c, struct str id, json_t **ret)
{
	struct server_state *s = server_state(c);
	AUTO(json_text) doc = NULL;
	int rc = s->flavors_made ? 0 : make_standard(s, c->arena);

	if (rc == 0)
		rc = id.n ? records_get(s->flavors, c->arena, id, &doc) : -ENOENT;
	if (rc == 0 && !has_access(c->caller, doc))
		rc = -ENOENT;
	if (rc == 0)
		*ret = TAKE(doc);
	return rc;
}

json_t *flavor_kept(const json_t *flavor)
{
	static const char *const keys[] = { "id", "name", "ram", "disk", "vcpus", "swap",
					    "ephemeral", "extra_specs" };
	json_t *kept = json_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		json_object_set(kept, keys[i], json_object_get(flavor, keys[i]));
	return kept;
}

static json_t *brief(struct api_call *c, const json_t *doc)
{
	json_t *view = json_pack("{s:O, s:O, s:o}", "id", json_object_get(doc, "id"), "name",
				 json_object_get(doc, "name"), "links",
				 links_of(c, "flavors", text(doc, "id")));

	if (c->version >= 55)
		json_object_set(view, "description", json_object_get(doc, "description"));
	return view;
}

static json_t *whole(struct api_call *c, const json_t *doc)
{
	json_t *view = brief(c, doc);
	int64_t swap = number(doc, "swap");

	json_object_set(view, "ram", json_object_get(doc, "ram"));
	json_object_set(view, "disk", json_object_get(doc, "disk"));
	json_object_set(view, "vcpus", json_object_get(doc, "vcpus"));
	json_object_set_new(view, "swap", swap || c->version >= 75 ? json_integer(swap) :
								     json_string(""));
	json_object_set(view, "OS-FLV-EXT-DATA:ephemeral", json_object_get(doc, "ephemeral"));
	json_object_set(view, "OS-FLV-DISABLED:disabled", json_object_get(doc, "disabled"));
	json_object_set(view, "os-flavor-access:is_public", json_object_get(doc, "is_public"));
	json_object_set(view, "rxtx_factor", json_object_get(doc, "rxtx_factor"));
	if (c->version >= 61)
		json_object_set(view, "extra_specs", json_object_get(doc, "extra_specs"));
	return view;
}

/* ---- listing ---- */

struct wanted {
	uint64_t ram, disk;
	int is_public;                  /* -1: either */
	struct str key;
	bool descending;
};

static bool wanted_of(struct api_call *c, struct wanted *w)
{
	struct str is_public = api_query(c, "is_public");

	*w = (struct wanted){ .is_public = c->caller->admin && is_public.p ?
					str_is_true(is_public) : 1,
			      .key = api_query(c, "sort_key"),
			      .descending = str_eq(api_query(c, "sort_dir"), S("desc")) };
	if (c->caller->admin && str_ieq(is_public, S("none")))
		w->is_public = -1;
	w->key = str_from(arena_cstr(c->arena, w->key));
	if (!w->key.n || str_eq(w->key, S("flavorid")))
		w->key = S("id");
	if (str_eq(w->key, S("memory_mb")))
		w->key = S("ram");
	if (str_eq(w->key, S("root_gb")))
		w->key = S("disk");
	if (api_query_u64(c, "minRam", &w->ram) < 0 || api_query_u64(c, "minDisk", &w->disk) < 0) {
		api_error(c, 400, "Invalid minRam or minDisk filter");
		return false;
	}
	return true;
}

static bool matches(const struct caller *who, const struct wanted *w, const json_t *doc)
{
	bool is_public = json_is_true(json_object_get(doc, "is_public"));

	if ((uint64_t)number(doc, "ram") < w->ram || (uint64_t)number(doc, "disk") < w->disk)
		return false;
	if (w->is_public >= 0 && (w->is_public == 1) != is_public)
		return w->is_public == 1 && !who->admin && has_access(who, doc);
	return has_access(who, doc);
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct wanted *w = arg;
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	const json_t *vx = json_object_get(x, w->key.p), *vy = json_object_get(y, w->key.p);
	int order;

	if (json_is_integer(vx) && json_is_integer(vy))
		order = (json_integer_value(vx) > json_integer_value(vy)) -
			(json_integer_value(vx) < json_integer_value(vy));
	else
		order = str_cmp(text(x, w->key.p), text(y, w->key.p));
	if (order == 0)
		return str_cmp(text(x, "id"), text(y, "id"));
	return w->descending ? -order : order;
}

static struct str id_at(const void *items, size_t i)
{
	return text(((json_t *const *)items)[i], "id");
}

waits static void list(struct api_call *c, json_t *(*view)(struct api_call *c, const json_t *doc))
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	struct wanted w;
	struct page page;
	size_t n = 0;

	if (!wanted_of(c, &w))
		return;
	int rc = flavors_list(server_state(c), c->arena, &all);

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	json_t **docs = arena_alloc(c->arena, (all.n + 1) * sizeof *docs);

	for (size_t i = 0; i < all.n; i++)
		if (matches(c->caller, &w, all.v[i].doc))
			docs[n++] = all.v[i].doc;
	qsort_r(docs, n, sizeof *docs, compare, &w);
	if (!page_of(c, n, id_at, docs, &page))
		return;
	json_t *array = json_array(), *doc = json_pack("{s:o}", "flavors", array);

	for (size_t i = page.from; i < page.end; i++)
		json_array_append_new(array, view(c, docs[i]));
	if (page.more)
		json_object_set_new(doc, "flavors_links",
				    page_links(c, id_at(docs, page.end - 1)));
	api_respond(c, 200, doc);
}

void flavor_list(struct api_call *c)
{
	list(c, brief);
}

void flavor_detail(struct api_call *c)
{
	list(c, whole);
}

waits static json_t *need(struct api_call *c)
{
	json_t *doc = NULL;
	int rc = flavor_get(c, c->arg[0], &doc);

	if (rc < 0)
		answer_fail(c, rc, "Flavor", c->arg[0]);
	return doc;
}

void flavor_show(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (doc)
		api_respond(c, 200, json_pack("{s:o}", "flavor", whole(c, doc)));
}

/* ---- by admins ---- */

static bool id_valid(struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._- ",
			    id.p[i]))
			return false;
	return id.n > 0 && str_trim(id).n == id.n;
}

waits static int name_taken(struct api_call *c, struct str name)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	int rc = flavors_list(server_state(c), c->arena, &all);

	for (size_t i = 0; i < all.n && rc == 0; i++)
		if (str_eq(text(all.v[i].doc, "name"), name))
			rc = -EEXIST;
	return rc;
}

static json_t *from_body(const json_t *f, struct str id, unsigned version)
{
	struct str name = text(f, "name");
	json_t *doc = make(id.p, name.p, (int)field_int(f, "ram", 0), (int)field_int(f, "disk", 0),
			   (int)field_int(f, "vcpus", 0));
	const json_t *rxtx = json_object_get(f, "rxtx_factor");
	double factor = json_number_value(rxtx);

	if (json_is_string(rxtx))
		(void)!str_to_double(str_from(json_string_value(rxtx)), &factor);
	if (rxtx)
		json_object_set_new(doc, "rxtx_factor", json_real(factor));
	json_object_set_new(doc, "swap", json_integer(field_int(f, "swap", 0)));
	json_object_set_new(doc, "ephemeral",
			    json_integer(field_int(f, "OS-FLV-EXT-DATA:ephemeral", 0)));
	json_object_set_new(doc, "is_public",
			    json_boolean(field_bool(f, "os-flavor-access:is_public", true)));
	if (version >= 55 && json_object_get(f, "description"))
		json_object_set(doc, "description", json_object_get(f, "description"));
	return doc;
}

void flavor_create(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "name", .kind = F_NAME, .min = 1, .max = 255, .required = true },
		{ .name = "id", .kind = F_ANY },
		{ .name = "ram", .kind = F_INT, .min = 1, .max = INT32_MAX, .required = true },
		{ .name = "vcpus", .kind = F_INT, .min = 1, .max = INT32_MAX, .required = true },
		{ .name = "disk", .kind = F_INT, .min = 0, .max = INT32_MAX, .required = true },
		{ .name = "OS-FLV-EXT-DATA:ephemeral", .kind = F_INT, .min = 0, .max = INT32_MAX },
		{ .name = "swap", .kind = F_INT, .min = 0, .max = INT32_MAX },
		{ .name = "rxtx_factor", .kind = F_NUMBER, .min = 0, .max = INT32_MAX },
		{ .name = "os-flavor-access:is_public", .kind = F_BOOL },
		{ .name = "description", .kind = F_TEXT, .min = 0, .max = 65535, .nullable = true },
		{ .name = NULL },
	};
	AUTO(json_text) body = NULL;
	const json_t *f = fields_body(c, "flavor", fields, &body), *given;
	char uuid[UUID_SIZE];

	if (!f)
		return;
	uuid_make(uuid);
	given = json_object_get(f, "id");
	struct str id = json_is_integer(given) ?
				arena_printf(c->arena, "%" JSON_INTEGER_FORMAT,
					     json_integer_value(given)) :
			json_is_string(given) && !str_ieq(json_str(f, "id"), S("auto")) ?
				json_str(f, "id") : str_from(uuid);

	if (!id_valid(id) || id.n > 255) {
		api_error(c, 400, "Invalid input for field/attribute id. Value: %.*s.",
			  STR(str_head(id, 300)));
		return;
	}
	AUTO(json_text) doc = from_body(f, id, c->version);
	int rc = name_taken(c, text(f, "name"));

	if (rc == 0)
		rc = records_create(server_state(c)->flavors, c->arena, id, doc);
	if (rc == -EEXIST)
		api_error(c, 409, "Flavor with name %.*s or ID %.*s already exists.",
			  STR(text(f, "name")), STR(id));
	else if (rc < 0)
		api_fail(c, rc);
	else
		api_respond(c, 200, json_pack("{s:o}", "flavor", whole(c, doc)));
}

waits static json_t *change(struct api_call *c, record_change *fn, void *arg)
{
	json_t *doc = NULL;
	int rc = records_change(server_state(c)->flavors, c->arena, c->arg[0], fn, arg, &doc);

	if (rc < 0 && rc != SERVER_ANSWERED)
		answer_fail(c, rc, "Flavor", c->arg[0]);
	return doc;
}

static int set_description(void *arg, json_t *doc)
{
	json_object_set(doc, "description", arg);
	return 1;
}

void flavor_update(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "description",
		  .kind = F_TEXT,
		  .min = 0,
		  .max = 65535,
		  .required = true,
		  .nullable = true },
		{ .name = NULL },
	};
	AUTO(json_text) body = NULL;
	const json_t *f;

	if (!version_from(c, 55) || !(f = fields_body(c, "flavor", fields, &body)))
		return;
	AUTO(json_text) doc = change(c, set_description, json_object_get(f, "description"));

	if (doc)
		api_respond(c, 200, json_pack("{s:o}", "flavor", whole(c, doc)));
}

void flavor_delete(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (!doc)
		return;
	int rc = records_remove(server_state(c)->flavors, c->arena, c->arg[0]);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond_empty(c, 202);
}
