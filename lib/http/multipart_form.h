/* Reads multipart/form-data (RFC 7578) from a body, a part at a time, however long it is: what is
 * held are some KiB. A part's head, the number of parts and the boundary have limits. */
#pragma once
#include "lib/http/body.h"

enum {
	FORM_BOUNDARY_MAX = 200,        /* bytes; RFC 2046 allows 70 */
	FORM_HEAD_MAX = 16 * KIB,       /* of one part */
};

struct form_part {
	struct str name, filename;      /* of Content-Disposition: form-data; absent: not given */
	struct str content_type, content_encoding;
};

struct form {
	struct body *from;
	struct str rest;                /* of its last chunk */
	bool from_ended;
	struct buf data, head;
	char delimiter[FORM_BOUNDARY_MAX + 4];  /* CR LF "--" boundary */
	size_t delimiter_size, given;   /* given: bytes of data that the caller was handed */
	unsigned parts, parts_max;
	bool begun, in_part, ended;
};

/* The type, and its parameter `boundary`, of a Content-Type: true when it is multipart/form-data.
 * *ret_boundary is absent when there is none. */
bool form_type_parse(struct str content_type, struct str *ret_boundary);

/* 0, or -EINVAL for a boundary that is empty or too long. */
int form_init(struct form *f, struct body *from, struct str boundary,
	      unsigned parts_max) must_check;
void form_done(struct form *f);
/* Goes to the next part, passing over what is left of this one: 1, 0 behind the last, -EINVAL when
 * the form does not begin with its boundary, -E2BIG for too many parts or too long a head, -EPIPE
 * when it ends before its end, or the body's error. The part's strings live until the next call. */
waits must_check int form_next(struct form *f, struct form_part *ret);
/* The part's next bytes, valid until the next call: 1, 0 at its end, -EPIPE or the body's error. */
waits must_check int form_read(struct form *f, struct str *ret_chunk);
