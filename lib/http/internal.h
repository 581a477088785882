/* What server and client share: message heads, the chunked coding, bodies on connections. */
#pragma once
#include "lib/http/request.h"
#include "lib/net/conn.h"

/* ---- message heads (head.c) ---- */

struct head_limits {
	size_t start_line_max, header_max;      /* bytes of a line without its end */
	unsigned headers_max;
};

/* How far the search for the end of a head has come; zeroed at first. */
struct head_scan {
	size_t line;                    /* where the current line begins */
	size_t seen;                    /* bytes known to hold no line end */
	size_t start_line, start_line_n;
	size_t fields;                  /* where the headers begin */
	unsigned lines;                 /* complete ones, the start line included */
	unsigned blanks;                /* empty lines before it */
};

/* Why a message was refused: the status to answer and a sentence for a human. */
struct refusal {
	int status;
	const char *text;
};

/* Looks for the end of the head in data (which only grows between calls), checking line ends and
 * limits: its length, 0 when more is needed, or -EBADMSG with the reason. */
must_check ssize_t head_scan(struct head_scan *s, struct str data, const struct head_limits *l,
			     struct refusal *why);

/* How the body is framed. */
enum framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

struct head {
	struct headers *headers;        /* views of the head's bytes */
	enum framing framing;
	int64_t content_length;         /* for BODY_LENGTH */
	bool keep_alive;
	unsigned minor;
	int status;                     /* responses */
	struct str reason;
	const char *error;
	struct str field, value;        /* being collected */
	ptrdiff_t offset;               /* from what llhttp reads to the head's own bytes */
};

/* Parses a complete head, whose bytes outlive h->headers: 0, or -EBADMSG with the reason. */
must_check int head_parse_request(struct head *h, struct str head, const struct head_scan *s,
				  struct request *req, struct refusal *why);
must_check int head_parse_response(struct head *h, struct str head, const struct head_scan *s,
				   bool head_request);

/* ---- the chunked coding (chunked.c) ---- */

struct chunked {
	int state;
	unsigned digits;                /* of the chunk's size, so far */
	uint64_t left;                  /* bytes of the chunk to come */
	size_t overhead;                /* bytes since the last byte of content */
	struct headers *trailers;
	unsigned trailers_max;
	char *line;                     /* the trailer being collected: buffers come and go */
	size_t line_n, line_cap;
	bool done;
};

/* Trailers are copied into their arena. */
void chunked_init(struct chunked *d, struct headers *trailers, unsigned trailers_max);
/* Decodes from data: 1 with a view of content, 0 when more data is needed or (d->done) the end was
 * reached, or -EBADMSG. *ret_used: bytes of data that are done with once the content is. */
must_check int chunked_feed(struct chunked *d, struct str data, struct str *ret_content,
			    size_t *ret_used);

/* ---- bodies that come in on a connection (incoming.c) ---- */

struct incoming {
	struct body body;
	struct conn *conn;
	uint64_t timeout_ms;
	enum framing framing;
	size_t pending;                 /* bytes of the last chunk, to consume at the next call */
	uint64_t received;              /* content so far */
	int error;                      /* stays */
	bool ended;
	bool expect;                    /* the peer waits for a 100 Continue, */
	const struct str *continue_fields;      /* with these header lines, if any */
	struct chunked chunked;
	struct headers trailers;
};

void incoming_init(struct incoming *in, struct conn *c, const struct head *h, struct arena *arena,
		   uint64_t timeout_ms);
/* Lets go of the last chunk; whether the body was read to its end (what is left of it and already
 * there is skipped). */
bool incoming_finish(struct incoming *in);

/* ---- sending ---- */

/* Text of the Date header for now. */
struct str http_date_now(void);
/* A token, or one with UTF-8 in it, as names of metadata may have. */
bool field_name_ok(struct str name);
/* Headers that the framing owns: Content-Length, Transfer-Encoding, Connection, Keep-Alive. */
bool header_is_framing(struct str name);
/* "1a2b\r\n" into text: its length. */
enum { CHUNK_LINE_MAX = 20 };
size_t chunk_line(char text[CHUNK_LINE_MAX], size_t n);
