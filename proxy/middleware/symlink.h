/* How links are stored, for those who make them (symlink.c, and versioned containers, whose objects
 * are links to their current versions). Swift: common/middleware/symlink.py */
#pragma once
#include "proxy/middleware/middleware.h"

/* What clients say and see … */
#define SYMLINK_TARGET S("X-Symlink-Target")
#define SYMLINK_ACCOUNT S("X-Symlink-Target-Account")
#define SYMLINK_ETAG S("X-Symlink-Target-Etag")
#define SYMLINK_BYTES S("X-Symlink-Target-Bytes")
/* … and what is stored. */
#define SYMLINK_STORED_TARGET S("X-Object-Sysmeta-Symlink-Target")
#define SYMLINK_STORED_ACCOUNT S("X-Object-Sysmeta-Symlink-Target-Account")
#define SYMLINK_STORED_ETAG S("X-Object-Sysmeta-Symlink-Target-Etag")
#define SYMLINK_STORED_BYTES S("X-Object-Sysmeta-Symlink-Target-Bytes")
/* Following this link does not count as a hop. */
#define SYMLINK_EXTEND S("X-Object-Sysmeta-Symloop-Extend")
/* Its target may be a reserved name, and who may read the link may read the target. */
#define SYMLINK_RESERVED S("X-Object-Sysmeta-Allow-Reserved-Names")
/* The link of a versioned container to an object's current version. */
#define SYMLINK_VERSIONS S("X-Object-Sysmeta-Versions-Symlink")

/* "container/object", percent-encoded, without a leading slash, as X-Symlink-Target has it: 0, or
 * -EINVAL. NULs only when reserved names are allowed. */
int symlink_target_parse(struct arena *a, struct str value, bool reserved,
			 struct str *ret_container, struct str *ret_object) must_check;
/* The ETag of a container row without what it says of links ("<md5>; slo_etag=…" stays). */
struct str symlink_etag_plain(struct arena *a, struct str override);
/* Removes what only this proxy's own links may have; a copy's source may bring it along. */
void symlink_drop_privileges(struct headers *h);

/* Rewrites what an answered container listing tells of links: symlink_path, symlink_etag and
 * symlink_bytes in JSON; in XML nothing is left of them. */
waits void symlink_rows(struct middleware *mw, struct request *req, struct response *res);
