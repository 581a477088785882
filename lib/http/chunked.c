/* The chunked transfer coding, decoded by the parser that has read the head. */
#include "lib/http/internal.h"

enum { OVERHEAD_MAX = 16 * KIB };       /* chunk sizes, extensions and trailers in a row */

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct chunked *d = p->data;

	d->span = str_of(at, n);
	return HPE_PAUSED;
}

static int on_end(llhttp_t *p)
{
	struct chunked *d = p->data;

	d->done = true;
	return HPE_PAUSED;
}

/* Pieces of trailers may come in different buffers, and each buffer goes: they are copied. */
static void append(struct chunked *d, struct str *to, const char *at, size_t n)
{
	*to = arena_printf(d->trailers->arena, "%.*s%.*s", STR(*to), (int)n, at);
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct chunked *d = p->data;

	append(d, &d->field, at, n);
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct chunked *d = p->data;

	append(d, &d->value, at, n);
	return 0;
}

static int on_value_complete(llhttp_t *p)
{
	struct chunked *d = p->data;

	if (d->trailers->n >= d->trailers_max || !header_name_valid(d->field) || !header_value_valid(d->value))
		return HPE_USER;
	headers_add_ref(d->trailers, d->field, str_trim(d->value));
	d->field = d->value = STR_NONE;
	return 0;
}

static llhttp_settings_t settings = {
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_body = on_body,
	.on_message_complete = on_end,
};

void chunked_init(struct chunked *d, const struct head *h, struct headers *trailers, unsigned trailers_max)
{
	*d = (struct chunked){ .parser = h->parser, .trailers = trailers, .trailers_max = trailers_max };
	d->parser.settings = &settings;
	d->parser.data = d;
}

int chunked_feed(struct chunked *d, struct str data, struct str *ret_content, size_t *ret_used)
{
	*ret_used = 0;
	if (d->done || data.n == 0)
		return 0;
	if (llhttp_get_errno(&d->parser) == HPE_PAUSED)
		llhttp_resume(&d->parser);
	d->span = STR_NONE;
	llhttp_errno_t e = llhttp_execute(&d->parser, data.p, data.n);

	if (e != HPE_OK && e != HPE_PAUSED)
		return -EBADMSG;
	*ret_used = e == HPE_OK ? data.n : (size_t)(llhttp_get_error_pos(&d->parser) - data.p);
	assert(*ret_used <= data.n);
	if (d->span.n) {
		d->overhead = 0;
		*ret_content = d->span;
		return 1;
	}
	d->overhead += *ret_used;
	return d->overhead > OVERHEAD_MAX ? -EBADMSG : 0;
}
