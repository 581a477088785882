/* The routes of the compute service, its errors, and which microversion a request is in. */
#include "compute/server/server.h"

static const char *error_name(int status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {
		{ 400, "badRequest" },	{ 401, "unauthorized" },      { 403, "forbidden" },
		{ 404, "itemNotFound" }, { 405, "badMethod" },	      { 409, "conflictingRequest" },
		{ 413, "overLimit" },	{ 415, "badMediaType" },      { 429, "overLimit" },
		{ 501, "notImplemented" }, { 503, "serviceUnavailable" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].status == status)
			return names[i].name;
	return "computeFault";
}

static void error(struct api_call *c, int status, struct str message)
{
	json_t *t = json_of(message);

	api_respond(c, status, json_pack("{s:{s:i, s:o}}", error_name(status), "code", status,
					 "message", t));
}

static bool is_versioned(const struct api_call *c)
{
	return str_starts(c->req->path, S("/v2.1"));
}

static bool before(struct api_call *c)
{
	struct str modern = headers_joined(&c->req->headers, S("OpenStack-API-Version"));
	struct str legacy = headers_get_lit(&c->req->headers, "X-OpenStack-Nova-API-Version");
	struct str wanted;
	int rc = is_versioned(c) ? microversion_parse(modern, legacy, &c->version, &wanted) : 0;

	if (rc == -EINVAL)
		api_error(c, 400, "API Version String %.*s is of invalid format. Must be of "
				  "format MajorNum.MinorNum.", STR(str_head(wanted, 100)));
	else if (rc < 0)
		api_error(c, 406, "Version %.*s is not supported by the API. Minimum is 2.1 and "
				  "maximum is 2.%d.", STR(str_head(wanted, 100)),
			  MICROVERSION_MAX);
	return rc == 0;
}

static void after(struct api_call *c)
{
	struct headers *h = &c->res->headers;
	unsigned version = c->version ? c->version : 1;

	headers_set(h, S("X-Compute-Request-Id"), c->req->trans_id);
	if (!is_versioned(c))
		return;
	headers_setf(h, S("OpenStack-API-Version"), "compute 2.%u", version);
	headers_setf(h, S("X-OpenStack-Nova-API-Version"), "2.%u", version);
	headers_set(h, S("Vary"), S("OpenStack-API-Version, X-OpenStack-Nova-API-Version"));
}

#define V "/v2.1"

static const struct api_route routes[] = {
	{ HTTP_GET, "/", versions_list, API_OPEN },
	{ HTTP_GET, "/v2", version_show_old, API_OPEN },
	{ HTTP_GET, V, version_show, API_OPEN },
	{ HTTP_GET, V "/extensions", extension_list, 0 },
	{ HTTP_GET, V "/extensions/{alias}", extension_show, 0 },
	{ HTTP_GET, V "/flavors", flavor_list, 0 },
	{ HTTP_POST, V "/flavors", flavor_create, API_ADMIN },
	{ HTTP_GET, V "/flavors/detail", flavor_detail, 0 },
	{ HTTP_GET, V "/flavors/{id}", flavor_show, 0 },
	{ HTTP_PUT, V "/flavors/{id}", flavor_update, API_ADMIN },
	{ HTTP_DELETE, V "/flavors/{id}", flavor_delete, API_ADMIN },
	{ HTTP_GET, V "/flavors/{id}/os-flavor-access", flavor_access, API_ADMIN },
	{ HTTP_POST, V "/flavors/{id}/action", flavor_action, API_ADMIN },
	{ HTTP_GET, V "/flavors/{id}/os-extra_specs", flavor_specs, 0 },
	{ HTTP_POST, V "/flavors/{id}/os-extra_specs", flavor_specs_add, API_ADMIN },
	{ HTTP_GET, V "/flavors/{id}/os-extra_specs/{key}", flavor_spec_show, 0 },
	{ HTTP_PUT, V "/flavors/{id}/os-extra_specs/{key}", flavor_spec_set, API_ADMIN },
	{ HTTP_DELETE, V "/flavors/{id}/os-extra_specs/{key}", flavor_spec_delete, API_ADMIN },
	{ HTTP_GET, V "/os-keypairs", keypair_list, 0 },
	{ HTTP_POST, V "/os-keypairs", keypair_create, API_MEMBER },
	{ HTTP_GET, V "/os-keypairs/{name}", keypair_show, 0 },
	{ HTTP_DELETE, V "/os-keypairs/{name}", keypair_delete, API_MEMBER },
	{ HTTP_GET, V "/limits", limits_show, 0 },
	{ HTTP_GET, V "/os-quota-sets/{project}", quota_show, 0 },
	{ HTTP_PUT, V "/os-quota-sets/{project}", quota_update, API_ADMIN },
	{ HTTP_DELETE, V "/os-quota-sets/{project}", quota_delete, API_ADMIN },
	{ HTTP_GET, V "/os-quota-sets/{project}/defaults", quota_defaults, 0 },
	{ HTTP_GET, V "/os-quota-sets/{project}/detail", quota_detail, 0 },
	{ HTTP_GET, V "/os-simple-tenant-usage", usage_list, API_ADMIN },
	{ HTTP_GET, V "/os-simple-tenant-usage/{project}", usage_show, 0 },
	{ HTTP_GET, V "/os-availability-zone", zone_list, 0 },
	{ HTTP_GET, V "/os-availability-zone/detail", zone_detail, API_ADMIN },
	{ HTTP_GET, V "/os-services", host_services, API_ADMIN },
	{ HTTP_PUT, V "/os-services/{id}", host_service_set, API_ADMIN },
	{ HTTP_GET, V "/os-hypervisors", hypervisor_list, API_ADMIN },
	{ HTTP_GET, V "/os-hypervisors/detail", hypervisor_detail, API_ADMIN },
	{ HTTP_GET, V "/os-hypervisors/statistics", hypervisor_statistics, API_ADMIN },
	{ HTTP_GET, V "/os-hypervisors/{id}", hypervisor_show, API_ADMIN },
	{ HTTP_GET, V "/os-hypervisors/{id}/uptime", hypervisor_uptime, API_ADMIN },
	{ HTTP_GET, V "/os-hypervisors/{id}/search", hypervisor_search, API_ADMIN },
	{ HTTP_GET, V "/os-hypervisors/{id}/servers", hypervisor_servers, API_ADMIN },
	{ HTTP_GET, V "/os-aggregates", aggregate_list, API_ADMIN },
	{ HTTP_POST, V "/os-aggregates", aggregate_create, API_ADMIN },
	{ HTTP_GET, V "/os-aggregates/{id}", aggregate_show, API_ADMIN },
	{ HTTP_PUT, V "/os-aggregates/{id}", aggregate_update, API_ADMIN },
	{ HTTP_DELETE, V "/os-aggregates/{id}", aggregate_delete, API_ADMIN },
	{ HTTP_POST, V "/os-aggregates/{id}/action", aggregate_action, API_ADMIN },
	{ HTTP_GET, V "/os-server-groups", group_list, 0 },
	{ HTTP_POST, V "/os-server-groups", group_create, API_MEMBER },
	{ HTTP_GET, V "/os-server-groups/{id}", group_show, 0 },
	{ HTTP_DELETE, V "/os-server-groups/{id}", group_delete, API_MEMBER },
	{ HTTP_GET, V "/servers", server_list, 0 },
	{ HTTP_POST, V "/servers", server_create, API_MEMBER },
	{ HTTP_GET, V "/servers/detail", server_detail, 0 },
	{ HTTP_GET, V "/servers/{id}", server_show, 0 },
	{ HTTP_PUT, V "/servers/{id}", server_update, API_MEMBER },
	{ HTTP_DELETE, V "/servers/{id}", server_delete, API_MEMBER },
	{ HTTP_POST, V "/servers/{id}/action", server_action, API_MEMBER },
	{ HTTP_GET, V "/servers/{id}/metadata", server_metadata, 0 },
	{ HTTP_PUT, V "/servers/{id}/metadata", server_metadata_set, API_MEMBER },
	{ HTTP_POST, V "/servers/{id}/metadata", server_metadata_add, API_MEMBER },
	{ HTTP_GET, V "/servers/{id}/metadata/{key}", server_meta_show, 0 },
	{ HTTP_PUT, V "/servers/{id}/metadata/{key}", server_meta_set, API_MEMBER },
	{ HTTP_DELETE, V "/servers/{id}/metadata/{key}", server_meta_delete, API_MEMBER },
	{ HTTP_GET, V "/servers/{id}/tags", server_tags, 0 },
	{ HTTP_PUT, V "/servers/{id}/tags", server_tags_set, API_MEMBER },
	{ HTTP_DELETE, V "/servers/{id}/tags", server_tags_clear, API_MEMBER },
	{ HTTP_GET, V "/servers/{id}/tags/{tag}", server_tag_show, 0 },
	{ HTTP_PUT, V "/servers/{id}/tags/{tag}", server_tag_add, API_MEMBER },
	{ HTTP_DELETE, V "/servers/{id}/tags/{tag}", server_tag_delete, API_MEMBER },
	{ HTTP_GET, V "/servers/{id}/ips", server_ips, 0 },
	{ HTTP_GET, V "/servers/{id}/ips/{network}", server_ips_of, 0 },
	{ HTTP_GET, V "/servers/{id}/os-interface", server_interfaces, 0 },
	{ HTTP_GET, V "/servers/{id}/os-volume_attachments", server_volumes, 0 },
	{ HTTP_GET, V "/servers/{id}/os-security-groups", server_groups_of, 0 },
	{ HTTP_GET, V "/servers/{id}/os-instance-actions", server_actions, 0 },
	{ HTTP_GET, V "/servers/{id}/os-instance-actions/{request}", server_action_show, 0 },
	{ .path = NULL },
};

const struct api server_api = { .name = "server", .routes = routes, .error = error,
				.before = before, .after = after };
