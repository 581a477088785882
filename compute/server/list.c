/* GET /servers and /servers/detail: filters, order, pages.
 * Nova: api/openstack/compute/servers.py, schemas/servers.py */
#include "compute/server/server.h"
#include "lib/base/clock.h"

#include <regex.h>

enum { PATTERN_MAX = 255 };

struct filter {
	struct str status[16];
	unsigned statuses;
	bool unknown_status;            /* a status that is none: nothing matches */
	bool every;                     /* all projects */
	struct str key;                 /* sorted by */
	bool ascending;
	int64_t since, before;          /* of updated_us; 0: none */
	struct str part;                /* of the name; absent: any, or the pattern */
	regex_t name;
	bool named;
};

static void filter_done(struct filter *f)
{
	if (f->named)
		regfree(&f->name);
}

static bool known_status(struct str s)
{
	static const char *const all[] = {
		"ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD",
		"PAUSED", "REBOOT", "REBUILD", "RESCUE", "RESIZE", "REVERT_RESIZE", "SHELVED",
		"SHELVED_OFFLOADED", "SHUTOFF", "SOFT_DELETED", "SUSPENDED", "UNKNOWN",
		"VERIFY_RESIZE",
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (str_ieq(s, str_from(all[i])))
			return true;
	return false;
}

static bool parse_status(struct api_call *c, struct filter *f)
{
	for (unsigned i = 0; i < c->queries && f->statuses < ARRAY_LEN(f->status); i++) {
		if (!str_eq(c->query[i].key, S("status")))
			continue;
		if (!known_status(c->query[i].value)) {
			f->unknown_status = true;
			continue;
		}
		f->status[f->statuses++] = c->query[i].value;
	}
	if (!f->unknown_status || f->statuses)
		return true;
	if (c->version < 38)
		return true;
	api_error(c, 400, "Invalid status value");
	return false;
}

static bool parse_time(struct api_call *c, const char *key, int64_t *ret)
{
	struct str t = api_query(c, key);

	if (!t.p || clock_iso_parse(t, ret) == 0)
		return true;
	/* "+00:00", of which the plus has become a blank. */
	if (t.n > 6 && clock_iso_parse(str_head(t, t.n - 6), ret) == 0 &&
	    str_ends(t, S("00:00")))
		return true;
	api_error(c, 400, "Invalid input for query parameters %s. Value: %.*s. It is not a "
			  "'date-time'", key, STR(str_head(t, 100)));
	return false;
}

/* Nova takes a regular expression. Repetitions with counts and back references can cost any amount
 * of memory and time: a name with such is looked for as it stands. */
static bool parse_name(struct api_call *c, struct filter *f)
{
	struct str name = api_query(c, "name");

	if (!name.n)
		return true;
	if (str_chr(name, '{') >= 0 || str_chr(name, '\\') >= 0) {
		f->part = name;
		return true;
	}
	if (name.n > PATTERN_MAX ||
	    regcomp(&f->name, arena_cstr(c->arena, name), REG_EXTENDED | REG_NOSUB)) {
		api_error(c, 400, "Invalid input for query parameters name. It is not a 'regex'");
		return false;
	}
	f->named = true;
	return true;
}

static bool parse_sort(struct api_call *c, struct filter *f)
{
	static const struct {
		const char *name, *key;
	} keys[] = {
		{ "created_at", "created_us" }, { "updated_at", "updated_us" },
		{ "launched_at", "launched_us" }, { "uuid", "id" }, { "display_name", "name" },
		{ "name", "name" }, { "vm_state", "vm_state" }, { "task_state", "task_state" },
		{ "power_state", "power_state" }, { "project_id", "project_id" },
		{ "user_id", "user_id" }, { "host", "host" }, { "key_name", "key_name" },
		{ "hostname", "hostname" }, { "launch_index", "launch_index" },
		{ "availability_zone", "zone" }, { "display_description", "description" },
		{ "access_ip_v4", "access_v4" }, { "access_ip_v6", "access_v6" },
		{ "config_drive", "config_drive" }, { "locked", "locked" },
	};
	struct str wanted = api_query(c, "sort_key"), dir = api_query(c, "sort_dir");

	f->key = S("created_us");
	f->ascending = str_eq(dir, S("asc"));
	if (dir.p && !f->ascending && !str_eq(dir, S("desc"))) {
		api_error(c, 400, "Invalid input for query parameters sort_dir.");
		return false;
	}
	if (!wanted.p)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_eq(wanted, str_from(keys[i].name))) {
			f->key = str_from(keys[i].key);
			return true;
		}
	api_error(c, 400, "Invalid input for query parameters sort_key. Value: %.*s",
		  STR(str_head(wanted, 100)));
	return false;
}

static bool parse(struct api_call *c, struct filter *f)
{
	struct str all = api_query(c, "all_tenants");

	if (!all.p)
		all = api_query(c, "all_projects");
	if (all.n && !str_is_true(all) && !str_eq(all, S("0")) && !str_ieq(all, S("false")) &&
	    !str_ieq(all, S("no"))) {
		api_error(c, 400, "Invalid input for query parameters all_tenants.");
		return false;
	}
	f->every = all.p && (all.n == 0 || str_is_true(all));
	if (f->every && !c->caller->admin) {
		api_error(c, 403, "Policy doesn't allow os_compute_api:servers:index:"
				  "get_all_tenants to be performed.");
		return false;
	}
	return parse_status(c, f) && parse_time(c, "changes-since", &f->since) &&
	       (c->version < 66 || parse_time(c, "changes-before", &f->before)) &&
	       parse_name(c, f) && parse_sort(c, f);
}

static bool is_or_absent(struct api_call *c, const char *key, struct str value)
{
	struct str wanted = api_query(c, key);

	return !wanted.p || str_eq(wanted, value);
}

static bool has_tag(const json_t *doc, struct str tag)
{
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(doc, "tags"), i, t)
		if (str_eq(str_from(json_string_value(t)), tag))
			return true;
	return false;
}

/* any: one of them is enough. */
static bool tags_match(const json_t *doc, struct str tags, bool any)
{
	struct str tag;

	while ((tag = str_cut(&tags, ',')).p)
		if (has_tag(doc, tag) == any)
			return any;
	return !any;
}

static bool tag_filters(struct api_call *c, const json_t *doc)
{
	struct str all = api_query(c, "tags"), any = api_query(c, "tags-any");
	struct str not_all = api_query(c, "not-tags"), not_any = api_query(c, "not-tags-any");

	if (c->version < 26)
		return true;
	return (!all.p || tags_match(doc, all, false)) && (!any.p || tags_match(doc, any, true)) &&
	       (!not_all.p || !tags_match(doc, not_all, false)) &&
	       (!not_any.p || !tags_match(doc, not_any, true));
}

static struct str last_part(struct str url)
{
	ssize_t at = str_rchr(url, '/');

	return at < 0 ? url : str_skip(url, (size_t)at + 1);
}

static bool address_matches(struct api_call *c, const json_t *doc)
{
	struct str ip = api_query(c, "ip");
	const json_t *nic;
	size_t i;

	if (!ip.n)
		return true;
	json_array_foreach(json_object_get(doc, "nics"), i, nic)
		if (str_find(text(nic, "address"), ip) >= 0)
			return true;
	return false;
}

static bool status_matches(const struct filter *f, const json_t *doc)
{
	for (unsigned i = 0; i < f->statuses; i++)
		if (str_ieq(f->status[i], str_from(server_status(doc))))
			return true;
	return f->statuses == 0 && !f->unknown_status;
}

static bool matches(struct api_call *c, const struct filter *f, const json_t *doc)
{
	struct str project = f->every ? api_query(c, "project_id") : c->caller->project_id;
	struct str image = api_query(c, "image"), flavor = api_query(c, "flavor");

	if (f->every && !project.p)
		project = api_query(c, "tenant_id");
	if ((!f->every || project.p) && !str_eq(text(doc, "project_id"), project))
		return false;
	if (f->since && number(doc, "updated_us") < f->since)
		return false;
	if (f->before && number(doc, "updated_us") > f->before)
		return false;
	if (f->named && regexec(&f->name, text(doc, "name").p, 0, NULL, 0) != 0)
		return false;
	if (f->part.p && str_find(text(doc, "name"), f->part) < 0)
		return false;
	if (image.p && !str_eq(text(json_object_get(doc, "image"), "id"), last_part(image)))
		return false;
	if (flavor.p && !str_eq(text(json_object_get(doc, "flavor"), "id"), last_part(flavor)))
		return false;
	if (c->version >= 73 && api_query(c, "locked").p &&
	    str_is_true(api_query(c, "locked")) != json_is_string(json_object_get(doc, "locked")))
		return false;
	if (c->caller->admin && !is_or_absent(c, "host", text(doc, "host")))
		return false;
	return status_matches(f, doc) && tag_filters(c, doc) && address_matches(c, doc) &&
	       is_or_absent(c, "uuid", text(doc, "id")) &&
	       is_or_absent(c, "user_id", text(doc, "user_id")) &&
	       is_or_absent(c, "key_name", text(doc, "key_name")) &&
	       is_or_absent(c, "availability_zone", text(doc, "zone")) &&
	       is_or_absent(c, "reservation_id", text(doc, "reservation_id")) &&
	       is_or_absent(c, "access_ip_v4", text(doc, "access_v4")) &&
	       is_or_absent(c, "vm_state", text(doc, "vm_state"));
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct filter *f = arg;
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	const json_t *vx = json_object_get(x, f->key.p);
	int64_t nx = number(x, f->key.p), ny = number(y, f->key.p);
	int order = json_is_integer(vx) ? (nx > ny) - (nx < ny) :
					  str_cmp(text(x, f->key.p), text(y, f->key.p));

	if (order == 0)
		order = str_cmp(text(x, "id"), text(y, "id"));
	return f->ascending ? order : -order;
}

static struct str id_at(const void *items, size_t i)
{
	return text(((json_t *const *)items)[i], "id");
}

static json_t *detailed(struct api_call *c, const json_t *doc)
{
	return server_view(c, doc, VIEW_DETAIL);
}

waits static void list(struct api_call *c, json_t *(*view)(struct api_call *c, const json_t *doc))
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	CLEANUP(filter_done) struct filter f = { .named = false };
	struct page page;
	size_t n = 0;

	if (!parse(c, &f))
		return;
	int rc = records_list(server_state(c)->servers, c->arena, &all);

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	json_t **docs = arena_alloc(c->arena, (all.n + 1) * sizeof *docs);

	for (size_t i = 0; i < all.n; i++)
		if (matches(c, &f, all.v[i].doc))
			docs[n++] = all.v[i].doc;
	qsort_r(docs, n, sizeof *docs, compare, &f);
	if (!page_of(c, n, id_at, docs, &page))
		return;
	json_t *array = json_array(), *doc = json_pack("{s:o}", "servers", array);

	for (size_t i = page.from; i < page.end; i++)
		json_array_append_new(array, view(c, docs[i]));
	if (page.more)
		json_object_set_new(doc, "servers_links",
				    page_links(c, id_at(docs, page.end - 1)));
	api_respond(c, 200, doc);
}

void server_list(struct api_call *c)
{
	list(c, server_brief);
}

void server_detail(struct api_call *c)
{
	list(c, detailed);
}
