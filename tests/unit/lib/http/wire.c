/* Sending and reading bytes over sockets in tests. */
#include "tests/unit/lib/http/wire.h"

#include <signal.h>

enum { TEXT_MAX = 4 * MIB, WAIT_MS = 10000 };

static void (*test_fn)(void);

static void test_task(void *arg)
{
	(void)arg;
	test_fn();
}

void run_in_task(void (*fn)(void))
{
	uv_loop_t loop;

	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&loop);
	tasks_start(&loop);
	test_fn = fn;
	task_spawn(NULL, "test", test_task, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert(tasks_live() == 0);
	tasks_stop();
	int rc = uv_loop_close(&loop);
	assert(rc == 0);
}

struct conn *wire_open(unsigned port)
{
	struct conn *c = NULL;
	int rc = conn_open("127.0.0.1", port, WAIT_MS, &c);

	assert(rc == 0);
	return c;
}

void wire_send(struct conn *c, const char *text)
{
	int rc = conn_write(c, text, strlen(text), WAIT_MS);

	if (rc < 0)
		fprintf(stderr, "sending: %s\n", strerror(-rc));
}

static char text[TEXT_MAX];

const char *wire_read_all(struct conn *c)
{
	size_t n = 0;
	ssize_t got;

	while ((got = conn_read(c, text + n, sizeof text - 1 - n, WAIT_MS)) > 0)
		n += (size_t)got;
	assert(got == 0 || got == -ECONNRESET);
	text[n] = 0;
	return text;
}

waits static struct str wait_for(struct conn *c, size_t n)
{
	while (conn_data(c).n < n) {
		int rc = conn_fill(c, WAIT_MS);

		if (rc <= 0)
			fprintf(stderr, "the peer stopped (%d) behind: %.*s\n", rc,
				STR(conn_data(c)));
		assert(rc > 0);
	}
	return conn_data(c);
}

/* Moves n bytes from the connection behind what is in text. */
waits static size_t move(struct conn *c, size_t at, size_t n)
{
	while (n > 0) {
		struct str s = str_head(wait_for(c, 1), n);

		assert(at + s.n < sizeof text);
		memcpy(text + at, s.p, s.n);
		conn_consume(c, s.n);
		at += s.n;
		n -= s.n;
	}
	text[at] = 0;
	return at;
}

waits static size_t move_line(struct conn *c, size_t at)
{
	ssize_t nl;

	for (size_t need = 1; (nl = str_chr(wait_for(c, need), '\n')) < 0;)
		need = conn_data(c).n + 1;
	return move(c, at, (size_t)nl + 1);
}

waits static size_t move_chunks(struct conn *c, size_t at)
{
	for (;;) {
		size_t line = at;

		move_line(c, line);
		unsigned size = 0;
		int n = sscanf(text + line, "%x", &size);
		assert(n == 1);
		if (size == 0)
			break;
		at = move(c, line, size);
		move(c, at, 2);
	}
	/* Trailers stay visible. */
	for (;;) {
		size_t end = move_line(c, at);
		bool last = end - at == 2;

		at = end;
		if (last)
			return at;
	}
}

const char *wire_read_response(struct conn *c, bool head_request)
{
	size_t n = 0, line;
	uint64_t length = 0;
	bool chunked = false;

	do {
		line = n;
		n = move_line(c, n);
		struct str s = str_trim(str_of(text + line, n - line));

		if (str_istarts(s, S("content-length: "))) {
			int rc = str_to_u64(str_skip(s, 16), &length);
			assert(rc == 0);
		}
		chunked |= str_ieq(s, S("transfer-encoding: chunked"));
	} while (n - line > 2);
	if (!head_request)
		n = chunked ? move_chunks(c, n) : move(c, n, length);
	text[n] = 0;
	return text;
}

const char *wire_talk(unsigned port, const char *request)
{
	AUTO(conn) c = wire_open(port);

	wire_send(c, request);
	return wire_read_all(c);
}

static void expect(bool good, const char *got, const char *how, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "expected that this %s %s:\n%s\n", how, what, got);
	abort();
}

void expect_begins(const char *got, const char *with)
{
	expect(strncmp(got, with, strlen(with)) == 0, got, "begins with", with);
}

void expect_holds(const char *got, const char *what)
{
	expect(strstr(got, what) != NULL, got, "holds", what);
}

void expect_lacks(const char *got, const char *what)
{
	expect(strstr(got, what) == NULL, got, "lacks", what);
}
