/* Bodies of several MIME documents: the object and, behind it, metadata that the proxy only knew
 * when it had sent the object (encryption). Swift: common/utils.py iter_mime_headers_and_bodies */
#pragma once
#include "lib/http/body.h"

struct mime;
/* Reads from `from`, whose documents are separated by "--boundary". */
struct mime *mime_open(struct arena *a, struct body *from, struct str boundary);
void mime_close(struct mime *m);
/* The next document: 1 with its headers (in the arena) and its body, which must be read to its end
 * before the next call; 0 when there is none; -EBADMSG or the body's error. */
waits must_check int mime_next(struct mime *m, struct headers *ret_headers, struct body **ret_body);

/* A footer document, whose Content-MD5 must be right: its JSON object's strings as headers.
 * 0; -EBADMSG (not JSON, no Content-MD5: 400), -EILSEQ (MD5 differs: 422), or the body's error. */
waits must_check int footer_read(struct mime *m, struct arena *a, struct headers *ret);
