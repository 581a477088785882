/* Listening sockets. */
#include "lib/net/internal.h"

#include <sys/socket.h>

enum { LISTENER_MAGIC = 0x6c697374 };

struct listener {
	unsigned magic;
	bool closed;
	struct listener_options o;
	struct task *stopper;
	uv_tcp_t tcp;
};

static void on_incoming(uv_stream_t *s, int status)
{
	struct listener *l = s->data;

	assert(l->magic == LISTENER_MAGIC);
	if (status < 0)
		return;
	struct conn *c = conn_new();

	if (uv_accept(s, (uv_stream_t *)&c->tcp) < 0) {
		conn_close_later(c);
		return;
	}
	conn_connected(c);
	if (l->o.tls)
		tls_accept(c, l->o.tls);
	l->o.on_conn(l->o.arg, c);
}

static void on_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	assert(l->magic == LISTENER_MAGIC);
	if (!l->stopper) {
		free(l);
		return;
	}
	l->closed = true;
	task_wake(l->stopper);
}

static int set_reuse_port(struct listener *l)
{
	uv_os_fd_t fd;
	int one = 1, rc = uv_fileno((uv_handle_t *)&l->tcp, &fd);

	if (rc < 0)
		return rc;
	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0 ? -errno : 0;
}

static int bind_and_listen(struct listener *l, const struct sockaddr *a)
{
	int rc = l->o.reuse_port ? set_reuse_port(l) : 0;

	if (rc == 0)
		rc = uv_tcp_bind(&l->tcp, a, 0);
	return rc < 0 ? rc : uv_listen((uv_stream_t *)&l->tcp, l->o.backlog, on_incoming);
}

int listener_start(const struct listener_options *o, struct listener **ret, struct fault *why)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;

	if (o->port > 65535 || (uv_ip4_addr(o->ip, (int)o->port, &a.v4) &&
				uv_ip6_addr(o->ip, (int)o->port, &a.v6)))
		return fault_set(why, -EINVAL,
				 "%s port %u is not an IP address and port to listen on", o->ip,
				 o->port);
	struct listener *l = xcalloc(1, sizeof *l);

	l->magic = LISTENER_MAGIC;
	l->o = *o;
	l->o.ip = NULL;                 /* not ours to keep */
	if (l->o.backlog <= 0)
		l->o.backlog = 1024;
	int rc = uv_tcp_init_ex(tasks_loop(), &l->tcp, a.any.sa_family);
	if (rc < 0) {
		free(l);
		return fault_set(why, rc, "cannot make a socket: %s", uv_strerror(rc));
	}
	l->tcp.data = l;
	rc = bind_and_listen(l, &a.any);
	if (rc < 0) {
		uv_close((uv_handle_t *)&l->tcp, on_closed);
		return fault_set(why, rc, "cannot listen on %s port %u: %s", o->ip, o->port,
				 rc == -EADDRINUSE ? "another program uses that port"
						   : uv_strerror(rc));
	}
	*ret = l;
	return 0;
}

unsigned listener_port(const struct listener *l)
{
	struct sockaddr_storage a = { 0 };
	int n = sizeof a;

	if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&a, &n) < 0)
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port :
					       ((struct sockaddr_in *)&a)->sin_port);
}

void listener_stop(struct listener *l)
{
	if (!l)
		return;
	l->stopper = task_self();
	uv_close((uv_handle_t *)&l->tcp, on_closed);
	while (!l->closed)
		task_wait_masked("close of a listener");
	free(l);
}
