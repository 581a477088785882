/* The contents of a store's index as bytes, to compare before and after. */
#pragma once
#include "lib/base/buf.h"
#include "objectd/store/store.h"

/* All rows but the store's own counters (and, without places, the objects' entries, which hold
 * places). */
static inline void dump_some(struct store *s, struct buf *to, bool objects)
{
	struct kv_iter *it = kv_iter_new(store_kv(s));

	for (kv_iter_seek(it, S("")); kv_iter_valid(it); kv_iter_next(it)) {
		struct str k = kv_iter_key(it), v = kv_iter_value(it);

		if (str_eq(k, S("vs")) || str_eq(k, S("vc")) || str_starts(k, S("vV")) ||
		    (k.p[0] == 'o' && !objects))
			continue;
		buf_addf(to, "%zu ", k.n);
		buf_add_str(to, k);
		buf_addf(to, " %zu ", v.n);
		buf_add_str(to, v);
		buf_add_char(to, '\n');
	}
	kv_iter_free(it);
}

static inline void dump_rows(struct store *s, struct buf *to) { dump_some(s, to, false); }
static inline void dump_all(struct store *s, struct buf *to) { dump_some(s, to, true); }
