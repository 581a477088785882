/* Container and account listings as JSON, for middlewares that change their rows. */
#pragma once
#include "proxy/middleware/middleware.h"

#include <jansson.h>

enum { LISTING_BODY_MAX = 256 * MIB };

/* The whole body of an answer, in the arena of its headers; the body is closed. 0, -EFBIG or the
 * body's error. */
waits must_check int listing_read(struct response *res, struct str *ret);
/* A JSON array (a new reference), or NULL when the text is none. */
json_t *listing_parse(struct str text);
/* The array becomes the answer's body, in JSON. */
void listing_write(struct response *res, const json_t *rows);
/* The rows of a container in XML (common/middleware/listing_formats.py). */
void listing_write_xml(struct response *res, const json_t *rows, struct str container);
/* The rows of an account likewise. */
void listing_write_account_xml(struct response *res, const json_t *rows, struct str account);
/* The query with a parameter replaced or added; value is percent-encoded here. An absent value
 * removes it. */
struct str query_with(struct arena *a, struct str query, struct str name, struct str value);
/* A member that is a string, or absent; valid as long as the row. */
struct str row_text(const json_t *row, const char *key);
void row_set(json_t *row, const char *key, struct str value);
