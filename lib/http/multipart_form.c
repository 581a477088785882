/* A form's parts lie between delimiters: CR LF "--" boundary, then CR LF, or "--" behind the last
 * one. */
#include "lib/http/multipart_form.h"

enum {
	PIECE = 8 * KIB,                /* bytes that are looked at together */
	DATA_MAX = FORM_HEAD_MAX + 2 * PIECE + FORM_BOUNDARY_MAX,
};

/* ---- Content-Type and Content-Disposition ---- */

/* A value in quotes ends with a quote that ends the parameter: browsers do not escape those that
 * are part of it in the same way. */
static struct str take_quoted(struct str *rest)
{
	size_t end = 1;

	while (end < rest->n && !(rest->p[end] == '"' &&
				  (end + 1 == rest->n || rest->p[end + 1] == ';')))
		end++;
	struct str value = str_of(rest->p + 1, end - 1);

	*rest = str_skip(*rest, end + 1);
	(void)str_cut(rest, ';');
	return value;
}

/* The next "name=value" of "; name=value; …": false at the end. */
static bool next_parameter(struct str *rest, struct str *ret_name, struct str *ret_value)
{
	while (rest->n && (rest->p[0] == ';' || rest->p[0] == ' ' || rest->p[0] == '\t'))
		*rest = str_skip(*rest, 1);
	if (rest->n == 0)
		return false;
	size_t n = 0;

	while (n < rest->n && rest->p[n] != '=' && rest->p[n] != ';')
		n++;
	*ret_name = str_trim(str_head(*rest, n));
	*ret_value = STR_NONE;
	bool has_value = n < rest->n && rest->p[n] == '=';

	*rest = str_skip(*rest, n + has_value);
	if (has_value)
		*ret_value = str_starts(*rest, S("\"")) ? take_quoted(rest) :
							  str_trim(str_cut(rest, ';'));
	return true;
}

bool form_type_parse(struct str type, struct str *ret_boundary)
{
	struct str rest = type, name, value;

	*ret_boundary = STR_NONE;
	if (!str_ieq(str_trim(str_cut(&rest, ';')), S("multipart/form-data")))
		return false;
	while (rest.n && next_parameter(&rest, &name, &value))
		if (str_ieq(name, S("boundary")))
			*ret_boundary = value;
	return true;
}

static void parse_disposition(struct str rest, struct form_part *part)
{
	struct str name, value;

	if (!str_ieq(str_trim(str_cut(&rest, ';')), S("form-data")))
		return;
	while (rest.n && next_parameter(&rest, &name, &value)) {
		if (str_ieq(name, S("name")))
			part->name = value;
		else if (str_ieq(name, S("filename")))
			part->filename = value;
	}
}

static void parse_head(struct str head, struct form_part *part)
{
	struct str line;

	while ((line = str_cut(&head, '\n')).p) {
		struct str value = line, name = str_trim(str_cut(&value, ':'));

		value = str_trim(value);
		if (str_ieq(name, S("Content-Disposition")))
			parse_disposition(value, part);
		else if (str_ieq(name, S("Content-Type")))
			part->content_type = value;
		else if (str_ieq(name, S("Content-Encoding")))
			part->content_encoding = value;
	}
}

/* ---- bytes ---- */

int form_init(struct form *f, struct body *from, struct str boundary, unsigned parts_max)
{
	*f = (struct form){ .from = from, .parts_max = parts_max };
	f->data = BUF(DATA_MAX);
	f->head = BUF(FORM_HEAD_MAX);
	if (boundary.n == 0 || boundary.n > FORM_BOUNDARY_MAX)
		return -EINVAL;
	memcpy(f->delimiter, "\r\n--", 4);
	memcpy(f->delimiter + 4, boundary.p, boundary.n);
	f->delimiter_size = boundary.n + 4;
	return 0;
}

void form_done(struct form *f)
{
	buf_done(&f->data);
	buf_done(&f->head);
}

/* Some more bytes: 1, 0 at the end, or the body's error. */
waits static int fill(struct form *f)
{
	if (f->rest.n == 0 && !f->from_ended) {
		int rc = body_next(f->from, &f->rest);

		if (rc < 0)
			return rc;
		f->from_ended = rc == 0;
	}
	if (f->from_ended)
		return 0;
	struct str piece = str_head(f->rest, PIECE);

	buf_add_str(&f->data, piece);
	assert(!buf_failed(&f->data));  /* whoever calls has looked at how much there is */
	f->rest = str_skip(f->rest, piece.n);
	return 1;
}

/* At least n bytes in data: 1, 0 when there are no more, or the body's error. */
waits static int need(struct form *f, size_t n)
{
	while (f->data.n < n) {
		int rc = fill(f);

		if (rc <= 0)
			return rc;
	}
	return 1;
}

static void drop_given(struct form *f)
{
	buf_consume(&f->data, f->given);
	f->given = 0;
}

static ssize_t find_delimiter(const struct form *f)
{
	return str_find(buf_str(&f->data), str_of(f->delimiter, f->delimiter_size));
}

/* ---- parts ---- */

/* The delimiter stands at the beginning: 1 when it only looks like one, else 0 with the
 * part's end. */
waits static int end_part(struct form *f)
{
	int rc = need(f, f->delimiter_size + 2);

	if (rc <= 0)
		return rc < 0 ? rc : -EPIPE;
	struct str behind = str_of(f->data.p + f->delimiter_size, 2);

	if (!str_eq(behind, S("--")) && !str_eq(behind, S("\r\n")))
		return 1;
	f->ended = behind.p[0] == '-';
	f->in_part = false;
	buf_consume(&f->data, f->delimiter_size + 2);
	return 0;
}

static int give(struct form *f, size_t n, struct str *ret_chunk)
{
	f->given = n;
	*ret_chunk = str_of(f->data.p, n);
	return 1;
}

int form_read(struct form *f, struct str *ret_chunk)
{
	drop_given(f);
	if (!f->in_part)
		return 0;
	for (;;) {
		ssize_t at = find_delimiter(f);
		int rc;

		if (at > 0)
			return give(f, (size_t)at, ret_chunk);
		if (at == 0) {
			rc = end_part(f);
			return rc == 1 ? give(f, f->delimiter_size, ret_chunk) : rc;
		}
		/* The last bytes may be the beginning of a delimiter. */
		if (f->data.n >= f->delimiter_size)
			return give(f, f->data.n - f->delimiter_size + 1, ret_chunk);
		rc = fill(f);
		if (rc <= 0)
			return rc < 0 ? rc : -EPIPE;
	}
}

/* What stands in front of the first part: "--boundary", perhaps behind an empty line. */
waits static int begin(struct form *f)
{
	struct str first = str_of(f->delimiter + 2, f->delimiter_size - 2);
	int rc = need(f, first.n + 4);

	if (rc < 0)
		return rc;
	if (str_starts(buf_str(&f->data), S("\r\n")))
		buf_consume(&f->data, 2);
	struct str rest = str_skip(buf_str(&f->data), first.n);

	if (!str_starts(buf_str(&f->data), first) || !str_starts(rest, S("\r\n")))
		return -EINVAL;
	buf_consume(&f->data, first.n + 2);
	f->begun = true;
	return 0;
}

/* Finds the end of a part's head: its length and how many bytes there are with the empty line. A
 * part may end before it has one. */
waits static int find_head(struct form *f, size_t *ret_size, size_t *ret_all)
{
	for (;;) {
		struct str data = buf_str(&f->data);
		bool none = str_starts(data, S("\r\n"));
		ssize_t blank = none ? 0 : str_find(data, S("\r\n\r\n"));
		size_t all = (size_t)blank + (none ? 2 : 4);
		ssize_t at = find_delimiter(f);

		if (at >= 0 && (blank < 0 || (size_t)at < all)) {
			*ret_size = *ret_all = (size_t)at;
			return 0;
		}
		/* Whether the empty line is the delimiter's own. */
		if (blank >= 0 && (data.n >= all + f->delimiter_size || f->from_ended)) {
			*ret_size = (size_t)blank;
			*ret_all = all;
			return 0;
		}
		if (data.n > FORM_HEAD_MAX + PIECE)
			return -E2BIG;
		int rc = fill(f);

		if (rc < 0 || (rc == 0 && blank < 0))
			return rc < 0 ? rc : -EPIPE;
	}
}

waits static int read_head(struct form *f, struct form_part *ret)
{
	size_t size, all;
	int rc = find_head(f, &size, &all);

	if (rc < 0)
		return rc;
	if (size > FORM_HEAD_MAX)
		return -E2BIG;
	buf_clear(&f->head);
	buf_add(&f->head, f->data.p, size);
	buf_consume(&f->data, all);
	f->in_part = true;
	*ret = (struct form_part){ 0 };
	parse_head(buf_str(&f->head), ret);
	return 1;
}

int form_next(struct form *f, struct form_part *ret)
{
	struct str dropped;
	int rc;

	while ((rc = form_read(f, &dropped)) > 0)
		;
	if (rc == 0 && !f->begun)
		rc = begin(f);
	if (rc < 0 || f->ended)
		return rc;
	if (f->parts++ == f->parts_max)
		return -E2BIG;
	return read_head(f, ret);
}
