/* Deletes objects whose X-Delete-At has passed: a tombstone of that very time, so that all devices
 * place the same one without asking each other, and a row for the container. */
#pragma once
#include "objectd/objectd.h"

struct expirer *expirer_new(struct objectd *o);
void expirer_free(struct expirer *e);
void expirer_start(struct expirer *e);

struct expirer_stats {
	uint64_t expired, expired_last_pass, pass_ms;
};
void expirer_stats(const struct expirer *e, struct expirer_stats *ret);
