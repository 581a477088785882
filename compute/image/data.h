/* The bytes of images: where they are in the store, how they get there and go. */
#pragma once
#include "compute/image/image.h"
#include "compute/image/inspect.h"

/* An image's bytes are objects whose names begin with the image's id:
 *	ID/UPLOAD/00000000      the only object, or the first segment
 *	ID/UPLOAD/manifest      a static large object, when there are several */
struct str image_prefix(struct arena *a, struct str id);

enum { SHA512_HEX_SIZE = 129, MD5_TEXT_SIZE = 33 };

struct upload_result {
	uint64_t size;
	char md5[MD5_TEXT_SIZE], sha512[SHA512_HEX_SIZE];
	struct str object;              /* its name in the container of the bytes */
	struct inspect_result found;
};
struct upload_wish {
	struct str prefix;              /* of the objects, with a slash at the end */
	int64_t length;                 /* -1: not known */
	uint64_t size_max;
	struct str disk_format, container_format;
};
/* Sends a body to the store as it comes: hashed and looked at on the way, held back by the slowest
 * of them, about 1 MiB in memory. 0; -EPERM and -EMEDIUMTYPE with the reason: not such an image;
 * -EFBIG beyond size_max; -EIO: the store has got other bytes; of the body or the store. What was
 * stored by then is still there. */
waits must_check int upload_run(struct image_state *s, struct arena *a, struct body *from,
				const struct upload_wish *w, struct upload_result *ret,
				struct fault *why);

/* Bytes of all images of a project, with what was announced of uploads that are under way; without
 * the image of that id, if it is not absent. */
waits must_check int image_usage(struct image_state *s, struct arena *a, struct str project,
				 struct str except, uint64_t *ret_bytes, uint64_t *ret_images);
/* Whether length bytes (-1: not known) of the image of that id fit; *ret_max is how many may come.
 * -EFBIG, or of the store. */
waits must_check int image_room(struct image_state *s, struct arena *a, struct str project,
				struct str id, int64_t length, uint64_t *ret_max);
/* A new prefix for an upload, in the arena. */
struct str image_new_prefix(struct arena *a, struct str id);
/* The record of an upload that this process begins; length: announced, or -1. */
json_t *image_upload_mark(const struct image_state *s, struct str prefix, const char *was,
			  int64_t length);
/* Whether the record is still about the upload of that prefix. */
bool image_upload_is(const json_t *doc, struct str prefix);
/* "size", "checksum", "os_hash_…", "virtual_size" and "object", "prefix" of what was uploaded. */
json_t *image_upload_facts(const struct upload_result *r, struct str prefix);
/* Makes an image active with those. */
void image_activate(json_t *doc, const json_t *facts);

/* Frees an image that was marked as deleted: its objects, then its record; in a task of its own. */
void image_remove_later(struct image_state *s, struct str id);
/* The same at once: 0 or negative. */
waits must_check int image_remove(struct image_state *s, struct str id);
/* Gives up an upload: its objects go, and the record becomes again what it was before, if it is
 * still about this upload. In a task of its own, as the request that broke off waits no more. */
void image_abandon_later(struct image_state *s, struct str id, struct str prefix);
waits must_check int image_abandon(struct image_state *s, struct str id, struct str prefix);

/* What was given up is looked for once more some time later: a segment that was complete when the
 * connection to the store was closed may be stored after the others were removed. This is the
 * background task that does; arg: struct image_state. */
waits void image_late_task(void *arg);
/* Forgets what is still to be looked for; the sweep finds it. */
void image_late_done(struct image_state *s);
