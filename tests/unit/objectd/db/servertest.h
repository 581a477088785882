/* For tests of the account and container servers: requests go to the handlers without a socket. */
#pragma once
#include "objectd/account/account_server.h"
#include "objectd/container/container_server.h"
#include "tests/unit/objectd/db/dbtest.h"

struct server {
	struct rig rig;
	struct objectd o;
	struct cluster cluster;
	struct arena *arena;            /* of the last request */
	struct response res;
	struct buf body;
};

waits __attribute__((unused)) static void server_open(struct server *s)
{
	*s = (struct server){ .arena = arena_new(), .body = BUF(16 * MIB) };
	rig_open(&s->rig);
	s->cluster = (struct cluster){
		.hash_suffix = S("changeme"),
		.policy_count = 2,
		.policies = { { .index = 0,
				.name = S("gold"),
				.aliases = S("gold"),
				.is_default = true },
			      { .index = 1, .name = S("silver"), .aliases = S("silver") } },
	};
	s->o = (struct objectd){ .magic = OBJECTD_MAGIC,
				 .cluster = &s->cluster,
				 .store = s->rig.store,
				 .dbs = s->rig.dbs,
				 .device = "sda",
				 .client = http_client_new(&http_client_options_default) };
}

waits __attribute__((unused)) static void server_close(struct server *s)
{
	http_client_free(s->o.client);
	arena_free(s->arena);
	buf_done(&s->body);
	rig_close(&s->rig);
}

/* headers: "Name: value" lines. The answer stays in s until the next call: its status. */
waits __attribute__((unused)) static int ask_with_body(struct server *s, const char *method,
						       const char *path, const char *headers,
						       struct str body)
{
	struct str lines = str_from(headers), line, target = str_from(path);
	struct backend_path p;
	struct request req = {
		.magic = REQUEST_MAGIC, .minor = 1, .trans_id = S("tx"), .query = STR_NONE
	};

	arena_free(s->arena);
	s->arena = arena_new();
	req.arena = s->arena;
	req.method = http_method_parse(str_from(method));
	req.method_name = str_from(method);
	req.target = target;
	ssize_t mark = str_chr(target, '?');

	req.path = mark < 0 ? target : str_head(target, (size_t)mark);
	if (mark >= 0)
		req.query = str_skip(target, (size_t)mark + 1);
	req.content_length = (int64_t)body.n;
	req.body = body.n ? body_bytes(s->arena, body) : body_empty(s->arena);
	headers_init(&req.headers, s->arena);
	while ((line = str_cut(&lines, '\n')).p) {
		struct str value = line, name = str_cut(&value, ':');

		if (name.n)
			headers_add(&req.headers, name, str_trim(value));
	}
	response_init(&s->res, s->arena);
	int rc = backend_path_parse(s->arena, req.path, &p);

	assert(rc == 0);
	/* As route.c tells rows from the things themselves. */
	bool row_of_account =
		p.container.p && !p.object.p && headers_has(&req.headers, S("X-Put-Timestamp"));

	if (p.container.p && !row_of_account)
		container_handle(&s->o, &req, &s->res, &p);
	else
		account_handle(&s->o, &req, &s->res, &p);
	buf_clear(&s->body);
	if (s->res.body) {
		rc = body_read_all(s->res.body, &s->body);
		assert(rc == 0);
		body_close(s->res.body);
	}
	return s->res.status;
}

waits __attribute__((unused)) static int ask(struct server *s, const char *method, const char *path,
					     const char *headers)
{
	return ask_with_body(s, method, path, headers, STR_NONE);
}

__attribute__((unused)) static void expect_header(struct server *s, const char *name,
						  const char *value)
{
	struct str got = headers_get(&s->res.headers, str_from(name));

	if (!value && got.p)
		fprintf(stderr, "%s: is '%.*s', not absent\n", name, STR(got));
	else if (value && !str_eq(got, str_from(value)))
		fprintf(stderr, "%s: is '%.*s', not '%s'\n", name, STR(got), value);
	assert(value ? got.p && str_eq(got, str_from(value)) : !got.p);
}

__attribute__((unused)) static void expect_body(struct server *s, const char *text)
{
	if (!str_eq(buf_str(&s->body), str_from(text)))
		fprintf(stderr, "body is '%s', not '%s'\n", s->body.p, text);
	assert(str_eq(buf_str(&s->body), str_from(text)));
}

#define EXPECT(status, call) \
	do { \
		int got_status = call; \
		if (got_status != (status)) \
			fprintf(stderr, "%s:%d: status %d, not %d\n", __FILE__, __LINE__, \
				got_status, status); \
		assert(got_status == (status)); \
	} while (0)

#define IN_TASK(name)                           \
	static void test_##name(void **state)   \
	{                                       \
		(void)state;                    \
		run_in_task(name);              \
	}
