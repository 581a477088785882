/* The workers' common part of the info caches. */
#pragma once
#include "proxy/proxy.h"

/* Once, before the workers are forked: a table that tells all of them when what they remember of an
 * account or container is out of date. Aborts when there is no memory. */
void infos_share(void);
/* Makes and frees a worker's caches. */
void infos_start(struct proxy *p);
void infos_stop(struct proxy *p);
/* Lets go of the infos a request has used. */
void infos_release(struct proxy_request *root);
