/* Text forms of bytes: hex, base64, percent-encoding, JSON and XML escapes. Output goes to a struct
 * buf (whose limit is the caller's) or to an array. */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/buf.h"

/* Lower-case hex of n bytes: writes 2n characters and a NUL. */
void hex_encode(const void *bytes, size_t n, char *text);
/* Decodes exactly 2n hex digits of either case into n bytes. 0 or -EINVAL. */
int hex_decode(struct str s, void *bytes, size_t n);

/* base64 with padding (standard alphabet). */
void base64_encode(struct buf *to, const void *bytes, size_t n);
/* Standard and URL-safe alphabets, padding optional, no blanks. 0, or -EINVAL (to is unchanged). */
int base64_decode(struct buf *to, struct str s);

/* Python's urllib.quote: letters, digits and "_.-~" stand, and the bytes in safe ("/" by
 * default). */
void percent_encode(struct buf *to, struct str s, struct str safe);
/* %xx to bytes; bad escapes are taken literally (as Python's unquote). Returns s itself when there
 * is nothing to decode. */
struct str percent_decode(struct arena *a, struct str s);
/* The same for form data and query values: '+' is a space. */
struct str query_decode(struct arena *a, struct str s);

/* The string with quotes, as Python's json.dumps writes it (non-ASCII as \uXXXX). Input must be
 * UTF-8; broken bytes become U+FFFD. */
void json_escape(struct buf *to, struct str s);
/* & < > " ' as XML entities. */
void xml_escape(struct buf *to, struct str s);
