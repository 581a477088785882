/* Who is in which group, what a user has, and the change of his own password. */
#include "lib/base/clock.h"
#include "proxy/identity/backoff.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

static void forbidden(struct ident_call *c)
{
	ident_error(c, 403, "You are not authorized to perform the requested action.");
}

static void list_of(struct ident_call *c, enum record_kind kind, const json_t *ids)
{
	json_t *list = json_array(), *v;
	size_t i;

	json_array_foreach(ids, i, v) {
		const json_t *doc = records_get(c->id->records, kind,
						str_from(json_string_value(v)));

		if (doc)
			json_array_append_new(list, ident_view(c, kind, doc));
	}
	ident_respond_list(c, record_plurals[kind], list);
}

/* /groups/G/users/U */
waits static void membership(struct ident_call *c, struct str group, struct str user)
{
	struct str key = identity_made_id(
		c->req->arena, "membership",
		arena_printf(c->req->arena, "%.*s/%.*s", STR(group), STR(user)));
	bool there = records_get(c->id->records, RECORD_MEMBERSHIP, key) != NULL;
	enum http_method m = c->req->method;
	int rc = 0;

	if (!records_get(c->id->records, RECORD_USER, user)) {
		ident_not_found(c, "user", user);
		return;
	}
	if (m != HTTP_PUT && !there) {
		ident_not_found(c, "user in group", user);
		return;
	}
	if (m == HTTP_PUT && !there)
		rc = store_write(c->id, RECORD_MEMBERSHIP, key,
				 json_pack("{s:o, s:o, s:o}", "id", json_of(key), "user_id",
					   json_of(user), "group_id", json_of(group)));
	else if (m == HTTP_DELETE)
		rc = store_write(c->id, RECORD_MEMBERSHIP, key, NULL);
	if (rc < 0)
		ident_error(c, 503, "The group could not be changed now.");
	else
		ident_no_content(c);
}

waits static bool groups(struct ident_call *c)
{
	if (c->parts < 3 || !str_eq(c->part[0], S("groups")) || !str_eq(c->part[2], S("users")))
		return false;
	if (!c->admin)
		forbidden(c);
	else if (!records_get(c->id->records, RECORD_GROUP, c->part[1]))
		ident_not_found(c, "group", c->part[1]);
	else if (c->parts == 4)
		membership(c, c->part[1], c->part[3]);
	else
		list_of(c, RECORD_USER, records_members(c->id->records, c->part[1]));
	return true;
}

/* POST /users/U/password: the old one is asked for, a token is not enough. */
waits static void change_password(struct ident_call *c, struct str user)
{
	AUTO(json_text) body = ident_body(c);
	const json_t *given = json_object_get(body, "user");
	struct str old = json_str(given, "original_password"),
		   new = json_str(given, "password");

	if (!body)
		return;
	if (!old.p || !new.p) {
		ident_error(c, 400, "'original_password' and 'password' are required properties");
		return;
	}
	struct str hash = STR_NONE;
	int rc = backoff_wait(c->req->peer_ip, user);

	if (rc == 0) {
		rc = password_check(c->id, user, old);
		if (rc != -EBUSY)
			backoff_done(c->req->peer_ip, user, rc == 0);
	}
	if (rc == 0)
		rc = password_hash(c->req->arena, new, &hash);
	if (rc < 0) {
		ident_refused(c, rc);
		return;
	}
	json_t *doc = json_copy(records_get(c->id->records, RECORD_USER, user));

	json_object_del(doc, "_key");
	json_object_set_new(doc, "_password", json_of(hash));
	json_object_set_new(doc, "_tokens_after_us", json_integer(clock_wall_us()));
	if (!doc || store_write(c->id, RECORD_USER, user, doc) < 0)
		ident_error(c, 503, "The password could not be stored now.");
	else
		ident_no_content(c);
}

waits static bool users(struct ident_call *c)
{
	struct str user = c->part[1], what = c->part[2];
	bool get = c->req->method == HTTP_GET || c->req->method == HTTP_HEAD;

	if (c->parts != 3 || !str_eq(c->part[0], S("users")))
		return false;
	bool password = str_eq(what, S("password")) && c->req->method == HTTP_POST;

	if (!password &&
	    !(get && (str_eq(what, S("projects")) || str_eq(what, S("groups")))))
		return false;
	if (!str_eq(user, c->session.user) && !c->admin)
		forbidden(c);
	else if (!records_get(c->id->records, RECORD_USER, user))
		ident_not_found(c, "user", user);
	else if (password)
		change_password(c, user);
	else if (str_eq(what, S("groups")))
		list_of(c, RECORD_GROUP, records_groups(c->id->records, user));
	else
		ident_respond_list(c, "projects",
				   ident_targets(c, user, S("project/"), RECORD_PROJECT));
	return true;
}

bool ident_members(struct ident_call *c)
{
	return groups(c) || users(c);
}
