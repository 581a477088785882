/* Application credentials: a secret of its own for some of what a user may do on one project. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "proxy/identity/resources.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

enum { SECRET_BYTES = 48, DESCRIPTION_MAX = 4 * KIB };

/* The roles asked for, each of which the caller must have; all of his when none are named. NULL:
 * not his. */
static json_t *choose_roles(struct ident_call *c, const json_t *asked)
{
	json_t *chosen = json_array(), *role, *one;
	size_t i, j;
	size_t found = 0;

	json_array_foreach(c->roles, i, role) {
		bool take = json_array_size(asked) == 0;

		json_array_foreach(asked, j, one) {
			struct str id = json_str(one, "id"), name = json_str(one, "name");

			take |= (id.p && str_eq(id, json_str(role, "id"))) ||
				(name.p && str_eq(name, json_str(role, "name")));
		}
		if (!take)
			continue;
		found++;
		json_array_append_new(chosen, json_pack("{s:O, s:O, s:n}", "id",
							json_object_get(role, "id"), "name",
							json_object_get(role, "name"),
							"domain_id"));
	}
	if (found >= json_array_size(asked))
		return chosen;
	json_decref(chosen);
	return NULL;
}

static struct str new_secret(struct arena *a)
{
	unsigned char bytes[SECRET_BYTES];
	char hex[2 * SECRET_BYTES + 1];

	random_bytes(bytes, sizeof bytes);
	hex_encode(bytes, sizeof bytes, hex);
	return arena_str(a, str_from(hex));
}

/* "2026-11-22T09:19:12.000000", or null. -EINVAL for what is no time, or past. */
static int expiry(const json_t *given, json_t **ret)
{
	struct str text = json_str(given, "expires_at");
	char iso[ISO_DATE_SIZE];
	int64_t us;

	*ret = NULL;
	if (text.n) {
		if (clock_iso_parse(text, &us) < 0 || us <= clock_wall_us())
			return -EINVAL;
		clock_iso_us(us, iso);
		*ret = json_string(iso);
	}
	if (!*ret)
		*ret = json_null();
	return 0;
}

static bool good_request(struct ident_call *c, const json_t *given, struct str user)
{
	struct str name = json_str(given, "name");
	const json_t *secret = json_object_get(given, "secret");

	if (!json_is_object(given) || !name.n || name.n > 255 ||
	    (secret && !json_is_string(secret) && !json_is_null(secret)))
		ident_error(c, 400, "'name' is a required property");
	else if (json_str(given, "description").n > DESCRIPTION_MAX)
		ident_error(c, 400, "Invalid input for field 'description'.");
	else if (!session_project(&c->session).p)
		ident_error(c, 400, "An application credential needs a token of a project.");
	else if (records_named(c->id->records, RECORD_CREDENTIAL, user, name))
		ident_error(c, 409, "Conflict occurred attempting to store application_credential "
				    "- Duplicate entry.");
	else
		return true;
	return false;
}

waits static void create(struct ident_call *c, struct str user)
{
	AUTO(json_text) body = ident_body(c);
	const json_t *given = json_object_get(body, "application_credential");
	json_t *roles, *until;
	struct arena *a = c->req->arena;

	if (!body || !good_request(c, given, user) ||
	    !ident_may_own_more(c, RECORD_CREDENTIAL) ||
	    !ident_may_own_more(c, RECORD_ACCESS_RULE))
		return;
	if (expiry(given, &until) < 0) {
		ident_error(c, 400, "Invalid input for field 'expires_at'.");
		return;
	}
	roles = choose_roles(c, json_object_get(given, "roles"));
	if (!roles) {
		json_decref(until);
		ident_error(c, 400, "You have not all of these roles.");
		return;
	}
	struct str secret = json_str(given, "secret"), id = identity_new_id(a);
	struct str about = json_str(given, "description");

	if (!secret.n)
		secret = new_secret(a);
	json_t *rules = NULL;
	const json_t *asked = json_object_get(given, "access_rules");
	int rc = asked ? access_rules_make(c, user, asked, &rules) : 0;

	if (rc < 0) {
		json_decref(until);
		json_decref(roles);
		ident_error(c, rc == -EINVAL ? 400 : 503, "Invalid input for field "
							  "'access_rules'.");
		return;
	}
	struct str hash = STR_NONE;

	rc = password_hash(a, secret, &hash);
	if (rc < 0) {
		json_decref(until);
		json_decref(roles);
		json_decref(rules);
		ident_refused(c, rc);
		return;
	}
	AUTO(json_text) doc = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:n, s:b, s:o, s:o}", "id", json_of(id), "name",
		json_of(json_str(given, "name")), "description", json_of(about), "user_id",
		json_of(user), "project_id", json_of(session_project(&c->session)), "roles", roles,
		"system", "unrestricted", json_is_true(json_object_get(given, "unrestricted")),
		"expires_at", until, "_secret", json_of(hash));

	if (rules)
		json_object_set_new(doc, "access_rules", rules);
	if (store_write(c->id, RECORD_CREDENTIAL, id, json_incref(doc)) < 0) {
		ident_error(c, 503, "The application credential could not be stored now.");
		return;
	}
	json_t *view = ident_view(c, RECORD_CREDENTIAL, doc);

	json_object_set_new(view, "secret", json_of(secret));
	ident_respond(c, 201, json_pack("{s:o}", "application_credential", view));
}

static void list(struct ident_call *c, struct str user)
{
	const json_t *ids = records_credentials(c->id->records, user);
	json_t *found = json_array(), *v;
	size_t i;

	json_array_foreach(ids, i, v) {
		const json_t *doc = records_get(c->id->records, RECORD_CREDENTIAL,
						str_from(json_string_value(v)));

		if (doc && resource_matches(c->req, doc))
			json_array_append_new(found, ident_view(c, RECORD_CREDENTIAL, doc));
	}
	ident_respond_list(c, "application_credentials", found);
}

waits static void one(struct ident_call *c, struct str user, struct str id)
{
	const json_t *doc = records_get(c->id->records, RECORD_CREDENTIAL, id);
	enum http_method m = c->req->method;

	if (!doc || !str_eq(json_str(doc, "user_id"), user))
		ident_not_found(c, "application credential", id);
	else if (m == HTTP_GET || m == HTTP_HEAD)
		ident_respond(c, 200, json_pack("{s:o}", "application_credential",
						ident_view(c, RECORD_CREDENTIAL, doc)));
	else if (m != HTTP_DELETE)
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	else if (store_write(c->id, RECORD_CREDENTIAL, id, NULL) < 0)
		ident_error(c, 503, "The application credential could not be deleted now.");
	else
		ident_no_content(c);
}

bool ident_credentials(struct ident_call *c)
{
	enum http_method m = c->req->method;
	struct str user = c->part[1];

	if ((c->parts != 3 && c->parts != 4) || !str_eq(c->part[0], S("users")) ||
	    !str_eq(c->part[2], S("application_credentials")))
		return false;
	/* A restricted one cannot make others of its kind, nor can what a trust lends. */
	const json_t *by = records_get(c->id->records, RECORD_CREDENTIAL, c->session.credential);
	bool restricted = c->session.trust.n ||
			  (c->session.credential.n &&
			   !json_is_true(json_object_get(by, "unrestricted")));
	bool own = str_eq(user, c->session.user);
	bool changes = m != HTTP_GET && m != HTTP_HEAD;

	if ((!own && !(c->admin && m != HTTP_POST)) || (changes && restricted))
		ident_error(c, 403, "You are not authorized to perform the requested action.");
	else if (c->parts == 4)
		one(c, user, c->part[3]);
	else if (m == HTTP_POST)
		create(c, user);
	else if (!changes)
		list(c, user);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	return true;
}
