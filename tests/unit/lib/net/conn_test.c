/* Connections and listeners: filling and consuming, back-pressure, idle events, ends and resets. */
#include "lib/net/conn.h"
#include "lib/base/clock.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>

/* A pair of connections: a connected to b through a listener. */
static struct {
	struct listener *listener;
	struct conn *a, *b;
	struct task *self;
} P;

static void on_conn(void *arg, struct conn *c)
{
	(void)arg;
	P.b = c;
	task_wake(P.self);
}

waits static void pair_on(const char *ip)
{
	struct listener_options o = { .ip = ip, .on_conn = on_conn };
	struct fault why;
	int rc = listener_start(&o, &P.listener, &why);

	assert(rc == 0);
	P.self = task_self();
	P.b = NULL;
	rc = conn_open(strcmp(ip, "::") ? ip : "127.0.0.1", listener_port(P.listener), 1000, &P.a);
	assert(rc == 0);
	while (!P.b) {
		rc = task_wait("b", 1000);
		assert(rc == 0);
	}
}

waits static void pair_end(void)
{
	conn_close(P.a);
	conn_close(P.b);
	listener_stop(P.listener);
}

waits static void fill_and_consume(void)
{
	char p[4];

	pair_on("127.0.0.1");
	wire_send(P.a, "hello");
	assert(conn_data(P.b).n == 0 && !conn_has_input(P.b));
	int rc = conn_fill(P.b, 1000);
	assert(rc == 1 && str_eq(conn_data(P.b), S("hello")));
	conn_consume(P.b, 2);
	wire_send(P.a, " world");
	rc = conn_fill(P.b, 1000);
	assert(rc == 1 && str_eq(conn_data(P.b), S("llo world")));
	ssize_t n = conn_read(P.b, p, 4, 1000);
	assert(n == 4 && memcmp(p, "llo ", 4) == 0);
	conn_consume(P.b, 5);
	assert(conn_data(P.b).n == 0);
	rc = conn_fill(P.b, 10);
	assert(rc == -ETIMEDOUT);
	n = conn_read(P.b, p, 4, 10);
	assert(n == -ETIMEDOUT);
	rc = conn_shutdown(P.a, 1000);
	assert(rc == 0);
	rc = conn_fill(P.b, 1000);
	assert(rc == 0 && conn_is_dead(P.b));
	/* The other direction is still open. */
	wire_send(P.b, "bye");
	conn_close(TAKE(P.b));
	expect_begins(wire_read_all(P.a), "bye");
	assert(strcmp(conn_peer_ip(P.a), "127.0.0.1") == 0 &&
	       conn_peer_port(P.a) == listener_port(P.listener));
	assert(!conn_is_tls(P.a));
	pair_end();
}

waits static void addresses(void)
{
	struct listener_options o = { .ip = "127.0.0.1", .port = 70000, .on_conn = on_conn };
	struct conn *c;
	struct fault why = { 0 };

	pair_on("::1");
	assert(strcmp(conn_peer_ip(P.b), "::1") == 0);
	pair_end();
	pair_on("::");                  /* IPv4 through an IPv6 socket */
	assert(strcmp(conn_peer_ip(P.b), "127.0.0.1") == 0);
	pair_end();
	int rc = conn_open("127.0.0.1", 1, 1000, &c);
	assert(rc == -ECONNREFUSED);
	rc = conn_open("localhost", 80, 1000, &c);
	assert(rc == -EINVAL);
	rc = conn_open("127.0.0.1", 65536, 1000, &c);
	assert(rc == -EINVAL);
	rc = listener_start(&o, &P.listener, &why);
	assert(rc == -EINVAL);
	expect_holds(why.text, "70000");
}

static char big[16 * MIB];

struct writing {
	size_t n;
	uint64_t timeout_ms;
	int rc;
};

waits static void writer(void *arg)
{
	struct writing *w = arg;

	w->rc = conn_write(P.a, big, w->n, w->timeout_ms);
}

waits static void buffers(void)
{
	struct writing w = { 300 * KIB, 5000, 1 };
	int rc;

	pair_on("127.0.0.1");
	TASK_GROUP(g);
	task_spawn(&g, "writer", writer, &w);
	while ((rc = conn_fill(P.b, 1000)) == 1)
		;
	assert(rc == -ENOBUFS && conn_data(P.b).n == 64 * KIB);
	conn_reserve(P.b, SIZE_MAX);
	while ((rc = conn_fill(P.b, 1000)) == 1)
		;
	assert(rc == -ENOBUFS && conn_data(P.b).n == 256 * KIB);
	conn_consume(P.b, 256 * KIB);
	size_t rest = 0;
	while (rest < 44 * KIB) {
		rc = conn_fill(P.b, 1000);
		assert(rc == 1);
		rest += conn_data(P.b).n;
		conn_consume(P.b, conn_data(P.b).n);
	}
	rc = task_group_join(&g);
	assert(rc == 0 && w.rc == 0 && rest == 44 * KIB);
	pair_end();
}

/* A reader that takes some now and then is not a stalled one. */
waits static void slow_readers(void)
{
	struct writing w = { sizeof big, 100, 1 };
	size_t got = 0;
	uint64_t begin = clock_mono_ms();

	pair_on("127.0.0.1");
	TASK_GROUP(g);
	task_spawn(&g, "writer", writer, &w);
	for (int i = 0; got < sizeof big; i++) {
		int rc = i < 12 ? task_sleep(30) : 0;
		assert(rc == 0);
		for (size_t part = 0; part < 256 * KIB && got < sizeof big;) {
			rc = conn_fill(P.b, 1000);
			assert(rc == 1);
			part += conn_data(P.b).n;
			got += conn_data(P.b).n;
			conn_consume(P.b, conn_data(P.b).n);
		}
	}
	int rc = task_group_join(&g);
	assert(rc == 0 && w.rc == 0 && clock_mono_ms() - begin > 300);
	pair_end();
}

waits static void stalled_readers(void)
{
	struct writing w = { sizeof big, 50, 1 };
	TASK_GROUP(g);

	pair_on("127.0.0.1");
	for (int i = 0; i < 3; i++) {
		task_spawn(&g, "writer", writer, &w);
		int rc = task_group_join(&g);
		assert(rc == 0);
		if (w.rc < 0)
			break;
	}
	assert(w.rc == -ETIMEDOUT && conn_is_dead(P.a));
	int rc = conn_write(P.a, big, 1, 50);
	assert(rc == -ECONNABORTED);
	rc = conn_fill(P.a, 50);
	assert(rc == -ECONNABORTED);
	pair_end();
}

waits static void cancelled_writers(void)
{
	for (int turns = 0; turns < 10; turns++) {
		struct writing w = { sizeof big, 5000, 1 };
		TASK_GROUP(g);

		pair_on("127.0.0.1");
		struct task *t = task_spawn(&g, "writer", writer, &w);

		for (int i = 0; i < turns; i++)
			task_yield();
		task_cancel(t);
		int rc = task_group_join(&g);
		assert(rc == 0 && w.rc == -ECANCELED);
		pair_end();
	}
}

static struct {
	int events;
	bool timed_out, dead;
	size_t bytes;
	struct task *waiter;
} I;

static void on_event(void *arg, struct conn *c, bool timed_out)
{
	assert(arg == &I && !task_self());
	I.events++;
	I.timed_out = timed_out;
	I.dead = conn_is_dead(c);
	I.bytes = conn_data(c).n;
	task_wake(I.waiter);
}

waits static void await_event(void)
{
	I.waiter = task_self();
	I.events = 0;
	while (I.events == 0) {
		int rc = task_wait("event", 2000);
		assert(rc == 0);
	}
}

waits static void idle(void)
{
	pair_on("127.0.0.1");
	conn_idle(P.b, 0, on_event, &I);
	wire_send(P.a, "x");
	await_event();
	assert(!I.timed_out && !I.dead && I.bytes == 1);
	/* Bytes that are there already count as well. */
	conn_idle(P.b, 0, on_event, &I);
	await_event();
	assert(I.bytes == 1);
	conn_consume(P.b, 1);
	uint64_t begin = clock_mono_ms();
	conn_idle(P.b, 30, on_event, &I);
	await_event();
	uint64_t ms = clock_mono_ms() - begin;
	assert(I.timed_out && ms >= 28 && ms < 1000);
	/* A later, shorter limit is kept although the timer runs for the longer one; none after
	 * unidle. */
	conn_idle(P.b, 60000, on_event, &I);
	conn_unidle(P.b);
	begin = clock_mono_ms();
	conn_idle(P.b, 30, on_event, &I);
	await_event();
	assert(I.timed_out && clock_mono_ms() - begin < 1000);
	conn_idle(P.b, 10, on_event, &I);
	conn_unidle(P.b);
	I.events = 0;
	int rc = task_sleep(30);
	assert(rc == 0 && I.events == 0);
	conn_idle(P.b, 0, on_event, &I);
	conn_close(TAKE(P.a));
	await_event();
	assert(!I.timed_out && I.dead && I.bytes == 0);
	conn_idle(P.b, 0, on_event, &I);        /* the end is not forgotten */
	await_event();
	assert(I.dead);
	pair_end();
}

waits static void watched(void *arg)
{
	*(int *)arg = task_sleep(5000);
}

waits static void resets(void)
{
	int slept = 1;
	TASK_GROUP(g);

	pair_on("127.0.0.1");
	int rc = conn_fill(P.b, 1);     /* reading is on from here */
	assert(rc == -ETIMEDOUT);
	conn_watch(P.b, task_spawn(&g, "watched", watched, &slept));
	/* Half a close does not count. */
	rc = task_sleep(10);
	assert(rc == 0 && slept == 1);
	conn_reset(P.a);
	rc = task_group_join(&g);
	assert(rc == 0 && slept == -ECANCELED && conn_is_dead(P.b));
	rc = conn_fill(P.b, 100);
	assert(rc == -ECONNRESET);
	conn_watch(P.b, NULL);
	pair_end();
}

/* Whoever closes a connection in a callback or with a write behind it frees everything (the loop
 * and the sanitizers would notice). */
waits static void closing(void)
{
	pair_on("127.0.0.1");
	conn_close_later(TAKE(P.a));
	conn_idle(P.b, 1000, on_event, &I);
	conn_close_later(TAKE(P.b));
	conn_close(NULL);
	conn_close_later(NULL);
	listener_stop(P.listener);
	listener_stop(NULL);
}

#define IN_TASK(name) static void test_##name(void **state) { (void)state; run_in_task(name); }
#define TESTS(X)                                                                               \
	X(fill_and_consume) X(addresses) X(buffers) X(slow_readers) X(stalled_readers)           \
	X(cancelled_writers) X(idle) X(resets) X(closing)
TESTS(IN_TASK)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
	const struct CMUnitTest tests[] = { TESTS(ENTRY) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
