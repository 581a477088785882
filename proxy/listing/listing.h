/* Listings that show what was just written: as many replicas are asked as it takes to meet every
 * quorum of writes. One lists; the others only tell the digest of their rows. Where digests differ,
 * raw rows are merged here. Storage servers that know no digests (Swift's) are believed one at a
 * time, as Swift does it. docs/swift/listings.md */
#pragma once
#include "proxy/backend/backend.h"

/* GET of an account or container. res becomes the answer as a storage server would give it. 0 or
 * -ECANCELED. */
waits must_check int listing_get(struct request *req, const struct target *t,
				 const struct headers *h, struct response *res);
