/* Paths of the public API and of the backend, split and decoded. */
#pragma once
#include "lib/base/arena.h"

/* /v1/account/container/object; parts that are not there are absent. "/v1/a/c/" is the
 * container. */
struct swift_path {
	struct str version, account, container, object;         /* percent-decoded */
};

/* Splits a raw request path: 0, -ENOENT when it is no such path ("/", "//", "/v1//c",
 * "/v1/a//o"), -EINVAL for a version that is unknown ("/v2/a"), -EDOM for "/v1" and "/v1/",
 * -EILSEQ for bytes that are not UTF-8 or a NUL. See docs/swift/paths.md for the statuses. */
int swift_path_parse(struct arena *a, struct str raw, struct swift_path *ret);
/* "/account[/container[/object]]", not encoded. */
struct str swift_path_join(struct arena *a, struct str account, struct str container,
			   struct str object);
/* The same percent-encoded (Python's quote), behind an optional prefix such as "/v1". */
struct str swift_path_quote(struct arena *a, struct str prefix, struct str account,
			    struct str container, struct str object);

/* /device/partition/account[/container[/object]] of a storage server. */
struct backend_path {
	struct str device;
	uint32_t partition;
	struct str account, container, object;
};
/* 0, -EINVAL (Swift answers 400 "Invalid path: …"), or -EILSEQ (412). NULs are allowed in names,
 * they mark reserved ones; not in the device. */
int backend_path_parse(struct arena *a, struct str raw, struct backend_path *ret);
struct str backend_path_quote(struct arena *a, struct str device, uint32_t partition,
			      struct str account, struct str container, struct str object);
