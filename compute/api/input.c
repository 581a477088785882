/* What came with a request: its JSON body, its query. */
#include "compute/api/api.h"

json_t *api_body(struct api_call *c, size_t max)
{
	CLEANUP(buf_done) struct buf text = BUF(max);
	int rc = body_read_all(c->req->body, &text);

	if (rc == -EFBIG) {
		api_error(c, 413, "The body of the request is larger than %zu bytes.", max);
		c->res->close = true;
		return NULL;
	}
	if (rc < 0) {
		api_error(c, rc == -ETIMEDOUT ? 408 : 400, "The body of the request broke off.");
		c->res->close = true;
		return NULL;
	}
	json_t *doc = json_text_parse(buf_str(&text));

	if (!doc)
		api_error(c, 400, "The body of the request is not JSON.");
	return doc;
}

struct str api_query(const struct api_call *c, const char *key)
{
	struct str found = STR_NONE;

	for (unsigned i = 0; i < c->queries; i++)
		if (str_eq(c->query[i].key, str_from(key)))
			found = c->query[i].value;
	return found;
}

int api_query_u64(const struct api_call *c, const char *key, uint64_t *ret)
{
	struct str text = api_query(c, key);

	if (!text.p)
		return 1;
	return str_to_u64(text, ret) < 0 ? -EINVAL : 0;
}
