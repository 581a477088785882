/* Images as servers use them: asked of the image service, as the caller sees them. */
#include "compute/call.h"
#include "compute/server/server.h"

enum { IMAGE_ANSWER_MAX = 1 * MIB };

static int refuse(struct api_call *c, int status, struct str id)
{
	if (status == 404)
		api_error(c, 400, "Image %.*s could not be found.", STR(id));
	else
		api_error(c, 503, "The image service is not available.");
	return SERVER_ANSWERED;
}

int image_fetch(struct api_call *c, struct str id, json_t **ret)
{
	struct login *login = identity_login(c->compute->identity);
	struct headers headers;
	struct response res;
	struct str base, body;
	int rc;

	if (!uuid_valid(id))
		return refuse(c, 404, id);
	rc = login_endpoint(login, c->arena, S("image"), &base);
	if (rc < 0)
		return refuse(c, 503, id);
	headers_init(&headers, c->arena);
	headers_set(&headers, S("X-Auth-Token"),
		    headers_get_lit(&c->req->headers, "X-Auth-Token"));
	headers_set(&headers, S("Accept"), S("application/json"));
	const struct call call = {
		.method = S("GET"),
		.url = arena_printf(c->arena, "%.*s/v2/images/%.*s", STR(base), STR(id)),
		.headers = &headers,
		.answer_max = IMAGE_ANSWER_MAX,
	};

	rc = call_run(c->compute->http, c->arena, &call, &res, &body);
	if (rc != 200)
		return refuse(c, rc == 404 || rc == 403 ? 404 : 503, id);
	*ret = json_text_parse(body);
	return *ret ? 0 : refuse(c, 503, id);
}

bool image_fits(struct api_call *c, const json_t *image, const json_t *flavor)
{
	struct str id = text(image, "id");
	int64_t disk = number(flavor, "disk"), size = number(image, "size");
	int64_t virtual_size = number(image, "virtual_size");

	if (!str_eq(text(image, "status"), S("active"))) {
		api_error(c, 400, "Image %.*s is not active.", STR(id));
		return false;
	}
	if (number(flavor, "ram") < number(image, "min_ram")) {
		api_error(c, 400, "Flavor's memory is too small for requested image.");
		return false;
	}
	if (disk && (disk < number(image, "min_disk") || size > disk << 30 ||
		     virtual_size > disk << 30)) {
		api_error(c, 400, "Flavor's disk is too small for requested image.");
		return false;
	}
	return true;
}

json_t *image_kept(const json_t *image)
{
	static const char *const keys[] = {
		"id", "name", "disk_format", "container_format", "os_hash_algo", "os_hash_value",
		"checksum", "size", "virtual_size", "min_disk", "min_ram", "architecture",
		"hw_architecture", "kernel_id", "ramdisk_id",
	};
	json_t *kept = json_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(image, keys[i]))
			json_object_set(kept, keys[i], json_object_get(image, keys[i]));
	return kept;
}
