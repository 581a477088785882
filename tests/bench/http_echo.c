/* Cost of lib/http's server per request: one process answers a fixed body (and takes what is PUT),
 * a forked client keeps N connections busy. Usage: http_echo [connections [seconds [body bytes
 * [port]]]]; with SERVE=1 in the environment only the server runs, for another client or for
 * strace; with CLIENT=1 only the client, for another server. */
#include "lib/http/server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"

static struct {
	unsigned conns, port;
	double seconds;
	struct str body;
	struct http_server *server;
} B;

waits static void handle(void *arg, struct request *req, struct response *res)
{
	(void)arg;
	if (body_drain(req->body, UINT64_MAX) < 0)
		respond_status(res, 499);
	else
		respond(res, 200, S("application/octet-stream"), B.body);
}

/* ---- the client: plain epoll, requests as small as they get ---- */

static const char request[] = "GET /v1/AUTH_test/container/object HTTP/1.1\r\nHost: localhost\r\n"
			      "X-Auth-Token: AUTH_tk0123456789abcdef0123456789abcdef\r\n"
			      "User-Agent: bench\r\nAccept: */*\r\n\r\n";

static void send_request(int fd)
{
	if (write(fd, request, sizeof request - 1) != sizeof request - 1)
		exit(1);
}

static int client_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)B.port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		usleep(1000);
	return fd;
}

/* Bytes of a response, learned from the first one. */
static size_t response_size(char *buf, size_t size)
{
	int fd = client_connect();
	size_t n = 0;
	char *end;

	send_request(fd);
	for (;;) {
		ssize_t got = read(fd, buf + n, size - 1 - n);

		if (got <= 0)
			exit(1);
		n += (size_t)got;
		buf[n] = 0;
		end = strstr(buf, "\r\n\r\n");
		if (end && n == (size_t)(end - buf) + 4 + B.body.n)
			break;
	}
	close(fd);
	return n;
}

static long client(void)
{
	size_t size = B.body.n + 4096;
	char *buf = xmalloc(size);
	size_t want = response_size(buf, size), *got = xcalloc(B.conns + 64, sizeof *got);
	int ep = epoll_create1(0);
	struct epoll_event ev[64];
	long done = 0;

	for (unsigned i = 0; i < B.conns; i++) {
		int fd = client_connect();
		struct epoll_event e = { .events = EPOLLIN,
					 .data.u64 = (uint64_t)i << 32 | (unsigned)fd };

		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
		send_request(fd);
	}
	uint64_t end = clock_mono_ms() + (uint64_t)(B.seconds * 1000);

	while (clock_mono_ms() < end) {
		int n = epoll_wait(ep, ev, 64, 100);

		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)ev[i].data.u64;
			unsigned k = (unsigned)(ev[i].data.u64 >> 32);
			ssize_t r = read(fd, buf, size);

			if (r <= 0)
				exit(1);
			got[k] += (size_t)r;
			if (got[k] < want)
				continue;
			got[k] = 0;
			done++;
			send_request(fd);
		}
	}
	return done;
}

/* ---- the server ---- */

static void on_child(uv_signal_t *s, int signum)
{
	(void)signum;
	uv_stop(s->loop);
}

static void serve(void)
{
	struct http_server_options o = {
		.ip = "127.0.0.1", .port = B.port, .limits = http_limits_default, .handle = handle
	};
	struct fault why;

	if (http_server_start(&o, &B.server, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		exit(1);
	}
	uv_run(tasks_loop(), UV_RUN_DEFAULT);
}

static void report(long done)
{
	struct rusage ru;
	char name[64];
	long rss = 0, size;

	getrusage(RUSAGE_SELF, &ru);
	double user = (double)ru.ru_utime.tv_sec * 1e6 + (double)ru.ru_utime.tv_usec;
	double sys = (double)ru.ru_stime.tv_sec * 1e6 + (double)ru.ru_stime.tv_usec;
	snprintf(name, sizeof name, "/proc/%d/statm", getpid());
	FILE *f = fopen(name, "r");
	if (f && fscanf(f, "%ld %ld", &size, &rss) != 2)
		rss = 0;
	if (f)
		fclose(f);
	printf("%u connections, %zu bytes: %.0f requests/s, CPU per request %.2f us (user %.2f, "
	       "system %.2f), "
	       "memory %ld KiB\n",
	       B.conns, B.body.n, (double)done / B.seconds, (user + sys) / (double)done,
	       user / (double)done, sys / (double)done, rss * sysconf(_SC_PAGESIZE) / 1024);
}

static unsigned argument(int argc, char **argv, int i, unsigned otherwise)
{
	uint64_t v = otherwise;

	if (argc > i && str_to_u64(str_from(argv[i]), &v) < 0) {
		fprintf(stderr, "%s is not a number\n", argv[i]);
		exit(2);
	}
	return (unsigned)v;
}

int main(int argc, char **argv)
{
	int p[2];
	long done = 0;
	uv_signal_t sig;

	B.conns = argument(argc, argv, 1, 64);
	B.seconds = argument(argc, argv, 2, 3);
	B.body.n = argument(argc, argv, 3, 4096);
	B.port = argument(argc, argv, 4, 18190);
	B.body.p = xcalloc(1, B.body.n + 1);
	signal(SIGPIPE, SIG_IGN);
	tasks_start(uv_default_loop());
	if (getenv("SERVE")) {
		serve();
		return 0;
	}
	if (getenv("CLIENT")) {
		printf("%ld requests\n", client());
		return 0;
	}
	if (pipe(p) < 0)
		return 1;
	pid_t child = fork();
	if (child == 0) {
		done = client();
		_exit(write(p[1], &done, sizeof done) != sizeof done);
	}
	uv_signal_init(tasks_loop(), &sig);
	uv_signal_start(&sig, on_child, SIGCHLD);
	serve();
	waitpid(child, NULL, 0);
	close(p[1]);
	if (read(p[0], &done, sizeof done) != sizeof done) {
		fprintf(stderr, "the client failed\n");
		return 1;
	}
	report(done);
	return 0;
}
