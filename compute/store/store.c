/* Requests to the store: login, addresses, second attempts. */
#include "compute/call.h"
#include "compute/store/internal.h"
#include "lib/base/encode.h"
#include "lib/log/log.h"

enum {
	TRIES = 4,
	PAUSE_MS = 100,                 /* before the second attempt, then doubled */
	INFO_MAX = 256 * KIB,
	LISTING_MAX = 16 * MIB,
	SMALL_MAX = 64 * KIB,           /* answers of writes */
};

struct store *store_new(struct http_client *http, struct login *login)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->http = http;
	s->own_login = login == NULL;
	s->login = login ? login : login_new(http, LOGIN_V1);
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->own_login)
		login_free(s->login);
	free(s);
}

int store_error(int status)
{
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
	case 412:
		return -ESTALE;
	case 413:
		return -EDQUOT;
	case 416:
		return -ERANGE;
	case 507:
		return -ENOSPC;
	default:
		return -EAGAIN;
	}
}

waits static int account_url(struct store *s, struct arena *a, struct str *ret)
{
	if (!compute_conf.store_url)
		return login_endpoint(s->login, a, S("object-store"), ret);
	*ret = str_from(compute_conf.store_url);
	return 0;
}

int store_url(struct store *s, struct arena *a, struct str container, struct str name,
	      struct str query, struct str *ret)
{
	CLEANUP(buf_done) struct buf b = BUF(16 * KIB);
	struct str base;
	int rc = account_url(s, a, &base);

	if (rc < 0)
		return rc == -ENOENT ? -EAGAIN : rc;
	while (str_ends(base, S("/")))
		base.n--;
	buf_add_str(&b, base);
	if (container.n) {
		buf_add_char(&b, '/');
		percent_encode(&b, container, S(""));
	}
	if (name.n) {
		buf_add_char(&b, '/');
		percent_encode(&b, name, S("/"));
	}
	if (query.n) {
		buf_add_char(&b, '?');
		buf_add_str(&b, query);
	}
	*ret = arena_str(a, buf_str(&b));
	return buf_failed(&b) ? -EINVAL : 0;
}

void store_headers(struct arena *a, const struct headers *h, struct str token, struct headers *ret)
{
	headers_init(ret, a);
	if (h)
		headers_copy(ret, h);
	headers_add_ref(ret, S("X-Auth-Token"), token);
	if (task_trans_id()[0])
		headers_add(ret, S("X-Trans-Id-Extra"), str_head(str_from(task_trans_id()), 32));
}

/* One attempt. A 401 makes the next one log in. */
waits static int attempt(struct store *s, struct arena *a, const struct store_request *r,
			 struct response *ret_res, struct str *ret_body)
{
	struct headers h;
	struct str token, url;
	int rc = login_token(s->login, a, &token);

	if (rc == 0)
		rc = store_url(s, a, r->container, r->name, r->query, &url);
	if (rc < 0)
		return rc;
	store_headers(a, r->headers, token, &h);
	const struct call c = { .method = r->method, .url = url, .headers = &h, .body = r->body,
				.answer_max = r->answer_max ? r->answer_max : SMALL_MAX };
	int status = call_run(s->http, a, &c, ret_res, ret_body);

	if (status == 401)
		login_refused(s->login, token);
	return status;
}

static bool may_pass(int status)
{
	return status == 401 || status == 408 || status == 498 || status == 500 ||
	       (status >= 502 && status <= 504) ||
	       (status < 0 && status != -ECANCELED && status != -EFBIG && status != -EINVAL &&
		status != -EACCES);
}

int store_run(struct store *s, struct arena *a, const struct store_request *r,
	      struct response *ret_res, struct str *ret_body)
{
	uint64_t pause_ms = PAUSE_MS;
	int status = 0;

	for (int i = 0; i < TRIES; i++) {
		status = attempt(s, a, r, ret_res, ret_body);
		if (!may_pass(status))
			return status;
		if (status == 401 && i > 0)
			return -EACCES;
		if (i + 1 == TRIES)
			break;
		if (status != 401) {
			int rc = task_sleep(pause_ms);

			if (rc < 0)
				return rc;
			pause_ms *= 2;
		}
	}
	log_warn("the store answers %.*s with %d", STR(r->method), status);
	return -EAGAIN;
}

/* ---- what it can ---- */

static void read_features(const json_t *info, struct store_features *ret)
{
	const json_t *swift = json_object_get(info, "swift"), *slo = json_object_get(info, "slo");
	const json_t *writes = json_object_get(info, "conditional_writes"), *method;
	json_int_t object_max = json_integer_value(json_object_get(swift, "max_file_size"));
	json_int_t segments = json_integer_value(json_object_get(slo, "max_manifest_segments"));
	json_int_t rows = json_integer_value(json_object_get(swift, "container_listing_limit"));
	bool put = false;
	size_t i;

	json_array_foreach(json_object_get(writes, "methods"), i, method)
		put |= json_is_string(method) && strcmp(json_string_value(method), "PUT") == 0;
	*ret = (struct store_features){
		.if_match = put,
		.slo = json_is_object(slo),
		.object_max = object_max > 0 ? (uint64_t)object_max : 5 * GIB,
		.segments_max = segments > 0 ? (uint64_t)segments : 1000,
		.listing_max = rows > 0 ? (uint64_t)rows : 1,
	};
}

int store_features(struct store *s, struct store_features *ret)
{
	struct response res;
	struct str url, text;

	if (s->features_known) {
		*ret = s->features;
		return 0;
	}
	AUTO(arena) a = arena_new();
	int rc = account_url(s, a, &url);

	if (rc < 0)
		return rc == -ENOENT ? -EAGAIN : rc;
	ssize_t version = str_find(url, S("/v1"));
	const struct call c = {
		.method = S("GET"),
		.url = arena_printf(a, "%.*s/info",
				    STR(version > 0 ? str_head(url, (size_t)version) : url)),
		.answer_max = INFO_MAX,
	};
	int status = call_run(s->http, a, &c, &res, &text);

	if (status < 0 || status >= 500)
		return status == -ECANCELED ? status : -EAGAIN;
	/* A store that does not tell is taken for one that has nothing beyond the API. */
	AUTO(json_text) info = status == 200 ? json_text_parse(text) : NULL;

	read_features(info, &s->features);
	s->features_known = true;
	if (!s->features.if_match)
		log_info("the store has no If-Match for writes: changes of one record by several "
			 "hosts at the same instant may be lost");
	*ret = s->features;
	return 0;
}

/* ---- small operations ---- */

int store_make_container(struct store *s, struct arena *a, struct str container)
{
	const struct store_request r = { .method = S("PUT"), .container = container };
	struct response res;
	struct str text;
	int status = store_run(s, a, &r, &res, &text);

	return status < 0 ? status : status / 100 == 2 ? 0 : store_error(status);
}

int store_list(struct store *s, struct arena *a, struct str container, struct str prefix,
	       struct str marker, json_t **ret)
{
	CLEANUP(buf_done) struct buf q = BUF(8 * KIB);
	struct response res;
	struct str text;

	buf_add_lit(&q, "format=json&prefix=");
	percent_encode(&q, prefix, S(""));
	buf_add_lit(&q, "&marker=");
	percent_encode(&q, marker, S(""));
	const struct store_request r = { .method = S("GET"), .container = container,
					 .query = buf_str(&q), .answer_max = LISTING_MAX };
	int status = store_run(s, a, &r, &res, &text);

	if (status < 0)
		return status;
	if (status == 204)
		text = S("[]");
	else if (status != 200)
		return store_error(status);
	json_t *rows = json_text_parse(text);

	if (!json_is_array(rows)) {
		json_decref(rows);
		return -EAGAIN;
	}
	*ret = rows;
	return 0;
}

int store_delete(struct store *s, struct arena *a, struct str container, struct str name)
{
	const struct store_request r = { .method = S("DELETE"), .container = container,
					 .name = name };
	struct response res;
	struct str text;
	int status = store_run(s, a, &r, &res, &text);

	if (status < 0)
		return status;
	return status / 100 == 2 || status == 404 ? 0 : store_error(status);
}

int store_delete_prefix(struct store *s, struct arena *a, struct str container, struct str prefix)
{
	struct str marker = S("");

	assert(prefix.n > 0);
	for (;;) {
		AUTO(json_text) rows = NULL;
		const json_t *row;
		size_t i;
		int rc = store_list(s, a, container, prefix, marker, &rows);

		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		if (json_array_size(rows) == 0)
			return 0;
		json_array_foreach(rows, i, row) {
			marker = arena_str(a, json_str(row, "name"));
			rc = store_delete(s, a, container, marker);
			if (rc < 0)
				return rc;
		}
	}
}

int store_put_manifest(struct store *s, struct arena *a, struct str container, struct str name,
		       const json_t *segments)
{
	const struct store_request r = { .method = S("PUT"), .container = container, .name = name,
					 .query = S("multipart-manifest=put"),
					 .body = json_text_of(a, segments) };
	struct response res;
	struct str text;
	int status = store_run(s, a, &r, &res, &text);

	if (status < 0)
		return status;
	if (status != 201)
		log_warn("the store refuses a manifest: %d %.*s", status,
			 STR(str_head(text, 200)));
	return status == 201 ? 0 : store_error(status);
}
