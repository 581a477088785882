/* A body that may bring only so many bytes: quotas hold for chunked uploads too. */
#pragma once
#include "lib/http/body.h"

/* Wraps b (not NULL): next returns -EFBIG as soon as more than max bytes came. */
struct body *body_limited(struct arena *a, struct body *b, uint64_t max);
