/* Reads one HTTP/1.1 response from pieces of bytes; independent of the code that is measured. */
#pragma once
#include "lib/base/base.h"

struct response {
	int status;                     /* 0 until the head is complete */
	bool chunked, has_length, closes, has_token;
	uint64_t length, got;           /* declared, and bytes of body so far */
	struct str etag;                /* in head, without quotes */
	/* private */
	bool no_body;
	enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } chunk_state;
	uint64_t chunk_left;
	size_t line_n, head_n;
	char line[64], head[16 * KIB];
};

/* Before each response; no_body: the answer to HEAD. */
void response_init(struct response *r, bool no_body);
/* Takes bytes; calls body(arg, piece) for what is body. 1: complete, 0: more wanted,
 * -EPROTO: malformed, or bytes after the end. */
int response_feed(struct response *r, struct str s, void (*body)(void *arg, struct str s),
		  void *arg);
/* The server closed: whether that was the end of this response. */
bool response_ends_with_close(const struct response *r);
