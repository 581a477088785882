/* JSON patches of images, in the two dialects of Glance: v2.1 is RFC 6902's add, replace and
 * remove, v2.0 an older draft of it ({"replace": "/name", "value": …}). */
#pragma once
#include "lib/base/fault.h"
#include "lib/json/json_text.h"

enum patch_op { PATCH_ADD, PATCH_REPLACE, PATCH_REMOVE };
enum patch_dialect { PATCH_V20, PATCH_V21 };
enum { PATCH_STEPS_MAX = 1000 };

struct patch_step {
	enum patch_op op;
	struct str name;                /* the one part of the path, unescaped */
	json_t *value;                  /* the patch's; NULL for remove */
};

/* The dialect of a Content-Type: 0, or -EINVAL for any other. */
must_check int patch_dialect_parse(struct str content_type, enum patch_dialect *ret);
/* Reads the steps into the arena; their values belong to doc. 0, or -EINVAL with the reason. */
must_check int patch_parse(struct arena *a, const json_t *doc, enum patch_dialect dialect,
			   struct patch_step **ret, size_t *ret_n, struct fault *why);
