/* Metadata headers as compact bytes: well-known names become one byte, hex values half. */
#pragma once
#include "lib/base/buf.h"
#include "lib/http/headers.h"

/* Adds the encoding of all headers to to. */
void meta_encode(const struct headers *h, struct buf *to);
/* Appends the headers to ret (views into the bytes where nothing had to be unpacked, which must
 * outlive it): 0 or -EBADMSG. */
must_check int meta_decode(struct str bytes, struct headers *ret);
