/* The bytes of images: where they are in the store, how they get there and go. */
#pragma once
#include "compute/image/image.h"
#include "compute/image/inspect.h"

/* An image's bytes are objects whose names begin with the image's id:
 *	ID/UPLOAD/00000000      the only object, or the first segment
 *	ID/UPLOAD/manifest      a static large object, when there are several */
struct str image_prefix(struct arena *a, struct str id);

/* Frees an image that was marked as deleted: its objects, then its record; in a task of its own. */
void image_remove_later(struct image_state *s, struct str id);
/* The same at once: 0 or negative. */
waits must_check int image_remove(struct image_state *s, struct str id);
/* Gives up an upload: its objects go, and the record becomes again what it was before, if it is
 * still about this upload. In a task of its own, as the request that broke off waits no more. */
void image_abandon_later(struct image_state *s, struct str id, struct str prefix);
waits must_check int image_abandon(struct image_state *s, struct str id, struct str prefix);
