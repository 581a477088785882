/* Asks the system's resolver for the address of a host, off the loop. */
#include "lib/net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { NAME_MAX_ = 253 };

struct question {
	char name[NAME_MAX_ + 1];
	char ip[NET_IP_SIZE];
	int rc;
};

static void ask(void *arg)
{
	struct question *q = arg;
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found;
	int rc = getaddrinfo(q->name, NULL, &hints, &found);

	if (rc != 0) {
		q->rc = rc == EAI_NONAME ? -ENOENT : -EAGAIN;
		return;
	}
	q->rc = getnameinfo(found->ai_addr, found->ai_addrlen, q->ip, sizeof q->ip, NULL, 0,
			    NI_NUMERICHOST) == 0 ? 0 : -EAGAIN;
	freeaddrinfo(found);
}

static bool is_numeric(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

int net_resolve(struct str host, char ret_ip[NET_IP_SIZE])
{
	struct question q = { .rc = 0 };

	if (str_starts(host, S("[")) && str_ends(host, S("]")))
		host = str_head(str_skip(host, 1), host.n - 2);
	if (host.n == 0 || host.n > NAME_MAX_ || memchr(host.p, 0, host.n))
		return -EINVAL;
	memcpy(q.name, host.p, host.n);
	if (host.n < sizeof q.ip && is_numeric(q.name)) {
		memcpy(q.ip, q.name, host.n + 1);
	} else {
		task_run_blocking("resolver", ask, &q);
		if (q.rc < 0)
			return q.rc;
	}
	memcpy(ret_ip, q.ip, sizeof q.ip);
	return 0;
}
