/* Access rules of application credentials: matching, and /users/U/access_rules[/R]. */
#include "lib/base/encode.h"
#include "proxy/identity/access_rules.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

/* ---- matching ---- */

enum pattern_token { LITERAL, PART, PARTS, END };

static enum pattern_token next_token(struct str *pattern, char *ret_c)
{
	ssize_t close;

	if (!pattern->n)
		return END;
	if (str_starts(*pattern, S("**"))) {
		*pattern = str_skip(*pattern, 2);
		return PARTS;
	}
	if (pattern->p[0] == '*') {
		*pattern = str_skip(*pattern, 1);
		return PART;
	}
	close = pattern->p[0] == '{' ? str_chr(*pattern, '}') : -1;
	if (close >= 0) {
		*pattern = str_skip(*pattern, (size_t)close + 1);
		return PART;
	}
	*ret_c = pattern->p[0];
	*pattern = str_skip(*pattern, 1);
	return LITERAL;
}

/* at[i]: whether what was read of the pattern stands for the first i bytes of the path. */
static void step(bool *at, struct str path, enum pattern_token t, char c)
{
	bool before = false, within = false;

	for (size_t i = 0; i <= path.n; i++) {
		bool here = at[i];

		/* before: at[i - 1]; within: a part or parts that began further left. */
		if (t == LITERAL)
			at[i] = before && i > 0 && path.p[i - 1] == c;
		else if (t == PART)
			at[i] = within = i > 0 && path.p[i - 1] != '/' && (before || within);
		else
			at[i] = within = here || within;
		before = here;
	}
}

bool access_path_matches(struct str pattern, struct str path)
{
	bool at[ACCESS_PATH_MAX + 1] = { true };
	enum pattern_token t;
	char c = 0;

	if (path.n > ACCESS_PATH_MAX || pattern.n > ACCESS_PATH_MAX)
		return false;
	while ((t = next_token(&pattern, &c)) != END)
		step(at, path, t, c);
	return at[path.n];
}

bool access_rules_allow(const json_t *rules, struct str service, struct str method,
			struct str path)
{
	json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
		if (str_eq(json_str(rule, "service"), service) &&
		    str_ieq(json_str(rule, "method"), method) &&
		    access_path_matches(json_str(rule, "path"), path))
			return true;
	return false;
}

bool session_allows(const struct identity *id, const struct session *s, struct str service,
		    const struct request *req)
{
	const json_t *doc =
		s->credential.n ? records_get(id->records, RECORD_CREDENTIAL, s->credential) : NULL;
	const json_t *rules = json_object_get(doc, "access_rules");

	return !rules || access_rules_allow(rules, service, req->method_name,
					    percent_decode(req->arena, req->path));
}

/* ---- making ---- */

static bool good_rule(const json_t *rule)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
					       "OPTIONS", "COPY" };
	struct str method = json_str(rule, "method"), path = json_str(rule, "path");
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		known |= str_eq(method, str_from(methods[i]));
	return known && json_str(rule, "service").n &&
	       json_str(rule, "service").n <= ACCESS_PATH_MAX && path.n && path.p[0] == '/' &&
	       path.n <= ACCESS_PATH_MAX;
}

/* The user's own rule that says the same, or a new one. */
waits static json_t *rule_record(struct ident_call *c, struct str user, const json_t *given)
{
	AUTO(json_text) all = records_all(c->id->records, RECORD_ACCESS_RULE);
	static const char *const members[] = { "service", "method", "path" };
	struct str id = identity_new_id(c->req->arena);
	json_t *doc;
	size_t i;

	json_array_foreach(all, i, doc) {
		bool same = str_eq(json_str(doc, "user_id"), user);

		for (size_t j = 0; j < ARRAY_LEN(members); j++)
			same &= str_eq(json_str(doc, members[j]), json_str(given, members[j]));
		if (same)
			return json_incref(doc);
	}
	doc = json_pack("{s:o, s:o, s:O, s:O, s:O}", "id", json_of(id), "user_id", json_of(user),
			"service", json_object_get(given, "service"), "method",
			json_object_get(given, "method"), "path", json_object_get(given, "path"));
	if (store_write(c->id, RECORD_ACCESS_RULE, id, json_incref(doc)) == 0)
		return doc;
	json_decref(doc);
	return NULL;
}

int access_rules_make(struct ident_call *c, struct str user, const json_t *given, json_t **ret)
{
	json_t *rules = json_array(), *v;
	size_t i;

	if (!json_is_array(given) || json_array_size(given) > ACCESS_RULES_MAX) {
		json_decref(rules);
		return -EINVAL;
	}
	json_array_foreach(given, i, v) {
		struct str id = json_str(v, "id");
		json_t *known = id.p ? records_get(c->id->records, RECORD_ACCESS_RULE, id) : NULL;
		bool good = known ? str_eq(json_str(known, "user_id"), user) : good_rule(v);
		json_t *rule = !good ? NULL : known ? json_incref(known) : rule_record(c, user, v);

		if (!rule) {
			json_decref(rules);
			return good ? -EHOSTDOWN : -EINVAL;
		}
		json_array_append_new(rules, json_pack("{s:O, s:O, s:O, s:O}", "id",
						       json_object_get(rule, "id"), "service",
						       json_object_get(rule, "service"), "method",
						       json_object_get(rule, "method"), "path",
						       json_object_get(rule, "path")));
		json_decref(rule);
	}
	*ret = rules;
	return 0;
}

/* ---- the routes ---- */

static void list(struct ident_call *c, struct str user)
{
	AUTO(json_text) all = records_all(c->id->records, RECORD_ACCESS_RULE);
	json_t *found = json_array(), *doc;
	size_t i;

	json_array_foreach(all, i, doc)
		if (str_eq(json_str(doc, "user_id"), user))
			json_array_append_new(found, ident_view(c, RECORD_ACCESS_RULE, doc));
	ident_respond_list(c, "access_rules", found);
}

static bool is_used(const struct identity *id, struct str user, struct str rule_id)
{
	json_t *v, *rule;
	size_t i, j;

	json_array_foreach(records_credentials(id->records, user), i, v) {
		const json_t *doc = records_get(id->records, RECORD_CREDENTIAL,
						str_from(json_string_value(v)));

		json_array_foreach(json_object_get(doc, "access_rules"), j, rule)
			if (str_eq(json_str(rule, "id"), rule_id))
				return true;
	}
	return false;
}

waits static void one(struct ident_call *c, struct str user, struct str id)
{
	const json_t *doc = records_get(c->id->records, RECORD_ACCESS_RULE, id);
	enum http_method m = c->req->method;

	if (!doc || !str_eq(json_str(doc, "user_id"), user))
		ident_not_found(c, "access rule", id);
	else if (m == HTTP_GET || m == HTTP_HEAD)
		ident_respond(c, 200, json_pack("{s:o}", "access_rule",
						ident_view(c, RECORD_ACCESS_RULE, doc)));
	else if (m != HTTP_DELETE)
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	else if (is_used(c->id, user, id))
		ident_error(c, 403, "The access rule is in use by an application credential.");
	else if (store_write(c->id, RECORD_ACCESS_RULE, id, NULL) < 0)
		ident_error(c, 503, "The access rule could not be deleted now.");
	else
		ident_no_content(c);
}

bool ident_access_rules(struct ident_call *c)
{
	enum http_method m = c->req->method;
	bool get = m == HTTP_GET || m == HTTP_HEAD;

	if ((c->parts != 3 && c->parts != 4) || !str_eq(c->part[0], S("users")) ||
	    !str_eq(c->part[2], S("access_rules")))
		return false;
	if (!str_eq(c->part[1], c->session.user) && !c->admin)
		ident_error(c, 403, "You are not authorized to perform the requested action.");
	else if (c->parts == 4)
		one(c, c->part[1], c->part[3]);
	else if (get)
		list(c, c->part[1]);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	return true;
}
