/* Links in container listings: what their rows' ETags say of them becomes keys of their own. Swift:
 * SymlinkContainerContext in common/middleware/symlink.py */
#include "lib/base/encode.h"
#include "proxy/middleware/listing_json.h"
#include "proxy/middleware/symlink.h"

#define MARK S("symlink_target")

/* The ETag's parameters, one after the other: "key=value" without blanks. */
static bool next_param(struct str *rest, struct str *ret_key, struct str *ret_value)
{
	struct str part = str_cut(rest, ';');

	if (!part.p)
		return false;
	*ret_value = str_trim(part);
	*ret_key = str_cut(ret_value, '=');
	return true;
}

struct str symlink_etag_plain(struct arena *a, struct str override)
{
	struct str rest = override, key, value, plain = str_trim(str_cut(&rest, ';'));
	/* Of each parameter at most "; " and "=" are added. */
	CLEANUP(buf_done) struct buf b = BUF(4 * override.n + 16);

	buf_add_str(&b, plain);
	while (next_param(&rest, &key, &value)) {
		if (key.n == 0 || str_starts(key, MARK))
			continue;
		buf_add_lit(&b, "; ");
		buf_add_str(&b, key);
		buf_add_char(&b, '=');
		buf_add_str(&b, value);
	}
	assert(!buf_failed(&b));
	return arena_str(a, buf_str(&b));
}

/* A parameter that storage servers did not take out because the ETag was long. */
static bool is_slo(json_t *row, struct str key, struct str value)
{
	char quoted[256];

	if (!str_eq(key, S("slo_etag")) || value.n > sizeof quoted - 3)
		return false;
	snprintf(quoted, sizeof quoted, "\"%.*s\"", STR(value));
	row_set(row, "slo_etag", str_from(quoted));
	return true;
}

static void rewrite(struct arena *a, json_t *row, struct str account)
{
	struct str text = row_text(row, "hash"), rest = arena_str(a, text), key, value;
	struct str hash = str_trim(str_cut(&rest, ';')), target = STR_NONE;
	uint64_t bytes;

	if (str_find(text, MARK) < 0)
		return;
	while (next_param(&rest, &key, &value)) {
		if (str_eq(key, S("symlink_target")))
			target = value;
		else if (str_eq(key, S("symlink_target_account")))
			account = value;
		else if (str_eq(key, S("symlink_target_etag")))
			row_set(row, "symlink_etag", value);
		else if (str_eq(key, S("symlink_target_bytes")) && str_to_u64(value, &bytes) == 0)
			json_object_set_new(row, "symlink_bytes", json_integer((json_int_t)bytes));
		else if (key.n && !is_slo(row, key, value))
			hash = arena_printf(a, "%.*s; %.*s=%.*s", STR(hash), STR(key), STR(value));
	}
	row_set(row, "hash", hash);
	if (target.n)
		row_set(row, "symlink_path",
			arena_printf(a, "/v1/%.*s/%.*s", STR(account), STR(target)));
}

static json_t *rows_of(struct request *req, struct str text)
{
	struct str account = swift_path_quote(req->arena, STR_NONE,
					      proxy_request(req)->path.account, STR_NONE, STR_NONE);
	json_t *rows = listing_parse(text), *row;
	size_t i;

	json_array_foreach(rows, i, row)
		rewrite(req->arena, row, str_skip(account, 1));
	return rows;
}

/* The same rows in JSON, for XML has nothing that could be rewritten. */
waits static json_t *ask_again(struct middleware *mw, struct request *req)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct str query = query_with(req->arena, req->query, S("format"), S("json")), text;
	struct request *get = proxy_subrequest_new(req, HTTP_GET, p->account, p->container,
						   STR_NONE, query, S("SYM"));
	struct response res;

	headers_copy(&get->headers, &req->headers);
	middleware_call(mw, get, &res);
	if (listing_read(&res, &text) < 0 || res.status / 100 != 2)
		return NULL;
	return rows_of(req, text);
}

void symlink_rows(struct middleware *mw, struct request *req, struct response *res)
{
	struct str type = headers_get_lit(&res->headers, "Content-Type"), text;
	bool xml = str_find(type, S("xml")) >= 0;

	if (res->status != 200 || !res->body || (!xml && str_find(type, S("json")) < 0))
		return;
	/* Our storage servers say so when there are no links; then nothing is held. */
	if (headers_has(&res->headers, S("X-Needletail-Links")))
		return;
	int rc = listing_read(res, &text);

	if (rc < 0) {
		response_init(res, req->arena);
		proxy_respond_error(req, res, rc);
		return;
	}
	res->content_length = (int64_t)text.n;
	res->body = body_bytes(req->arena, text);
	if (str_find(text, MARK) < 0)
		return;
	json_t *rows = xml ? ask_again(mw, req) : rows_of(req, text);

	if (!rows) {
		response_init(res, req->arena);
		respond_status(res, 503);
	} else if (xml) {
		listing_write_xml(res, rows, proxy_request(req)->path.container);
	} else {
		listing_write(res, rows);
	}
	json_decref(rows);
}
