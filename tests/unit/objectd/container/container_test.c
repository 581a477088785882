/* The container server's verbs: statuses, headers and listings as Swift's container/server.py
 * gives them. */
#include "tests/unit/objectd/db/servertest.h"
#include "tests/unit/cmocka.h"

#define C "/sda/1/AUTH_t/c"
#define AT(t) "X-Timestamp: 1700000000.0000" #t "\n"
#define ROW(t, size, etag, type) \
	AT(t) "X-Size: " #size "\nX-Etag: " etag "\nX-Content-Type: " type "\n"

waits static void lives_and_dies(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(404, ask(&s, "HEAD", C, ""));
	expect_header(&s, "X-Backend-Timestamp", "0000000000.00000");
	expect_header(&s, "X-Container-Object-Count", NULL);
	EXPECT(404, ask(&s, "POST", C, AT(1)));
	EXPECT(404, ask(&s, "DELETE", C, AT(1)));
	EXPECT(404, ask(&s, "PUT", C "/o", ROW(1, 5, "e", "a/b")));
	EXPECT(400, ask(&s, "PUT", C, ""));
	EXPECT(400, ask(&s, "PUT", C, "X-Timestamp: soon\n"));
	EXPECT(201, ask(&s, "PUT", C, AT(1) "X-Container-Meta-Colour: red\nX-Container-Read: .r:*\n"
				   "X-Container-Meta-: nameless\nX-Other: no\n"));
	expect_header(&s, "X-Backend-Storage-Policy-Index", "0");
	EXPECT(202, ask(&s, "PUT", C, AT(2)));
	EXPECT(204, ask(&s, "HEAD", C, ""));
	expect_header(&s, "X-Container-Object-Count", "0");
	expect_header(&s, "X-Container-Bytes-Used", "0");
	expect_header(&s, "X-Timestamp", "1700000000.00001");
	expect_header(&s, "X-PUT-Timestamp", "1700000000.00002");
	expect_header(&s, "X-Backend-Timestamp", "1700000000.00001");
	expect_header(&s, "X-Backend-PUT-Timestamp", "1700000000.00002");
	expect_header(&s, "X-Backend-DELETE-Timestamp", "0000000000.00000");
	expect_header(&s, "X-Backend-Status-Changed-At", "1700000000.00001");
	expect_header(&s, "X-Backend-Sharding-State", "unsharded");
	expect_header(&s, "X-Container-Meta-Colour", "red");
	expect_header(&s, "X-Container-Read", ".r:*");
	expect_header(&s, "X-Container-Meta-", NULL);
	expect_header(&s, "X-Other", NULL);
	expect_header(&s, "Last-Modified", "Tue, 14 Nov 2023 22:13:21 GMT");
	expect_header(&s, "Content-Type", "text/plain; charset=utf-8");
	EXPECT(409, ask(&s, "DELETE", C, AT(1)));
	EXPECT(204, ask(&s, "DELETE", C, AT(3)));
	EXPECT(404, ask(&s, "HEAD", C, ""));
	expect_header(&s, "X-Backend-DELETE-Timestamp", "1700000000.00003");
	expect_header(&s, "X-Backend-Status-Changed-At", "1700000000.00003");
	EXPECT(404, ask(&s, "DELETE", C, AT(4)));
	EXPECT(409, ask(&s, "PUT", C, AT(2)));
	EXPECT(201, ask(&s, "PUT", C, AT(5)));
	EXPECT(204, ask(&s, "HEAD", C, ""));
	expect_header(&s, "X-Container-Meta-Colour", NULL);
	EXPECT(405, ask(&s, "PATCH", C, AT(6)));
	server_close(&s);
}

waits static void keeps_its_policy(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(400, ask(&s, "PUT", C, AT(1) "X-Backend-Storage-Policy-Index: 7\n"));
	EXPECT(400, ask(&s, "PUT", C, AT(1) "X-Backend-Storage-Policy-Index: x\n"));
	EXPECT(201, ask(&s, "PUT", C, AT(1) "X-Backend-Storage-Policy-Default: 1\n"));
	expect_header(&s, "X-Backend-Storage-Policy-Index", "1");
	EXPECT(202, ask(&s, "PUT", C, AT(2) "X-Backend-Storage-Policy-Default: 0\n"));
	expect_header(&s, "X-Backend-Storage-Policy-Index", "1");
	EXPECT(409, ask(&s, "PUT", C, AT(2) "X-Backend-Storage-Policy-Index: 0\n"));
	expect_header(&s, "X-Backend-Storage-Policy-Index", "1");
	EXPECT(202, ask(&s, "PUT", C, AT(2) "X-Backend-Storage-Policy-Index: 1\n"));
	/* A row of another policy is kept, but not shown; and the container is not empty. */
	EXPECT(201,
	       ask(&s, "PUT", C "/o", ROW(3, 5, "e", "a/b") "X-Backend-Storage-Policy-Index: 0\n"));
	EXPECT(204, ask(&s, "GET", C, ""));
	expect_header(&s, "X-Container-Object-Count", "0");
	EXPECT(200, ask(&s, "GET", C, "X-Backend-Storage-Policy-Index: 0\n"));
	expect_body(&s, "o\n");
	EXPECT(409, ask(&s, "DELETE", C, AT(4)));
	EXPECT(204, ask(&s, "DELETE", C "/o", AT(5) "X-Backend-Storage-Policy-Index: 0\n"));
	EXPECT(204, ask(&s, "DELETE", C, AT(6)));
	EXPECT(201, ask(&s, "PUT", C, AT(7) "X-Backend-Storage-Policy-Index: 0\n"));
	expect_header(&s, "X-Backend-Storage-Policy-Index", "0");
	server_close(&s);
}

waits static void merges_metadata(void)
{
	static struct server s;
	CLEANUP(buf_done) struct buf many = BUF(MIB);

	server_open(&s);
	EXPECT(201, ask(&s, "PUT", C, AT(1) "x-container-meta-a: 1\nX-Container-Meta-B: 2\n"));
	EXPECT(204, ask(&s, "POST", C, AT(3) "X-Container-Meta-A: 3\nX-Container-Sysmeta-S: x\n"));
	EXPECT(204,
	       ask(&s, "POST", C, AT(2) "X-Container-Meta-A: late\nX-Container-Meta-C: new\n"));
	EXPECT(204, ask(&s, "POST", C, AT(4) "X-Container-Meta-B: \n"));
	EXPECT(204, ask(&s, "HEAD", C, ""));
	expect_header(&s, "X-Container-Meta-A", "3");
	expect_header(&s, "X-Container-Meta-B", NULL);
	expect_header(&s, "X-Container-Meta-C", "new");
	expect_header(&s, "X-Container-Sysmeta-S", "x");
	expect_header(&s, "X-PUT-Timestamp", "1700000000.00004");
	buf_add_lit(&many, AT(5));
	for (unsigned i = 0; i < 91; i++)
		buf_addf(&many, "X-Container-Meta-N%u: v\n", i);
	EXPECT(400, ask(&s, "POST", C, many.p));
	expect_body(&s, "Too many metadata items; max 90");
	buf_clear(&many);
	buf_add_lit(&many, AT(5) "X-Container-Meta-Long: ");
	for (unsigned i = 0; i < 4096; i++)
		buf_add_char(&many, 'x');
	EXPECT(400, ask(&s, "POST", C, many.p));
	expect_body(&s, "Total metadata too large; max 4096");
	EXPECT(400, ask(&s, "POST", C, AT(5) "X-Container-Meta-Bad: \xff\n"));
	expect_body(&s, "Metadata must be valid UTF-8");
	EXPECT(400, ask(&s, "POST", C, AT(5) "X-Container-Sync-To: http://elsewhere/v1/a/c\n"));
	EXPECT(400, ask(&s, "POST", C, AT(5) "X-Container-Sync-To: //realm/cluster/a/c\n"));
	EXPECT(400, ask(&s, "POST", C, AT(5) "X-Container-Sync-To: ftp://127.0.0.1/v1/a/c\n"));
	EXPECT(204, ask(&s, "POST", C, AT(5) "X-Container-Sync-To: http://127.0.0.1:80/v1/a/c\n"));
	/* What was refused left no trace. */
	EXPECT(204, ask(&s, "HEAD", C, ""));
	expect_header(&s, "X-Container-Meta-N0", NULL);
	expect_header(&s, "X-Container-Meta-A", "3");
	server_close(&s);
}

waits static void lists_rows(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(201, ask(&s, "PUT", C, AT(1)));
	EXPECT(204, ask(&s, "GET", C, ""));
	EXPECT(200, ask(&s, "GET", C "?format=json", ""));
	expect_body(&s, "[]");
	EXPECT(201, ask(&s, "PUT", C "/a", ROW(2, 5, "d41d8cd98f00b204e9800998ecf8427e",
					       "text/plain; charset=UTF-8;swift_bytes=70")));
	EXPECT(201, ask(&s, "PUT", C "/b/1", ROW(2, 6, "e", "a/b")));
	EXPECT(201, ask(&s, "PUT", C "/b/2", ROW(2, 7, "e", "a/b")));
	EXPECT(201, ask(&s, "PUT", C "/%C3%A9", ROW(2, 8, "e", "a/b")));
	EXPECT(200, ask(&s, "GET", C "?format=json&delimiter=/", ""));
	expect_body(
		&s,
		"[{\"bytes\": 70, \"hash\": \"d41d8cd98f00b204e9800998ecf8427e\", \"name\": \"a\", "
		"\"content_type\": \"text/plain;charset=UTF-8\", "
		"\"last_modified\": \"2023-11-14T22:13:20.000020\"}, {\"subdir\": \"b/\"}, "
		"{\"bytes\": 8, \"hash\": \"e\", \"name\": \"\\u00e9\", \"content_type\": \"a/b\", "
		"\"last_modified\": \"2023-11-14T22:13:20.000020\"}]");
	expect_header(&s, "Content-Type", "application/json; charset=utf-8");
	expect_header(&s, "X-Container-Object-Count", "4");
	expect_header(&s, "X-Container-Bytes-Used", "26");
	expect_header(&s, "X-Backend-Record-Type", "object");
	expect_header(&s, "X-Backend-Record-Storage-Policy-Index", "0");
	EXPECT(200, ask(&s, "GET", C "?prefix=b/&limit=1&reverse=yes", ""));
	expect_body(&s, "b/2\n");
	EXPECT(200, ask(&s, "GET", C "?path=b&format=nonsense", "Accept: application/json\n"));
	expect_body(&s, "b/1\nb/2\n");
	EXPECT(200, ask(&s, "GET", C "?limit=1", "Accept: text/xml;q=0.5, application/json\n"));
	expect_header(&s, "Content-Type", "application/json; charset=utf-8");
	EXPECT(204, ask(&s, "GET", C "?limit=0", ""));
	EXPECT(200, ask(&s, "GET", C "?limit=x", ""));
	EXPECT(412, ask(&s, "GET", C "?limit=10001", ""));
	expect_body(&s, "Maximum limit is 10000");
	EXPECT(412, ask(&s, "GET", C "?limit=99999999999999999999999", ""));
	EXPECT(400, ask(&s, "GET", C "?marker=%ff", ""));
	expect_body(&s, "\"marker\" parameter not valid UTF-8");
	EXPECT(406, ask(&s, "GET", C, "Accept: image/png\n"));
	EXPECT(400, ask(&s, "GET", C, "Accept: text\n"));
	EXPECT(200, ask(&s, "GET", C, "X-Backend-Record-Type: shard\n"));
	expect_body(&s, "[]");
	/* A deletion that is older than the row, and one that is newer. */
	EXPECT(204, ask(&s, "DELETE", C "/a", AT(1)));
	EXPECT(204, ask(&s, "DELETE", C "/b/1", AT(3)));
	EXPECT(200, ask(&s, "GET", C, ""));
	expect_body(&s, "a\nb/2\n\xc3\xa9\n");
	expect_header(&s, "X-Container-Bytes-Used", "20");
	server_close(&s);
}

waits static void rows_keep_three_times(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(201, ask(&s, "PUT", C, AT(1)));
	EXPECT(201, ask(&s, "PUT", C "/o", ROW(2, 5, "e", "a/b;swift_bytes=9")));
	/* A POST changed type and metadata. */
	EXPECT(201, ask(&s, "PUT", C "/o",
			ROW(2, 5, "e", "c/d") "X-Content-Type-Timestamp: 1700000000.00005\n"
					      "X-Meta-Timestamp: 1700000000.00007\n"));
	EXPECT(200, ask(&s, "GET", C, "X-Needletail-Raw: true\n"));
	expect_body(&s, "{\"name\": \"o\", \"data_ts\": \"1700000000.00002\", \"ctype_ts\": "
			"\"1700000000.00005\", \"meta_ts\": \"1700000000.00007\", \"deleted\": 0, "
			"\"policy\": 0, \"bytes\": 5, \"hash\": \"e\", \"content_type\": \"c/d\", "
			"\"swift_bytes\": \"9\"}\n");
	expect_header(&s, "X-Needletail-Raw", "true");
	EXPECT(400, ask(&s, "PUT", C "/o", ROW(2, 5, "e", "a/b") "X-Meta-Timestamp: x\n"));
	EXPECT(400, ask(&s, "PUT", C "/o", AT(2) "X-Size: -1\nX-Etag: e\nX-Content-Type: a\n"));
	EXPECT(400, ask(&s, "PUT", C "/o", AT(2) "X-Size: 1\nX-Content-Type: a\n"));
	server_close(&s);
}

waits static void takes_updates(void)
{
	static struct server s;
	struct str rows = S(
		"[{\"name\": \"x\", \"created_at\": \"1700000000.00003+5-2\", \"size\": 4, "
		"\"content_type\": \"a/b\", \"etag\": \"e\", \"deleted\": 0, "
		"\"storage_policy_index\": 0, \"ctype_timestamp\": null, \"meta_timestamp\": null},"
		"{\"name\": \"y\", \"created_at\": \"1700000000.00003\", \"size\": \"0\", "
		"\"content_type\": \"application/deleted\", \"etag\": \"noetag\", \"deleted\": "
		"1}]");

	server_open(&s);
	EXPECT(404, ask_with_body(&s, "UPDATE", C, AT(1), rows));
	EXPECT(201, ask(&s, "PUT", C, AT(1)));
	EXPECT(202, ask_with_body(&s, "UPDATE", C, AT(1), rows));
	EXPECT(400, ask_with_body(&s, "UPDATE", C, AT(1), S("{}")));
	EXPECT(400, ask_with_body(&s, "UPDATE", C, AT(1), S("[{\"name\": 3}]")));
	EXPECT(400, ask_with_body(&s, "UPDATE", C, AT(1), S("[")));
	EXPECT(200, ask(&s, "GET", C, "X-Needletail-Raw: true\n"));
	expect_body(&s, "{\"name\": \"x\", \"data_ts\": \"1700000000.00003\", \"ctype_ts\": "
			"\"1700000000.00008\", \"meta_ts\": \"1700000000.00006\", \"deleted\": 0, "
			"\"policy\": 0, \"bytes\": 4, \"hash\": \"e\", \"content_type\": \"a/b\"}\n"
			"{\"name\": \"y\", \"data_ts\": \"1700000000.00003\", \"ctype_ts\": "
			"\"1700000000.00003\", \"meta_ts\": \"1700000000.00003\", \"deleted\": 1, "
			"\"policy\": 0, \"bytes\": 0, \"hash\": \"\", \"content_type\": \"\"}\n");
	server_close(&s);
}

waits static void creates_hidden_containers(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(201, ask(&s, "PUT", "/sda/1/.expiring/c/o", ROW(1, 5, "e", "a/b")));
	EXPECT(204, ask(&s, "HEAD", "/sda/1/.expiring/c", ""));
	expect_header(&s, "X-Container-Object-Count", "1");
	EXPECT(404, ask(&s, "PUT", "/sda/1/.shards_a/c/o", ROW(1, 5, "e", "a/b")));
	EXPECT(404, ask(&s, "PUT", "/sda/1/.hidden/d/o",
			ROW(1, 5, "e", "a/b") "X-Backend-Auto-Create: no\n"));
	EXPECT(201, ask(&s, "PUT", "/sda/1/open/d/o",
			ROW(1, 5, "e", "a/b") "X-Backend-Auto-Create: yes\n"));
	/* Deleting a row makes the container as well. */
	EXPECT(204, ask(&s, "DELETE", "/sda/1/.expiring/e/o", AT(1)));
	EXPECT(204, ask(&s, "HEAD", "/sda/1/.expiring/e", ""));
	server_close(&s);
}

waits static void guards_reserved_names(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(400, ask(&s, "PUT", "/sda/1/a/x%00c", AT(1)));
	EXPECT(201, ask(&s, "PUT", "/sda/1/a/%00c", AT(1)));
	EXPECT(400, ask(&s, "PUT", "/sda/1/a/%00c/o", ROW(1, 5, "e", "a/b")));
	EXPECT(201, ask(&s, "PUT", "/sda/1/a/%00c/%00o", ROW(1, 5, "e", "a/b")));
	EXPECT(204, ask(&s, "GET", "/sda/1/a/%00c", ""));
	EXPECT(200, ask(&s, "GET", "/sda/1/a/%00c?format=json&prefix=%00",
			"X-Backend-Allow-Reserved-Names: true\n"));
	expect_holds(s.body.p, "\"name\": \"\\u0000o\"");
	server_close(&s);
}

waits static void applies_rows_of_many(void)
{
	static struct server s;
	struct container_row_update rows[] = {
		{ .account = S("a"),
		  .container = S("c"),
		  .object = S("1"),
		  .ts.t = 170000000000001,
		  .size = 3,
		  .content_type = S("a/b"),
		  .etag = S("e") },
		{ .account = S("a"),
		  .container = S("missing"),
		  .object = S("1"),
		  .ts.t = 170000000000001,
		  .content_type = S("a/b"),
		  .etag = S("e") },
		{ .account = S("a"),
		  .container = S("d"),
		  .object = S("1"),
		  .ts.t = 170000000000001,
		  .deleted = true },
		{ .account = S("a"),
		  .container = S("c"),
		  .object = S("1"),
		  .ts.t = 170000000000003,
		  .deleted = true },
		{ .account = S("a"),
		  .container = S("c"),
		  .object = S("\xff"),
		  .ts.t = 170000000000003 },
		{ .account = S("a"),
		  .container = S("c"),
		  .object = S("2"),
		  .ts.t = 170000000000002,
		  .size = 4,
		  .content_type = S("bad\xff"),
		  .etag = S("e") },
		{ .account = S(".x"),
		  .container = S("n"),
		  .object = S("2"),
		  .ts.t = 170000000000002,
		  .auto_create = true,
		  .content_type = S("a/b"),
		  .etag = S("e") },
	};
	int status[ARRAY_LEN(rows)];

	server_open(&s);
	EXPECT(201, ask(&s, "PUT", "/sda/1/a/c", AT(1)));
	EXPECT(201, ask(&s, "PUT", "/sda/1/a/d", AT(1)));
	int rc = container_apply_rows(&s.o, rows, ARRAY_LEN(rows), status);

	assert(rc == 0);
	assert(status[0] == 201 && status[1] == 404 && status[2] == 204 && status[3] == 204);
	assert(status[4] == 400 && status[5] == 201 && status[6] == 201);
	EXPECT(200, ask(&s, "GET", "/sda/1/a/c?format=json", ""));
	expect_body(&s,
		    "[{\"bytes\": 4, \"hash\": \"e\", \"name\": \"2\", \"content_type\": \"bad?\", "
		    "\"last_modified\": \"2023-11-14T22:13:20.000020\"}]");
	server_close(&s);
}

/* ---- accounts are told; over real sockets, to this same process ---- */

static struct server *peer;

task_asserted static void serve(void *arg, struct request *req, struct response *res)
{
	struct backend_path p;
	int rc = backend_path_parse(req->arena, req->path, &p);

	(void)arg;
	assert(rc == 0);
	account_handle(&peer->o, req, res, &p);
}

waits static struct http_server *start_peer(struct server *s)
{
	struct http_server_options o = {
		.ip = "127.0.0.1", .backlog = 16, .limits = http_limits_default, .handle = serve
	};
	struct http_server *server = NULL;
	struct fault why;

	peer = s;
	int rc = http_server_start(&o, &server, &why);

	assert(rc == 0);
	return server;
}

waits static int put_telling(struct server *s, const char *method, unsigned port, char t)
{
	char headers[512];

	snprintf(headers, sizeof headers,
		 "X-Timestamp: 1700000000.0000%c\nX-Account-Partition: 5\n"
		 "X-Account-Host: 127.0.0.1:%u, 127.0.0.1:%u\nX-Account-Device: sda, sda\n",
		 t, port, port);
	return ask(s, method, C, headers);
}

waits static void tells_accounts(void)
{
	static struct server s;

	server_open(&s);
	struct http_server *server = start_peer(&s);
	unsigned port = http_server_port(server);

	/* No such account: the client is told so. */
	EXPECT(404, put_telling(&s, "PUT", port, '1'));
	EXPECT(201, ask(&s, "PUT", "/sda/1/AUTH_t", AT(1)));
	EXPECT(202, put_telling(&s, "PUT", port, '2'));
	EXPECT(200, ask(&s, "GET", "/sda/1/AUTH_t?format=json", ""));
	expect_body(&s, "[{\"name\": \"c\", \"count\": 0, \"bytes\": 0, \"last_modified\": "
			"\"2023-11-14T22:13:20.000020\", \"storage_policy\": \"gold\"}]");
	expect_header(&s, "X-Account-Container-Count", "1");
	EXPECT(204, put_telling(&s, "DELETE", port, '4'));
	EXPECT(200, ask(&s, "GET", "/sda/1/AUTH_t?format=json", ""));
	expect_body(&s, "[]");
	expect_header(&s, "X-Account-Container-Count", "0");
	http_server_stop(server, 1000);
	/* Nobody there: the container is made, and the reporter will tell. */
	EXPECT(201, put_telling(&s, "PUT", port, '5'));
	EXPECT(400, ask(&s, "PUT", C, AT(6) "X-Account-Partition: 1\nX-Account-Host: 127.0.0.1:1\n"
				   "X-Account-Device: a,b\n"));
	server_close(&s);
}

IN_TASK(lives_and_dies)
IN_TASK(keeps_its_policy)
IN_TASK(merges_metadata)
IN_TASK(lists_rows)
IN_TASK(rows_keep_three_times)
IN_TASK(takes_updates)
IN_TASK(creates_hidden_containers)
IN_TASK(guards_reserved_names)
IN_TASK(applies_rows_of_many)
IN_TASK(tells_accounts)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives_and_dies),
		cmocka_unit_test(test_keeps_its_policy),
		cmocka_unit_test(test_merges_metadata),
		cmocka_unit_test(test_lists_rows),
		cmocka_unit_test(test_rows_keep_three_times),
		cmocka_unit_test(test_takes_updates),
		cmocka_unit_test(test_creates_hidden_containers),
		cmocka_unit_test(test_guards_reserved_names),
		cmocka_unit_test(test_applies_rows_of_many),
		cmocka_unit_test(test_tells_accounts),
	};

	return cmocka_run_group_tests_name("objectd/container", tests, NULL, NULL);
}
