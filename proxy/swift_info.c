/* /info: what this cluster can do, for clients that ask before they try. Swift:
 * proxy/controllers/info.py, common/registry.py. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "proxy/app.h"

#include <jansson.h>

/* HMAC-SHA1 over "METHOD\nexpires\n/info". A GET's signature is good for HEAD. */
static bool signed_as(const struct request *req, struct str key, const char *method,
		      int64_t expires, struct str sig)
{
	unsigned char mac[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];

	hmac_of(DIGEST_SHA1, key,
		arena_printf(req->arena, "%s\n%" PRId64 "\n/info", method, expires), mac);
	hex_encode(mac, sizeof mac, hex);
	return str_eq_secret(str_from(hex), sig);
}

/* 200, or the status to refuse with. *ret_admin: everything is shown. */
static int check_signature(const struct request *req, bool *ret_admin)
{
	struct str key = str_from(proxy_request(req)->proxy->conf->admin_key);
	struct str sig = request_query_lit(req, "swiftinfo_sig");
	struct str expires = request_query_lit(req, "swiftinfo_expires");
	int64_t at;

	*ret_admin = false;
	if (sig.n == 0 && expires.n == 0)
		return 200;
	if (key.n == 0)
		return 403;
	if (str_to_i64(expires, &at) < 0 || at < clock_wall_s())
		return 401;
	bool good = signed_as(req, key, "GET", at, sig);

	if (req->method == HTTP_HEAD)
		good |= signed_as(req, key, "HEAD", at, sig);
	*ret_admin = good;
	return good ? 200 : 401;
}

/* Removes "section" or "section.key" (nested deeper too). */
static void remove_section(json_t *info, struct str path)
{
	char name[128];
	struct str key = str_cut(&path, '.');

	if (key.n >= sizeof name)
		return;
	memcpy(name, key.p, key.n);
	name[key.n] = 0;
	if (path.p)
		remove_section(json_object_get(info, name), path);
	else
		json_object_del(info, name);
}

/* What only the operator is told: which sections others do not see (get_swift_info). */
static void add_admin(json_t *info, const struct conf_list *hidden)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < hidden->count; i++)
		json_array_append_new(list, json_stringn(hidden->items[i].p, hidden->items[i].n));
	json_object_set_new(info, "admin", json_pack("{s:o}", "disallowed_sections", list));
}

static struct str info_text(const struct request *req, bool admin)
{
	const struct proxy *p = proxy_request(req)->proxy;
	const struct conf_list *hidden = &p->conf->disallowed_sections;
	json_t *info = json_deep_copy(p->info);

	for (unsigned i = 0; !admin && i < hidden->count; i++)
		remove_section(info, hidden->items[i]);
	if (admin)
		add_admin(info, hidden);
	char *text = json_dumps(info, JSON_COMPACT | JSON_ENSURE_ASCII);
	struct str copy = arena_str(req->arena, str_from(text));

	free(text);
	json_decref(info);
	return copy;
}

void app_swift_info(struct request *req, struct response *res)
{
	struct str origin = headers_get_lit(&req->headers, "Origin");
	bool admin;

	if (req->method == HTTP_OPTIONS) {
		respond(res, 200, S("text/html; charset=UTF-8"), STR_NONE);
		headers_set(&res->headers, S("Allow"), S("HEAD, GET, OPTIONS"));
		return;
	}
	if (req->method != HTTP_GET && req->method != HTTP_HEAD) {
		respond_status(res, 405);
		headers_set(&res->headers, S("Allow"), S("HEAD, GET, OPTIONS"));
		return;
	}
	if (!proxy_request(req)->proxy->conf->expose_info) {
		respond_status(res, 403);
		return;
	}
	int status = check_signature(req, &admin);

	if (status != 200) {
		respond_status(res, status);
		return;
	}
	respond(res, 200, S("application/json; charset=UTF-8"), info_text(req, admin));
	if (origin.n) {
		headers_set(&res->headers, S("Access-Control-Allow-Origin"), origin);
		headers_set(&res->headers, S("Access-Control-Expose-Headers"), S("x-trans-id"));
	}
}
