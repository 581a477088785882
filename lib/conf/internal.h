/* What the files of lib/conf share. */
#pragma once
#include "lib/base/arena.h"
#include "lib/conf/conf.h"

/* Reads one value into the field of the struct at `into`: 0, or -EINVAL with the reason (without
 * file and line). Texts go to the arena. */
int conf_value_set(struct arena *a, const struct conf_option *o, struct str value, void *into,
		   struct fault *why);
/* The value of an option that is absent and has no default. */
void conf_value_none(const struct conf_option *o, void *into);
/* "64 KiB to 5 GiB" and the like, for the reference and for reasons. */
void conf_value_range(const struct conf_option *o, struct buf *to);
