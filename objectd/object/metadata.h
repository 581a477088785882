/* Which headers are stored with an object, and how they come out again. Swift: obj/server.py
 * (_get_request_metadata), obj/diskfile.py (metadata of .data and .meta files).
 *
 * Stored are Content-Type, ETag, X-Object-Meta-*, X-Object-Sysmeta-*, X-Object-Transient-Sysmeta-*
 * and [objectd] allowed_headers. X-Timestamp and Content-Length are the index's. Two more are ours:
 *   Content-Type-Timestamp        of a Content-Type that a POST gave (absent: the data's)
 *   X-Needletail-Swift-Bytes      swift_bytes of the Content-Type that was PUT, when a POST
 * replaced it */
#pragma once
#include "lib/http/headers.h"
#include "objectd/objectd.h"

#define META_CONTENT_TYPE_TS "Content-Type-Timestamp"
#define META_SWIFT_BYTES "X-Needletail-Swift-Bytes"

bool meta_is_user(struct str name);             /* X-Object-Meta-x */
bool meta_is_sys(struct str name);              /* X-Object-Sysmeta-x */
bool meta_is_transient(struct str name);        /* X-Object-Transient-Sysmeta-x */
/* One of [objectd] allowed_headers, which is never a name that the store keeps itself. */
bool meta_is_allowed(struct str name);
/* Sent with GET and HEAD. */
bool meta_is_shown(struct str name);

/* What a PUT stores. footers may be NULL; their values win over the request's. */
void meta_of_put(const struct headers *request, const struct headers *footers, struct str etag,
		 struct headers *ret);
/* What a POST with a newer timestamp than the last change stores: everything a POST may change
 * comes from the request, the rest from what is there. Content-Type is the caller's. */
void meta_of_post(const struct headers *request, const struct headers *existing,
		  struct headers *ret);

/* When the Content-Type was set. */
struct timestamp meta_content_type_ts(const struct headers *stored, struct timestamp data_ts);
/* "text/plain;swift_bytes=10" to its value, or absent. The last one counts. */
struct str meta_swift_bytes(struct str content_type);
