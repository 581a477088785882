/* The access log: one line per request in Swift's format, and what /metrics counts per request. */
#pragma once
#include "proxy/proxy.h"

extern const struct conf_section proxy_logging_section;

/* After the response was sent, or failed with error < 0 (the server's done callback). req->user may be
 * NULL: a request that the server refused by itself. */
void proxy_log_request(const struct request *req, const struct response *res, int error, uint64_t bytes_in);
