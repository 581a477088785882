/* The pages that static web writes itself: the listing of a folder, and the word that there is
 * none. The markup is Swift's, whose classes and ids style sheets know; everything that came from a
 * user is escaped. */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/buf.h"

/* What a container says about its site; absent or empty when it does not. */
struct web_site {
	struct str index, error, listings, css, label, directory_type;
};

struct web_page {
	const struct web_site *site;
	struct str label;               /* "Listing of <label>" */
	struct str prefix;              /* of the names, cut off; empty for the container */
	/* Behind every link, already escaped: "?temp_url_…"; mostly absent. */
	struct str link_query;
	bool has_parent;                /* "../" may be followed */
};

/* "404": listings are off. Appends. */
void web_page_disabled(const struct web_page *p, struct buf *to);
/* The listing as JSON (folders first, then files): 0, -ENOENT when there is nothing in it, -EBADMSG
 * when it is no listing. Appends. */
int web_page_listing(const struct web_page *p, struct str json, struct buf *to) must_check;
/* 1048576 is "1Mi". Swift: human_readable */
void web_size(uint64_t bytes, struct buf *to);
