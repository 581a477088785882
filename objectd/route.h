/* Decides which handler answers a request.
 *
 *	/device/partition/account                  account server
 *	/device/partition/account/container        container server, or a row of the account
 *	/device/partition/account/container/object object server, or a row of the container
 *	/device/partition/.needletail/…            objectds among themselves
 *	/healthcheck /metrics /recon/…             operators
 *
 * Swift runs its three servers on ports of their own; here they share one. Where two of them know
 *the same path, these tell them apart: PUT with X-Size                            a row (only rows
 *carry their size in a header) DELETE with User-Agent "object-server …" or "object-updater …", or
 *whose partition is the container's and not the object's           a row PUT with X-Put-Timestamp
 *or X-Delete-Timestamp on a container's path: a row of the account */
#pragma once
#include "objectd/objectd.h"

/* An http_server's handle; arg is the struct objectd. */
void route_handle(void *arg, struct request *req, struct response *res);
/* An http_server's done: metrics, and the log of requests. */
void route_done(void *arg, struct request *req, struct response *res, int error, uint64_t bytes_in);

/* ---- for tests ---- */
bool route_is_container_row(const struct objectd *o, const struct request *req,
			    const struct backend_path *p);
bool route_is_account_row(const struct request *req);
