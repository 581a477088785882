/* How old versions of objects are named, in both kinds of versioning. Swift:
 * common/middleware/versioned_writes and common/request_helpers.py (reserved names). Nothing here
 * waits. */
#pragma once
#include "lib/base/arena.h"
#include "lib/swift/timestamp.h"

/* The content type of a delete marker. */
#define DELETE_MARKER S("application/x-deleted;swift_versions_deleted=1")

/* NUL "versions" NUL container: where the versions of a container's objects are. */
struct str versions_container_name(struct arena *a, struct str container);
/* The container of such a name; another name is returned as it is. */
struct str versions_container_of(struct str name);
/* NUL object NUL inverted time, so that the newest version comes first. The time has no offset. */
struct str version_name(struct arena *a, struct str object, struct timestamp ts);
/* Splits such a name: false when it is none. The object is a view of name. */
bool version_name_split(struct str name, struct str *ret_object, struct timestamp *ret_ts);
/* A version id as clients write it: 0, or -EINVAL (also for those with an offset, which no version
 * has). */
int version_id_parse(struct str id, struct timestamp *ret) must_check;

/* "<3 hex digits: length of the name><name>/": what legacy versions of an object begin with … */
struct str legacy_version_prefix(struct arena *a, struct str object);
/* … and the time behind it. */
struct str legacy_version_name(struct arena *a, struct str object, struct timestamp ts);
/* The container that X-Versions-Location or X-History-Location names: percent-decoded, up to its
 * first slash; empty for a reserved name. */
struct str legacy_location(struct arena *a, struct str value);
