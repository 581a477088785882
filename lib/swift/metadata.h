/* What a client may store as metadata, and the headers that make an object. Limits and texts are
 * Swift's (common/constraints.py); statuses in docs/swift/metadata.md. */
#pragma once
#include "lib/http/request.h"
#include "lib/swift/timestamp.h"

/* Swift's constraints; /info shows them. */
struct swift_limits {
	uint64_t max_file_size;
	unsigned max_meta_name_length, max_meta_value_length, max_meta_count, max_meta_overall_size;
	unsigned max_header_size, max_object_name_length, max_container_name_length,
		max_account_name_length;
	unsigned container_listing_limit, account_listing_limit;
};
extern const struct swift_limits swift_limits_default;

enum swift_kind { SWIFT_ACCOUNT, SWIFT_CONTAINER, SWIFT_OBJECT };
/* "account", "container", "object". */
struct str swift_kind_name(enum swift_kind kind);

/* Checks X-<Kind>-Meta-* of a request against the limits: 0, or -EINVAL after filling the answer
 * (400). */
int metadata_check(const struct swift_limits *limits, enum swift_kind kind,
		   const struct request *req, struct response *res);
/* Everything that is checked of an object PUT before its body: length, name, Content-Type, deletion
 * times, metadata. 0, or -EINVAL after filling the answer (400, 411, 413, 501). Turns
 * X-Delete-After into X-Delete-At. */
int object_creation_check(const struct swift_limits *limits, struct request *req, struct str object,
			  struct timestamp now, struct response *res);
/* Checks X-Delete-After and X-Delete-At alone (object POST). */
int delete_headers_check(struct request *req, struct timestamp now, struct response *res);

/* Headers that an object POST replaces besides X-Object-Meta-*: Content-Encoding and its kin. */
bool metadata_is_object_header(struct str name);
/* Headers that a container / account stores besides its metadata, and that only its owner sees:
 * X-Container-Read … (Swift's swift_owner_headers). */
bool metadata_is_owner_header(struct str name);
/* Internal names that never cross the edge in either direction (gatekeeper). */
bool metadata_is_internal(struct str name);

/* The Content-Type that Python's mimetypes guesses from a name's extension, or absent. */
struct str mime_guess(struct str name);
