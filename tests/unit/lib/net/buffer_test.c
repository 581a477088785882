/* Pooled read buffers. */
#include "lib/net/internal.h"

#include <setjmp.h>
#include <cmocka.h>

static void take_and_give(void **state)
{
	struct inbuf a = { 0 }, b = { 0 };

	(void)state;
	inbuf_give(&a);                 /* nothing to give */
	inbuf_take(&a, 1);
	assert_int_equal(a.cap, PAGES_SMALL);
	inbuf_give(&a);
	inbuf_take(&a, BUFFER_SIZE);
	assert_int_equal(a.cap, BUFFER_SIZE);
	char *p = a.p;
	inbuf_give(&a);
	assert_null(a.p);
	inbuf_take(&b, BUFFER_SIZE);    /* the last one given is the next one taken */
	assert_ptr_equal(b.p, p);
	inbuf_give(&b);
	inbuf_take(&b, BUFFER_SIZE + 1);
	assert_int_equal(b.cap, BUFFER_SIZE_BIG);
	memset(b.p, 1, b.cap);
	inbuf_give(&b);
}

static void contents(void **state)
{
	struct inbuf b = { 0 };

	(void)state;
	inbuf_take(&b, 1);
	memcpy(b.p, "hello", 5);
	b.end = 5;
	inbuf_consume(&b, 2);
	assert_true(str_eq(inbuf_str(&b), S("llo")));
	inbuf_compact(&b);
	assert_int_equal(b.start, 0);
	assert_true(str_eq(inbuf_str(&b), S("llo")));
	inbuf_consume(&b, 1);
	inbuf_grow(&b, b.cap + 1);
	assert_int_equal(b.cap, PAGES_MIDDLE);
	inbuf_grow(&b, BUFFER_SIZE_BIG);
	assert_int_equal(b.cap, BUFFER_SIZE_BIG);
	assert_true(str_eq(inbuf_str(&b), S("lo")));
	inbuf_grow(&b, 1);              /* never shrinks */
	assert_int_equal(b.cap, BUFFER_SIZE_BIG);
	inbuf_consume(&b, 2);           /* the last byte gives it back */
	assert_null(b.p);
	assert_int_equal(inbuf_str(&b).n, 0);
}

/* More than the pool keeps, and than the budget has: the later ones are small. */
static void many(void **state)
{
	enum { N = 200 };
	static struct inbuf b[N];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			inbuf_take(&b[i], i % 4 ? BUFFER_SIZE : BUFFER_SIZE_BIG);
			b[i].p[0] = (char)i;
			b[i].p[b[i].cap - 1] = (char)i;
		}
		assert_int_equal(b[0].cap, BUFFER_SIZE_BIG);
		assert_int_equal(b[N - 1].cap, PAGES_SMALL);
		for (int i = 0; i < N; i++) {
			assert_int_equal(b[i].p[0], (char)i);
			inbuf_give(&b[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_and_give),
		cmocka_unit_test(contents),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
