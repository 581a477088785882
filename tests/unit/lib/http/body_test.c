/* Bodies without a connection, and pulling one to its end. */
#include "lib/http/body.h"
#include "lib/base/buf.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>

struct counted {
	struct body body;
	int pulls, closes, fail_at;
};

static int counted_next(struct body *b, struct str *ret_chunk)
{
	struct counted *c = container_of(b, struct counted, body);

	if (++c->pulls == c->fail_at)
		return -EIO;
	if (c->pulls > 10)
		return 0;
	*ret_chunk = S("0123456789");
	return 1;
}

static void counted_close(struct body *b)
{
	container_of(b, struct counted, body)->closes++;
}

static struct counted counted(int fail_at)
{
	return (struct counted){ .body = { counted_next, counted_close, -1, NULL },
				 .fail_at = fail_at };
}

waits static void bodies(void)
{
	AUTO(arena) a = arena_new();
	struct counted c = counted(0), broken = counted(3);
	struct buf b = BUF(100);
	struct body *bytes = body_bytes(a, S("abc"));
	struct str chunk;

	int rc = body_read_all(&c.body, &b);
	assert(rc == 0 && b.n == 100);
	c = counted(0);
	rc = body_read_all(&c.body, &b);
	assert(rc == -EFBIG && c.pulls == 1);
	buf_clear(&b);
	rc = body_read_all(&broken.body, &b);
	assert(rc == -EIO && b.n == 20);
	c = counted(0);
	rc = body_drain(&c.body, 100);
	assert(rc == 0);
	c = counted(0);
	rc = body_drain(&c.body, 99);
	assert(rc == -EFBIG);
	body_close(&c.body);
	body_close(&c.body);
	body_close(NULL);
	assert(c.closes == 1);
	buf_done(&b);

	assert(bytes->left == 3);
	rc = body_drain(bytes, 2);      /* known to be too long: not even begun */
	assert(rc == -EFBIG && bytes->left == 3);
	rc = body_next(bytes, &chunk);
	assert(rc == 1 && str_eq(chunk, S("abc")) && bytes->left == 0);
	rc = body_next(bytes, &chunk);
	assert(rc == 0);
	rc = body_next(body_empty(a), &chunk);
	assert(rc == 0);
}

static void test_bodies(void **state)
{
	(void)state;
	run_in_task(bodies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
