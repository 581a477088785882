/* What operators and swift-recon ask: /healthcheck, /metrics, /recon/… Swift:
 * common/middleware/recon.py */
#pragma once
#include "objectd/objectd.h"

/* Answers and returns true when the path is one of those. */
waits bool recon_handle(struct objectd *o, struct request *req, struct response *res);
/* Registers gauges of the store and the server that are read when /metrics is. */
void recon_start(struct objectd *o);
