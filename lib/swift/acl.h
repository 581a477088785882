/* Container ACLs, version 1: "acct:user,.r:*,.rlistings" (common/middleware/acl.py).
 * docs/swift/acl.md has the grammar and what each element grants. */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/fault.h"

/* The cleaned form of a header's value (blanks and empty items gone, .referrer: to .r:): 0, or
 * -EINVAL with Swift's words in why. write: the value of X-Container-Write, where referrers are
 * refused. */
int acl_clean(struct arena *a, struct str value, bool write, struct str *ret, struct fault *why);

/* Whether the ACL's referrer items allow a request with this Referer header (absent: none). The
 * last item that matches wins. */
bool acl_referrer_allowed(struct arena *a, struct str acl, struct str referer);
/* Whether one of the groups (comma-separated) stands in the ACL (whose names
 * are percent-decoded). */
bool acl_group_allowed(struct arena *a, struct str acl, struct str groups);
/* Whether this one name, commas in it and all, stands in the ACL (whose names are
 * percent-decoded). */
bool acl_name_allowed(struct arena *a, struct str acl, struct str name);
/* Whether the ACL has this very item (".rlistings"). */
bool acl_has(struct str acl, struct str item);
