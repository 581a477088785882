/* ETags as container rows keep them: with parameters behind them that listings show as keys of
 * their own ("<md5>; slo_etag=<hex>; symlink_target=…"). Swift: handle_container_listing in
 * common/middleware/slo.py */
#pragma once
#include "lib/base/base.h"

enum { LISTED_ETAG_MAX = 512 };

/* Takes the parameter with this name out: its value, or absent. *text becomes the rest, in room
 * when it had to be joined (each call needs its own); one that is longer than that stays as it is.
 */
struct str listed_etag_take(struct str *text, struct str name, char room[LISTED_ETAG_MAX]);
