/* What the services' HTTP APIs share: routes, who asks, JSON in and out, errors in the service's
 * own shape. A service is a struct api with a table of routes; docs/compute.md. */
#pragma once
#include "compute/compute.h"
#include "compute/identity/identity.h"
#include "lib/http/server.h"
#include "lib/json/json_text.h"

enum { API_ARGS_MAX = 6, API_QUERY_MAX = 256, API_CALL_MAGIC = 0x61706963 };

struct api_pair {
	struct str key, value;          /* decoded */
};

/* One request. */
struct api_call {
	unsigned magic;
	struct compute *compute;
	const struct api *api;
	void *state;                    /* of the service: what its start made */
	struct request *req;
	struct response *res;
	struct arena *arena;            /* the request's */
	struct caller *caller;          /* NULL only on open routes */
	struct str arg[API_ARGS_MAX];   /* what the route's {…} stand for, decoded, never empty */
	unsigned args;
	const struct api_pair *query;   /* in order, keys may repeat */
	unsigned queries;
	unsigned version;               /* for the service's own use: a microversion */
};

enum api_flags {
	API_OPEN = 1,                   /* no token is asked for */
	API_MEMBER = 2,                 /* changes something: readers get 403 */
	API_ADMIN = 4,                  /* others get 403 */
};

struct api_route {
	enum http_method method;
	const char *path;               /* "/v2/images/{id}/tags/{tag}" */
	void (*handle)(struct api_call *c);     /* answers. (It may wait.) */
	unsigned flags;
};

struct api {
	const char *name;               /* of the service, in logs and metrics */
	const struct api_route *routes; /* ended by a path of NULL; the first that fits */
	/* Fills the response with the service's error document. */
	void (*error)(struct api_call *c, int status, struct str text);
	/* Before the route's handler, after the token: false when it has answered. May be NULL. */
	bool (*before)(struct api_call *c);
	/* When everything is answered, errors too: adds headers. May be NULL. */
	void (*after)(struct api_call *c);
};

/* Runs one request through the routes: /healthcheck and /metrics are answered here; 404, 405 with
 * Allow, 401, 403 by the table. Sets X-Openstack-Request-Id. */
waits void api_handle(const struct api *api, struct compute *compute, void *state,
		      struct request *req, struct response *res);

/* ---- answers ---- */

/* Takes the reference. */
void api_respond(struct api_call *c, int status, json_t *doc);
/* No body: 204, or 202 and the like. */
void api_respond_empty(struct api_call *c, int status);
/* The service's error document. */
void api_error(struct api_call *c, int status, const char *fmt, ...) printf_like(3, 4);
/* For a negative error of store or identity: 503, 413 (-EFBIG, -EDQUOT), 507, 409 (-ESTALE),
 * 404 (-ENOENT), 499-like nothing for -ECANCELED. */
void api_fail(struct api_call *c, int error);
/* 300, 200 of version documents: the URL of a path as the client sees this service. */
struct str api_url(const struct api_call *c, const char *path);

/* ---- what came ---- */

/* The body as JSON (new reference); or NULL and answered: 400 not JSON, 413 beyond max bytes, 408
 * and the like when it broke off. */
waits json_t *api_body(struct api_call *c, size_t max);
/* The value of a query parameter, the last one; absent when it is not there. */
struct str api_query(const struct api_call *c, const char *key);
/* A number parameter: 0, 1 when it is absent (ret is unchanged), or -EINVAL. */
must_check int api_query_u64(const struct api_call *c, const char *key, uint64_t *ret);

/* ---- small things that all services need ---- */

enum { UUID_SIZE = 37 };
/* A random UUID (version 4) as text with its NUL. */
void uuid_make(char text[UUID_SIZE]);
/* Whether it is a UUID in the usual form, lower or upper case. */
bool uuid_valid(struct str s);
/* "2026-11-22T09:19:12Z" of microseconds since 1970, as a JSON string. */
json_t *api_time(int64_t us);

/* ---- the server ---- */

struct api_server;
/* Opens the port of a service and answers on it. Does not wait. */
must_check int api_server_start(const struct api *api, struct compute *compute, void *state,
				const struct daemon_address *at, struct api_server **ret,
				struct fault *why);
waits void api_server_stop(struct api_server *s, uint64_t grace_ms);
/* How the running server is reached from this host, for tests with port 0. */
unsigned api_server_port(const struct api_server *s);
