/* Names of hosts to addresses, as the system resolves them. */
#pragma once
#include "lib/task/task.h"

enum { NET_IP_SIZE = 64 };

/* The first address of a host as text: of a numeric one (in brackets or not) that one, at once;
 * of a name what getaddrinfo says, in the pool. 0; -EINVAL for what is no name, -ENOENT when there
 * is no such host, -EAGAIN when nobody could say. */
waits must_check int net_resolve(struct str host, char ret_ip[NET_IP_SIZE]);
