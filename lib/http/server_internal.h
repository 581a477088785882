/* What server.c and server_send.c share: one request with its response. */
#pragma once
#include "lib/http/internal.h"
#include "lib/http/server.h"

struct http_exchange {
	struct conn *conn;
	const struct http_limits *limits;
	struct request req;
	struct response res;
	struct incoming in;
	bool keep_alive;                /* after this response */
};

/* Sends head and body: 0, or why the client did not get all of it. */
waits must_check int http_send_response(struct http_exchange *x);
