/* The service catalog: services and endpoints as the client reaches them. */
#include "proxy/identity/identity.h"
#include "proxy/proxy_conf.h"

static struct str host_only(struct str host)
{
	ssize_t colon = str_rchr(host, ':'), bracket = str_rchr(host, ']');

	return colon > bracket ? str_head(host, (size_t)colon) : host;
}

/* The proxy's own port, when the client came by the identity service's. */
static struct str store_base(const struct request *req)
{
	struct str base = ident_base(req), host = base, scheme = str_cut(&host, ':');
	struct str own = arena_printf(req->arena, ":%u", identity_port);

	host = str_skip(host, 2);
	if (identity_port == 0 || !str_ends(host, own))
		return base;
	return arena_printf(req->arena, "%.*s://%.*s:%" PRId64, STR(scheme), STR(host_only(host)),
			    proxy_request(req)->proxy->conf->bind_port);
}

static struct str placeholder(const struct ident_call *c, struct str text, struct str project,
			      struct str user, size_t *ret_used)
{
	struct str host = ident_base(c->req);
	static const struct {
		const char *text;
		int what;
	} known[] = { { "$SELF", 0 }, { "$STORE", 1 }, { "$HOST", 2 }, { "%(project_id)s", 3 },
		      { "$(project_id)s", 3 }, { "%(tenant_id)s", 3 }, { "$(tenant_id)s", 3 },
		      { "%(user_id)s", 4 }, { "$(user_id)s", 4 } };

	(void)str_cut(&host, ':');
	host = host_only(str_skip(host, 2));
	struct str values[] = { ident_base(c->req), store_base(c->req), host, project, user };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct str word = str_from(known[i].text);

		if (!str_starts(text, word))
			continue;
		*ret_used = word.n;
		return values[known[i].what].p ? values[known[i].what] : word;
	}
	*ret_used = 1;
	return str_head(text, 1);
}

struct str ident_url(const struct ident_call *c, struct str url, struct str project,
		     struct str user)
{
	CLEANUP(buf_done) struct buf out = BUF(16 * KIB);

	while (url.n) {
		size_t used = 1;
		struct str piece = str_head(url, 1);

		if (*url.p == '$' || *url.p == '%')
			piece = placeholder(c, url, project, user, &used);
		buf_add_str(&out, piece);
		url = str_skip(url, used);
	}
	return arena_str(c->req->arena, buf_str(&out));
}

static json_t *endpoint_view(const struct ident_call *c, const json_t *endpoint, struct str project)
{
	struct str url = ident_url(c, json_str(endpoint, "url"), project, c->session.user);

	return json_pack("{s:O, s:O, s:O?, s:O?, s:o}", "id", json_object_get(endpoint, "id"),
			 "interface", json_object_get(endpoint, "interface"), "region",
			 json_object_get(endpoint, "region_id"), "region_id",
			 json_object_get(endpoint, "region_id"), "url", json_of(url));
}

json_t *ident_catalog(const struct ident_call *c, struct str project)
{
	AUTO(json_text) services = records_all(c->id->records, RECORD_SERVICE);
	AUTO(json_text) endpoints = records_all(c->id->records, RECORD_ENDPOINT);
	json_t *catalog = json_array(), *service, *endpoint;
	size_t i, j;

	json_array_foreach(services, i, service) {
		json_t *list = json_array();

		json_array_foreach(endpoints, j, endpoint) {
			struct str url = json_str(endpoint, "url");
			bool needs_project = str_find(url, S("project_id)")) >= 0 ||
					     str_find(url, S("tenant_id)")) >= 0;

			if (str_eq(json_str(endpoint, "service_id"), json_str(service, "id")) &&
			    !json_is_false(json_object_get(endpoint, "enabled")) &&
			    (project.p || !needs_project) &&
			    (!project.p || ident_endpoint_shown(c->id, project, endpoint)))
				json_array_append_new(list, endpoint_view(c, endpoint, project));
		}
		if (json_is_false(json_object_get(service, "enabled")) ||
		    json_array_size(list) == 0)
			json_decref(list);
		else
			json_array_append_new(
				catalog, json_pack("{s:O, s:O, s:O, s:o}", "id",
						   json_object_get(service, "id"), "type",
						   json_object_get(service, "type"), "name",
						   json_object_get(service, "name"), "endpoints",
						   list));
	}
	return catalog;
}
