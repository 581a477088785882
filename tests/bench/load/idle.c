/* Many connections that say little or nothing: what they cost the server is measured meanwhile. */
#include "tests/bench/load/response.h"
#include "tests/bench/load/workload.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	AT_ONCE = 200,           /* connections that are being opened or asked at a time */
	EVENTS = 256,
	READ_SIZE = 16 * KIB,
	FDS_SPARE = 64,
};

enum idle_state { IDLE_NEW, IDLE_CONNECTING, IDLE_ASKED, IDLE_STILL, IDLE_CLOSED };

struct idle {
	int fd;
	enum idle_state state;
};

struct crowd {
	struct load *l;
	struct idle *conns;
	int n, epoll, busy;
	bool mute;
	long answered, refused, closed;
	struct response *res; /* one is enough: an answer comes in one piece or counts as refused */
	char *memory;            /* READ_SIZE bytes */
	char request[1024];
};

static void ignore_body(void *arg, struct str s)
{
	(void)arg;
	(void)s;
}

static void idle_close(struct crowd *w, struct idle *c, long *counter)
{
	if (c->state == IDLE_CONNECTING || c->state == IDLE_ASKED)
		w->busy--;
	(*counter)++;
	close(c->fd);
	c->fd = -1;
	c->state = IDLE_CLOSED;
}

static void idle_ask(struct crowd *w, struct idle *c)
{
	ssize_t n = (ssize_t)strlen(w->request);

	if (c->state != IDLE_CONNECTING)
		w->busy++;
	c->state = IDLE_ASKED;
	if (send(c->fd, w->request, (size_t)n, MSG_NOSIGNAL) != n)
		idle_close(w, c, &w->refused);
}

static void idle_open(struct crowd *w, struct idle *c)
{
	const struct load *l = w->l;
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };

	c->fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	c->state = IDLE_CONNECTING;
	w->busy++;
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("epoll_ctl: %s", strerror(errno));
	if (connect(c->fd, (const struct sockaddr *)&l->addr, l->addr_len) < 0 &&
	    errno != EINPROGRESS)
		idle_close(w, c, &w->refused);
}

static void idle_read(struct crowd *w, struct idle *c)
{
	ssize_t n = recv(c->fd, w->memory, READ_SIZE, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		return idle_close(w, c, c->state == IDLE_STILL ? &w->closed : &w->refused);
	response_init(w->res, false);
	if (c->state != IDLE_ASKED ||
	    response_feed(w->res, str_of(w->memory, (size_t)n), ignore_body, NULL) != 1 ||
	    w->res->status / 100 != 2 || w->res->closes)
		return idle_close(w, c, &w->refused);
	w->answered++;
	w->busy--;
	c->state = IDLE_STILL;
}

static void idle_event(struct crowd *w, struct idle *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	if (c->state == IDLE_CONNECTING && (events & EPOLLOUT) && !(events & EPOLLERR)) {
		if (!w->mute)
			return idle_ask(w, c);
		c->state = IDLE_STILL;
		w->busy--;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		idle_read(w, c);
}

static void crowd_wait(struct crowd *w, int ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(w->epoll, events, EVENTS, ms);

	for (int i = 0; i < n; i++)
		idle_event(w, events[i].data.ptr, events[i].events);
}

/* Brings all connections through one question; gives up after the timeout. */
static void crowd_ask(struct crowd *w, enum idle_state from)
{
	uint64_t end_us = now_us() + (uint64_t)(w->l->timeout_s * 1e6);

	for (int next = 0; (next < w->n || w->busy > 0) && now_us() < end_us;) {
		while (next < w->n && w->busy < AT_ONCE) {
			struct idle *c = &w->conns[next++];

			if (c->state != from)
				continue;
			if (from == IDLE_NEW)
				idle_open(w, c);
			else
				idle_ask(w, c);
		}
		crowd_wait(w, 100);
	}
}

static long crowd_count(const struct crowd *w, enum idle_state state)
{
	long n = 0;

	for (int i = 0; i < w->n; i++)
		n += w->conns[i].state == state;
	return n;
}

static void raise_fd_limit(int n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < (rlim_t)n) {
		r.rlim_cur = MIN((rlim_t)n, r.rlim_max);
		if (setrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < (rlim_t)n)
			die("not allowed to open %d files", n);
	}
}

uint64_t idle_run(struct load *l, bool mute)
{
	struct crowd w = { .l = l,
			   .n = l->conns,
			   .mute = mute,
			   .epoll = epoll_create1(EPOLL_CLOEXEC),
			   .conns = xcalloc((size_t)l->conns, sizeof(struct idle)),
			   .res = xmalloc(sizeof(struct response)),
			   .memory = xmalloc(READ_SIZE) };
	long opened, alive, first;

	raise_fd_limit(l->conns + FDS_SPARE);
	snprintf(w.request, sizeof(w.request), "GET %s HTTP/1.1\r\nHost: %s:%d\r\n\r\n",
		 l->idle_path, l->host, l->port);
	crowd_ask(&w, IDLE_NEW);
	opened = crowd_count(&w, IDLE_STILL);
	first = w.answered;
	/* Whoever measures the server's memory waits for this line. */
	fprintf(stderr, "load: holding %ld connections\n", opened);
	for (uint64_t end_us = now_us() + (uint64_t)(l->seconds * 1e6); now_us() < end_us;)
		crowd_wait(&w, 100);
	alive = crowd_count(&w, IDLE_STILL);
	if (!mute)
		crowd_ask(&w, IDLE_STILL);
	long again = w.answered - first;
	long bad = mute ? w.refused : w.refused + w.closed + (alive - again);

	printf("{\"label\":\"%s\",\"workload\":\"%s\",\"conns\":%d,\"opened\":%ld,\"answered\":%ld,"
	       "\"closed_by_server\":%ld,\"alive\":%ld,\"answered_again\":%ld,\"errors\":%ld}\n",
	       l->label, mute ? "mute" : "idle", w.n, opened, first, w.closed, alive, again, bad);
	fflush(stdout);
	for (int i = 0; i < w.n; i++)
		if (w.conns[i].fd > 0)
			close(w.conns[i].fd);
	close(w.epoll);
	free(w.conns);
	free(w.res);
	free(w.memory);
	return (uint64_t)bad;
}
