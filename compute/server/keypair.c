/* Key pairs: of users, not of projects. Nova: api/openstack/compute/keypairs.py */
#include "compute/server/server.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/sshkey.h"

static struct str record_id(struct arena *a, struct str user, struct str name)
{
	return arena_printf(a, "%.*s/%.*s", STR(user), STR(name));
}

int keypair_get(struct server_state *s, struct arena *a, struct str user, struct str name,
		json_t **ret)
{
	if (!name.n || name.n > SERVER_NAME_MAX || !str_is_utf8(name))
		return -ENOENT;
	return records_get(s->keypairs, a, record_id(a, user, name), ret);
}

/* Whose keys it is about: the caller's, or for admins of another user (2.10). */
static struct str owner(struct api_call *c)
{
	struct str user = c->version >= 10 ? api_query(c, "user_id") : STR_NONE;

	if (!user.n || str_eq(user, c->caller->user_id))
		return c->caller->user_id;
	if (c->caller->admin)
		return user;
	api_error(c, 403, "Policy doesn't allow os_compute_api:os-keypairs to be performed.");
	return STR_NONE;
}

static json_t *brief(struct api_call *c, const json_t *doc)
{
	json_t *view = json_pack("{s:O, s:O, s:O}", "name", json_object_get(doc, "name"),
				 "public_key", json_object_get(doc, "public_key"), "fingerprint",
				 json_object_get(doc, "fingerprint"));

	if (c->version >= 2)
		json_object_set(view, "type", json_object_get(doc, "type"));
	return view;
}

static struct str name_at(const void *items, size_t i)
{
	return text(((const struct record *)items)[i].doc, "name");
}

void keypair_list(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	struct str user = owner(c);
	struct page page = { .from = 0 };

	if (!user.p)
		return;
	int rc = records_list_prefix(server_state(c)->keypairs, c->arena,
				     record_id(c->arena, user, S("")), &all);

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	page.end = all.n;
	if (c->version >= 35 && !page_of(c, all.n, name_at, all.v, &page))
		return;
	json_t *list = json_array(), *doc = json_pack("{s:o}", "keypairs", list);

	for (size_t i = page.from; i < page.end; i++)
		json_array_append_new(list, json_pack("{s:o}", "keypair", brief(c, all.v[i].doc)));
	if (page.more)
		json_object_set_new(doc, "keypairs_links",
				    page_links(c, name_at(all.v, page.end - 1)));
	api_respond(c, 200, doc);
}

static bool name_valid(struct str name)
{
	if (str_trim(name).n != name.n)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-@.",
			    name.p[i]))
			return false;
	return true;
}

/* Numbers are needed for the API's sake only. */
static json_int_t some_number(void)
{
	uint32_t n;

	random_bytes(&n, sizeof n);
	return (json_int_t)(n >> 1);
}

waits static bool room(struct api_call *c, struct str user)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	int rc = records_list_prefix(server_state(c)->keypairs, c->arena,
				     record_id(c->arena, user, S("")), &all);

	if (rc < 0)
		api_fail(c, rc);
	else if (server_conf.quota_key_pairs >= 0 && all.n >= (size_t)server_conf.quota_key_pairs)
		api_error(c, rc = 403, "Quota exceeded, too many key pairs.");
	return rc == 0;
}

/* The key itself: given, or made. NULL: 400 was answered. */
static json_t *make(struct api_call *c, const json_t *f, struct str user, struct str *ret_private)
{
	struct str public = json_str(f, "public_key"), name = text(f, "name");
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];

	if (!public.p)
		sshkey_make(c->arena, S("Generated-by-Needletail"), ret_private, &public);
	if (sshkey_check(public, fingerprint) < 0) {
		api_error(c, 400, "Keypair data is invalid: failed to generate fingerprint");
		return NULL;
	}
	return json_pack("{s:o, s:o, s:s, s:s, s:o, s:I, s:I}", "name", json_of(name),
			 "public_key", json_of(public), "fingerprint", fingerprint, "type", "ssh",
			 "user_id", json_of(user), "number", some_number(), "created_us",
			 (json_int_t)clock_wall_us());
}

void keypair_create(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "name", .kind = F_NAME, .min = 1, .max = 255, .required = true },
		{ .name = "public_key", .kind = F_TEXT, .min = 1, .max = SSHKEY_TEXT_MAX },
		{ .name = "type", .kind = F_TEXT, .min = 1, .max = 16 },
		{ .name = "user_id", .kind = F_TEXT, .min = 1, .max = 255 },
		{ .name = NULL },
	};
	AUTO(json_text) body = NULL;
	const json_t *f = fields_body(c, "keypair", fields, &body);
	struct str private = STR_NONE, type = json_str(f, "type"), user = c->caller->user_id;

	if (!f)
		return;
	if ((json_object_get(f, "type") && c->version < 2) ||
	    (json_object_get(f, "user_id") && c->version < 10) || !name_valid(text(f, "name")) ||
	    (type.p && !str_eq(type, S("ssh")))) {
		api_error(c, 400, "Keypair data is invalid: only keys of type ssh with names of "
				  "letters, digits, spaces, underscores, hyphens, dots and '@'.");
		return;
	}
	if (json_str(f, "user_id").n)
		user = json_str(f, "user_id");
	if (!c->caller->admin && !str_eq(user, c->caller->user_id)) {
		api_error(c, 403, "Policy doesn't allow os_compute_api:os-keypairs:create.");
		return;
	}
	AUTO(json_text) doc = make(c, f, user, &private);

	if (!doc || !room(c, user))
		return;
	int rc = records_create(server_state(c)->keypairs, c->arena,
				record_id(c->arena, user, text(doc, "name")), doc);

	if (rc < 0) {
		if (rc == -EEXIST)
			api_error(c, 409, "Key pair '%.*s' already exists.",
				  STR(text(doc, "name")));
		else
			api_fail(c, rc);
		return;
	}
	json_t *view = brief(c, doc);

	json_object_set(view, "user_id", json_object_get(doc, "user_id"));
	if (private.p)
		json_object_set_new(view, "private_key", json_of(private));
	api_respond(c, c->version >= 2 ? 201 : 200, json_pack("{s:o}", "keypair", view));
}

void keypair_show(struct api_call *c)
{
	AUTO(json_text) doc = NULL;
	struct str user = owner(c);

	if (!user.p)
		return;
	int rc = keypair_get(server_state(c), c->arena, user, c->arg[0], &doc);

	if (rc < 0) {
		answer_fail(c, rc, "Keypair", c->arg[0]);
		return;
	}
	json_t *view = brief(c, doc);

	json_object_set(view, "user_id", json_object_get(doc, "user_id"));
	json_object_set(view, "id", json_object_get(doc, "number"));
	json_object_set_new(view, "deleted", json_false());
	json_object_set_new(view, "created_at", time_legacy(number(doc, "created_us")));
	json_object_set_new(view, "updated_at", json_null());
	json_object_set_new(view, "deleted_at", json_null());
	api_respond(c, 200, json_pack("{s:o}", "keypair", view));
}

void keypair_delete(struct api_call *c)
{
	struct server_state *s = server_state(c);
	AUTO(json_text) doc = NULL;
	struct str user = owner(c);

	if (!user.p)
		return;
	int rc = keypair_get(s, c->arena, user, c->arg[0], &doc);

	if (rc == 0)
		rc = records_remove(s->keypairs, c->arena, record_id(c->arena, user, c->arg[0]));
	if (rc < 0)
		answer_fail(c, rc, "Keypair", c->arg[0]);
	else
		api_respond_empty(c, c->version >= 2 ? 204 : 202);
}
