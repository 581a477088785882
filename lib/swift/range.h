/* Byte ranges of GET answers: the Range header, and bodies of several parts. Behaviour: swob.py's
 * Range and Response._prepare_for_ranges, limits included. */
#pragma once
#include "lib/http/request.h"

/* More ranges than that, more overlaps, or so many that are not in ascending order get 416. */
enum { RANGES_MAX = 50, RANGE_OVERLAPS_MAX = 2, RANGES_NONASCENDING_MAX = 8 };

/* Both ends are included. */
struct range {
	uint64_t first, last;
};

/* The satisfiable ranges of a Range header for size bytes: how many (206), 0 when the header is to
 * be ignored (absent, not understood, or nothing to cut: 200), -ERANGE when none can be satisfied
 * or they are too many (416). */
must_check int ranges_parse(struct str header, uint64_t size, struct range ret[RANGES_MAX]);
/* Whether the header is well formed, whatever the size (swob ignores one that is not). */
bool range_header_valid(struct str header);

/* Opens the bytes of one range, for each in turn. NULL is a failure (-EIO for the reader). */
typedef struct body *range_open_fn(void *arg, uint64_t first, uint64_t last);

/* A random multipart boundary: 32 hex digits, in the arena. */
struct str range_boundary(struct arena *a);
/* Bytes of the multipart body. */
uint64_t ranges_multipart_length(const struct range *ranges, unsigned n, uint64_t size,
				 struct str content_type, struct str boundary);
/* The multipart body itself. ranges, content_type and boundary are kept; they live in the arena. */
struct body *ranges_multipart_body(struct arena *a, const struct range *ranges, unsigned n,
				   uint64_t size, struct str content_type, struct str boundary,
				   range_open_fn *open, void *arg);
