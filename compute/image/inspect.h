/* What kind of disk image a stream of bytes is, and whether it is one that reads other files of
 * the host that opens it. Looks at the first 64 KiB and the last 512 bytes only. */
#pragma once
#include "lib/base/fault.h"

enum { INSPECT_HEAD = 64 * KIB, INSPECT_TAIL = 512 };

struct inspect {
	unsigned char *head;            /* INSPECT_HEAD bytes, allocated at the first byte */
	size_t head_n;
	unsigned char tail[INSPECT_TAIL];       /* the last bytes, when size is at least that */
	uint64_t size;                  /* bytes so far */
};
void inspect_init(struct inspect *in);
void inspect_done(struct inspect *in);
void inspect_add(struct inspect *in, struct str bytes);

struct inspect_result {
	const char *format;             /* as in disk_format; "raw" when it is nothing known */
	int64_t virtual_size;           /* -1: not told */
};
/* When all bytes were added, or, with at_end false, for a first look while they still come. 0, or
 * -EPERM with the reason, for an image that must not be opened. */
must_check int inspect_end(const struct inspect *in, bool at_end, struct inspect_result *ret,
			   struct fault *why);

/* Whether bytes of that format may be what was declared: 0, or -EMEDIUMTYPE with the reason.
 * strict: also when nothing was recognized. */
must_check int inspect_match(struct str disk_format, struct str container_format,
			     const struct inspect_result *found, bool strict, struct fault *why);
