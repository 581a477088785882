/* The account server's verbs: statuses and headers as Swift's account/server.py gives them. */
#include "tests/unit/objectd/db/servertest.h"
#include "tests/unit/cmocka.h"

#define A "/sda/1/AUTH_t"
#define AT(t) "X-Timestamp: 1700000000.0000" #t "\n"
#define COUNTS(put, del, objects, bytes)                                                        \
	"X-Put-Timestamp: 1700000000.0000" #put "\nX-Delete-Timestamp: 000000000" #del ".00000\n" \
	"X-Object-Count: " #objects "\nX-Bytes-Used: " #bytes "\n"

waits static void lives_and_dies(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(404, ask(&s, "HEAD", A, ""));
	expect_header(&s, "X-Account-Status", NULL);
	EXPECT(404, ask(&s, "POST", A, AT(1)));
	EXPECT(404, ask(&s, "DELETE", A, AT(1)));
	EXPECT(404, ask(&s, "PUT", A "/c", COUNTS(1, 0, 0, 0)));
	EXPECT(400, ask(&s, "PUT", A, ""));
	EXPECT(201, ask(&s, "PUT", A,
			AT(1) "X-Account-Meta-Who: me\nX-Account-Sysmeta-S: t\nX-Else: no\n"));
	EXPECT(202, ask(&s, "PUT", A, AT(2)));
	EXPECT(204, ask(&s, "HEAD", A, ""));
	expect_header(&s, "X-Account-Container-Count", "0");
	expect_header(&s, "X-Account-Object-Count", "0");
	expect_header(&s, "X-Account-Bytes-Used", "0");
	expect_header(&s, "X-Timestamp", "1700000000.00001");
	expect_header(&s, "X-PUT-Timestamp", "1700000000.00002");
	expect_header(&s, "X-Account-Meta-Who", "me");
	expect_header(&s, "X-Account-Sysmeta-S", "t");
	expect_header(&s, "X-Else", NULL);
	expect_header(&s, "Content-Type", "text/plain; charset=utf-8");
	EXPECT(204, ask(&s, "POST", A, AT(3) "X-Account-Meta-Who: \nX-Account-Meta-New: 1\n"));
	EXPECT(204, ask(&s, "HEAD", A "?format=json", ""));
	expect_header(&s, "X-Account-Meta-Who", NULL);
	expect_header(&s, "X-Account-Meta-New", "1");
	expect_header(&s, "Content-Type", "application/json; charset=utf-8");
	EXPECT(204, ask(&s, "DELETE", A, AT(4)));
	expect_header(&s, "X-Account-Status", "Deleted");
	EXPECT(404, ask(&s, "GET", A, ""));
	expect_header(&s, "X-Account-Status", "Deleted");
	EXPECT(404, ask(&s, "DELETE", A, AT(5)));
	EXPECT(404, ask(&s, "POST", A, AT(5)));
	EXPECT(403, ask(&s, "PUT", A, AT(6)));
	expect_body(&s, "Recently deleted");
	EXPECT(405, ask(&s, "PATCH", A, AT(6)));
	server_close(&s);
}

waits static void counts_containers(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(201, ask(&s, "PUT", A, AT(1)));
	EXPECT(201, ask(&s, "PUT", A "/one", COUNTS(1, 0, 3, 30) AT(3)));
	EXPECT(201, ask(&s, "PUT", A "/two",
			COUNTS(1, 0, 4, 50) AT(3) "X-Backend-Storage-Policy-Index: 1\n"));
	EXPECT(200, ask(&s, "GET", A, ""));
	expect_body(&s, "one\ntwo\n");
	expect_header(&s, "X-Account-Container-Count", "2");
	expect_header(&s, "X-Account-Object-Count", "7");
	expect_header(&s, "X-Account-Bytes-Used", "80");
	expect_header(&s, "X-Account-Storage-Policy-Gold-Container-Count", "1");
	expect_header(&s, "X-Account-Storage-Policy-Gold-Object-Count", "3");
	expect_header(&s, "X-Account-Storage-Policy-Silver-Bytes-Used", "50");
	/* A count that was made earlier comes late. */
	EXPECT(201, ask(&s, "PUT", A "/one", COUNTS(1, 0, 1, 10) AT(2)));
	EXPECT(204, ask(&s, "HEAD", A, ""));
	expect_header(&s, "X-Account-Object-Count", "7");
	/* Swift's servers do not say when. */
	EXPECT(201, ask(&s, "PUT", A "/one", COUNTS(1, 0, 0, 0)));
	EXPECT(204, ask(&s, "HEAD", A, ""));
	expect_header(&s, "X-Account-Object-Count", "4");
	EXPECT(204, ask(&s, "PUT", A "/one", "X-Put-Timestamp: 1700000000.00001\n"
					     "X-Delete-Timestamp: 1700000000.00009\n"
					     "X-Object-Count: 0\nX-Bytes-Used: 0\n"));
	EXPECT(200, ask(&s, "GET", A "?format=json&delimiter=w", ""));
	expect_body(&s, "[{\"subdir\": \"tw\"}]");
	expect_header(&s, "X-Account-Container-Count", "1");
	EXPECT(400, ask(&s, "PUT", A "/c",
			"X-Put-Timestamp: 1\nX-Delete-Timestamp: 0\nX-Bytes-Used: 0\n"));
	EXPECT(400, ask(&s, "PUT", A "/c",
			"X-Put-Timestamp: 1\nX-Delete-Timestamp: 0\nX-Bytes-Used: 0\n"
			"X-Object-Count: -3\n"));
	server_close(&s);
}

waits static void takes_rows_when_deleted(void)
{
	static struct server s;

	server_open(&s);
	EXPECT(201, ask(&s, "PUT", A, AT(1)));
	EXPECT(204, ask(&s, "DELETE", A, AT(2)));
	EXPECT(404, ask(&s, "PUT", A "/c", COUNTS(3, 0, 0, 0)));
	EXPECT(201, ask(&s, "PUT", A "/c", COUNTS(3, 0, 0, 0) "X-Account-Override-Deleted: yes\n"));
	EXPECT(404, ask(&s, "HEAD", A, ""));
	/* Hidden accounts are made when needed. */
	EXPECT(201, ask(&s, "PUT", "/sda/1/.hidden/c", COUNTS(3, 0, 1, 2)));
	EXPECT(200, ask(&s, "GET", "/sda/1/.hidden", ""));
	expect_body(&s, "c\n");
	server_close(&s);
}

IN_TASK(lives_and_dies)
IN_TASK(counts_containers)
IN_TASK(takes_rows_when_deleted)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives_and_dies), cmocka_unit_test(test_counts_containers),
		cmocka_unit_test(test_takes_rows_when_deleted),
	};

	return cmocka_run_group_tests_name("objectd/account", tests, NULL, NULL);
}
