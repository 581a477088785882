/* The routes of the image service, its errors and its versions. */
#include "compute/image/image.h"
#include "compute/image/metadef.h"
#include "lib/base/encode.h"

/* ---- errors ---- */

static void error(struct api_call *c, int status, struct str text)
{
	struct str accept = headers_joined(&c->req->headers, S("Accept"));
	struct str reason = http_reason(status);

	if (str_find(accept, S("application/json")) >= 0) {
		api_respond(c, status,
			    json_pack("{s:o, s:o, s:o}", "message", json_of(text), "code",
				      json_sprintf("%d %.*s", status, STR(reason)), "title",
				      json_of(reason)));
		return;
	}
	CLEANUP(buf_done) struct buf page = BUF(64 * KIB);

	buf_addf(&page, "<html>\n <head>\n  <title>%d %.*s</title>\n </head>\n <body>\n", status,
		 STR(reason));
	buf_addf(&page, "  <h1>%d %.*s</h1>\n  ", status, STR(reason));
	xml_escape(&page, text);
	buf_add_lit(&page, "<br /><br />\n\n\n </body>\n</html>");
	respond(c->res, status, S("text/html; charset=UTF-8"),
		arena_str(c->arena, buf_str(&page)));
}

/* ---- versions ---- */

static json_t *version(struct api_call *c, const char *id, const char *status)
{
	struct str url = api_url(c, "/v2/");

	return json_pack("{s:s, s:s, s:[{s:s, s:o}]}", "id", id, "status", status, "links", "rel",
			 "self", "href", json_of(url));
}

static json_t *versions(struct api_call *c)
{
	static const char *const supported[] = { "v2.13", "v2.12", "v2.11", "v2.10", "v2.9",
						 "v2.8",  "v2.7",  "v2.6",  "v2.5",  "v2.4",
						 "v2.3",  "v2.2",  "v2.1",  "v2.0" };
	json_t *list = json_array();

	json_array_append_new(list, version(c, "v2.15", "CURRENT"));
	for (size_t i = 0; i < ARRAY_LEN(supported); i++)
		json_array_append_new(list, version(c, supported[i], "SUPPORTED"));
	return json_pack("{s:o}", "versions", list);
}

static void choose_version(struct api_call *c)
{
	api_respond(c, 300, versions(c));
}

static void list_versions(struct api_call *c)
{
	api_respond(c, 200, versions(c));
}

/* ---- the table ---- */

static const struct api_route routes[] = {
	{ HTTP_GET, "/", choose_version, API_OPEN },
	{ HTTP_GET, "/versions", list_versions, API_OPEN },
	{ HTTP_GET, "/v2", choose_version, API_OPEN },
	{ HTTP_POST, "/v2/images", image_create, API_MEMBER },
	{ HTTP_GET, "/v2/images", image_list, 0 },
	{ HTTP_GET, "/v2/images/{id}", image_show, 0 },
	{ HTTP_PATCH, "/v2/images/{id}", image_update, API_MEMBER },
	{ HTTP_DELETE, "/v2/images/{id}", image_delete, API_MEMBER },
	{ HTTP_PUT, "/v2/images/{id}/file", image_upload, API_MEMBER },
	{ HTTP_GET, "/v2/images/{id}/file", image_download, 0 },
	{ HTTP_PUT, "/v2/images/{id}/stage", image_stage, API_MEMBER },
	{ HTTP_POST, "/v2/images/{id}/import", image_import, API_MEMBER },
	{ HTTP_GET, "/v2/images/{id}/tasks", image_tasks, 0 },
	{ HTTP_POST, "/v2/images/{id}/actions/deactivate", image_deactivate, API_MEMBER },
	{ HTTP_POST, "/v2/images/{id}/actions/reactivate", image_reactivate, API_MEMBER },
	{ HTTP_PUT, "/v2/images/{id}/tags/{tag}", image_tag_add, API_MEMBER },
	{ HTTP_DELETE, "/v2/images/{id}/tags/{tag}", image_tag_remove, API_MEMBER },
	{ HTTP_GET, "/v2/images/{id}/members", image_members, 0 },
	{ HTTP_POST, "/v2/images/{id}/members", image_member_add, API_MEMBER },
	{ HTTP_GET, "/v2/images/{id}/members/{member}", image_member_show, 0 },
	{ HTTP_PUT, "/v2/images/{id}/members/{member}", image_member_update, API_MEMBER },
	{ HTTP_DELETE, "/v2/images/{id}/members/{member}", image_member_remove, API_MEMBER },
	{ HTTP_GET, "/v2/tasks", tasks_list, API_ADMIN },
	{ HTTP_GET, "/v2/tasks/{id}", task_show, API_ADMIN },
	{ HTTP_GET, "/v2/info/import", image_info_import, 0 },
	{ HTTP_GET, "/v2/info/stores", image_info_stores, 0 },
	{ HTTP_GET, "/v2/info/usage", image_info_usage, 0 },
	{ HTTP_GET, "/v2/schemas/{name}", image_schema, 0 },
	{ HTTP_GET, "/v2/schemas/metadefs/{name}", image_metadef_schema, 0 },
	{ HTTP_GET, "/v2/metadefs/resource_types", metadef_resource_types, 0 },
	{ HTTP_GET, "/v2/metadefs/namespaces", metadef_namespaces, 0 },
	{ HTTP_POST, "/v2/metadefs/namespaces", metadef_namespace_create, API_ADMIN },
	{ HTTP_GET, "/v2/metadefs/namespaces/{ns}", metadef_namespace_show, 0 },
	{ HTTP_PUT, "/v2/metadefs/namespaces/{ns}", metadef_namespace_update, API_ADMIN },
	{ HTTP_DELETE, "/v2/metadefs/namespaces/{ns}", metadef_namespace_delete, API_ADMIN },
	{ HTTP_GET, "/v2/metadefs/namespaces/{ns}/{items}", metadef_items, 0 },
	{ HTTP_POST, "/v2/metadefs/namespaces/{ns}/{items}", metadef_items_add, API_ADMIN },
	{ HTTP_PUT, "/v2/metadefs/namespaces/{ns}/{items}", metadef_items_add, API_ADMIN },
	{ HTTP_DELETE, "/v2/metadefs/namespaces/{ns}/{items}", metadef_items_clear, API_ADMIN },
	{ HTTP_GET, "/v2/metadefs/namespaces/{ns}/{items}/{name}", metadef_item_show, 0 },
	{ HTTP_POST, "/v2/metadefs/namespaces/{ns}/{items}/{name}", metadef_item_create,
	  API_ADMIN },
	{ HTTP_PUT, "/v2/metadefs/namespaces/{ns}/{items}/{name}", metadef_item_update,
	  API_ADMIN },
	{ HTTP_DELETE, "/v2/metadefs/namespaces/{ns}/{items}/{name}", metadef_item_delete,
	  API_ADMIN },
	{ .path = NULL },
};

const struct api image_api = { .name = "image", .routes = routes, .error = error };
