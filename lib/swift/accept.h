/* Content negotiation of listings, in time linear in the header (Swift's regular expression was
 * not: CVE-2026-71190). */
#pragma once
#include "lib/base/base.h"

/* The first of options that the Accept header likes best, as swob's best_match: sorted by quality,
 * then exact types before globs, then the header's order. An absent or empty header takes
 * options[0]. 0, -EINVAL (malformed header: 400), -ENOENT (nothing acceptable: 406). */
int accept_best_match(struct str header, const struct str *options, size_t n, struct str *ret);

/* text/plain, application/json, application/xml or text/xml for a listing: format (a query's,
 * absent when there is none) wins over Accept; an unknown one is text/plain. */
int accept_listing(struct str format, struct str accept, struct str *ret);
