/* Reads Range headers as Swift does, and puts several ranges into one multipart body. */
#include "lib/swift/range.h"

#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

static struct str without_blanks(struct str s, char *room, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ')
			continue;
		if (n == max)
			return STR_NONE;
		room[n++] = s.p[i];
	}
	return str_of(room, n);
}

/* Digits of any length, as Python's integers; what does not fit is as good as the largest. */
static int number(struct str s, uint64_t *ret)
{
	int rc = str_to_u64(s, ret);

	if (rc != -ERANGE)
		return rc;
	*ret = UINT64_MAX;
	return 0;
}

/* "first-last", "first-" or "-suffix". 0 or -EINVAL. */
static int spec_parse(struct str spec, bool *ret_suffix, uint64_t *ret_first, uint64_t *ret_last)
{
	ssize_t dash = str_chr(spec, '-');
	struct str first, last;

	if (dash < 0)
		return -EINVAL;
	first = str_head(spec, (size_t)dash);
	last = str_skip(spec, (size_t)dash + 1);
	if (first.n == 0 && last.n == 0)
		return -EINVAL;
	*ret_suffix = first.n == 0;
	*ret_first = 0;
	*ret_last = UINT64_MAX;
	if (first.n && number(first, ret_first) < 0)
		return -EINVAL;
	if (last.n && number(last, ret_last) < 0)
		return -EINVAL;
	return first.n && *ret_last < *ret_first ? -EINVAL : 0;
}

/* One spec against the size: whether there is anything of it. Suffixes of nothing keep an empty
 * range, which makes the whole header ignored, as swob's ranges_for_length does. */
static bool satisfiable(bool suffix, uint64_t first, uint64_t last, uint64_t size,
			struct range *ret)
{
	if (suffix) {
		if (last == 0)
			return false;
		ret->first = last > size ? 0 : size - last;
		ret->last = size - 1;
		return true;
	}
	if (first >= size)
		return false;
	ret->first = first;
	ret->last = MIN(last, size - 1);
	return true;
}

static bool overlap(const struct range *a, const struct range *b)
{
	uint64_t a_end = a->last + 1, b_end = b->last + 1;

	return (a->first < b->first && b->first < a_end) || (a->first < b_end && b_end < a_end) ||
	       (b->first < a->first && a->first < b_end) || (b->first < a_end && a_end < b_end);
}

/* Swift's defence against ranges that cost much and mean little (RFC 9110 17.15). */
static bool egregious(const struct range *v, unsigned n)
{
	unsigned overlaps = 0;
	bool ascending = true;

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i + 1; j < n; j++)
			if (overlap(&v[i], &v[j]) && ++overlaps > RANGE_OVERLAPS_MAX)
				return true;
	for (unsigned i = 0; i + 1 < n; i++)
		ascending = ascending && v[i].first <= v[i + 1].first;
	return !ascending && n >= RANGES_NONASCENDING_MAX;
}

enum { RANGE_HEADER_MAX = 8192 };

/* Calls nothing, waits for nothing: -EINVAL when the header is to be ignored, else how many ranges
 * can be satisfied (counting on beyond RANGES_MAX). */
static int parse(struct str header, uint64_t size, struct range ret[RANGES_MAX])
{
	AUTO(free) room = xmalloc(RANGE_HEADER_MAX);
	struct str rest = without_blanks(header, room, RANGE_HEADER_MAX), spec;
	int n = 0;

	if (!str_istarts(rest, S("bytes=")))
		return -EINVAL;
	rest = str_skip(rest, 6);
	while ((spec = str_cut(&rest, ',')).p) {
		struct range r;
		uint64_t first, last;
		bool suffix;

		if (spec_parse(spec, &suffix, &first, &last) < 0)
			return -EINVAL;
		if (!satisfiable(suffix, first, last, size, &r))
			continue;
		if (n < RANGES_MAX)
			ret[n] = r;
		n++;
	}
	return n;
}

bool range_header_valid(struct str header)
{
	struct range ranges[RANGES_MAX];

	return header.n && parse(header, 1, ranges) >= 0;
}

int ranges_parse(struct str header, uint64_t size, struct range ret[RANGES_MAX])
{
	struct range found[RANGES_MAX];
	int n;

	if (header.n == 0)
		return 0;
	n = parse(header, size, found);
	if (n < 0)
		return 0;
	if (n == 0 || n > RANGES_MAX)
		return -ERANGE;
	if (size == 0)
		return 0;
	if (egregious(found, (unsigned)n))
		return -ERANGE;
	memcpy(ret, found, (size_t)n * sizeof *ret);
	return n;
}

struct str range_boundary(struct arena *a)
{
	unsigned char bytes[16];
	char *text = arena_alloc(a, 2 * sizeof bytes + 1);

	random_bytes(bytes, sizeof bytes);
	hex_encode(bytes, sizeof bytes, text);
	return str_of(text, 2 * sizeof bytes);
}

static struct str part_head(struct arena *a, const struct range *r, uint64_t size,
			    struct str content_type, struct str boundary)
{
	return arena_printf(a,
			    "--%.*s\r\nContent-Type: %.*s\r\n"
			    "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
			    STR(boundary), STR(content_type), r->first, r->last, size);
}

static uint64_t digits(uint64_t v)
{
	uint64_t n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n;
}

uint64_t ranges_multipart_length(const struct range *ranges, unsigned n, uint64_t size,
				 struct str content_type, struct str boundary)
{
	uint64_t fixed = strlen("--\r\nContent-Type: \r\nContent-Range: bytes -/\r\n\r\n") +
			 boundary.n + content_type.n + digits(size) + strlen("\r\n");
	uint64_t total = boundary.n + strlen("----");

	for (unsigned i = 0; i < n; i++)
		total += fixed + digits(ranges[i].first) + digits(ranges[i].last) +
			 (ranges[i].last - ranges[i].first + 1);
	return total;
}

struct multipart {
	struct body body;
	struct arena *arena;
	const struct range *ranges;
	unsigned n, at;
	uint64_t size;
	struct str content_type, boundary;
	range_open_fn *open;
	void *arg;
	struct body *part;              /* the range being read */
	bool ended;
};

waits static int part_next(struct multipart *m, struct str *ret_chunk)
{
	int rc = body_next(m->part, ret_chunk);

	if (rc != 0)
		return rc;
	body_close(m->part);
	m->part = NULL;
	m->at++;
	*ret_chunk = S("\r\n");
	return 1;
}

task_asserted static int multipart_next(struct body *b, struct str *ret_chunk)
{
	struct multipart *m = container_of(b, struct multipart, body);
	int rc = 1;

	if (m->ended)
		return 0;
	if (m->part) {
		rc = part_next(m, ret_chunk);
	} else if (m->at < m->n) {
		const struct range *r = &m->ranges[m->at];

		m->part = m->open(m->arg, r->first, r->last);
		if (!m->part)
			return -EIO;
		*ret_chunk = part_head(m->arena, r, m->size, m->content_type, m->boundary);
	} else {
		m->ended = true;
		*ret_chunk = arena_printf(m->arena, "--%.*s--", STR(m->boundary));
	}
	if (rc > 0)
		b->left -= (int64_t)ret_chunk->n;
	return rc;
}

task_asserted static void multipart_close(struct body *b)
{
	struct multipart *m = container_of(b, struct multipart, body);

	body_close(m->part);
	m->part = NULL;
}

struct body *ranges_multipart_body(struct arena *a, const struct range *ranges, unsigned n,
				   uint64_t size, struct str content_type, struct str boundary,
				   range_open_fn *open, void *arg)
{
	struct multipart *m = arena_zalloc(a, sizeof *m);

	*m = (struct multipart){
		.body = { .next = multipart_next, .close = multipart_close },
		.arena = a, .ranges = ranges, .n = n, .size = size,
		.content_type = content_type, .boundary = boundary, .open = open, .arg = arg,
	};
	m->body.left = (int64_t)ranges_multipart_length(ranges, n, size, content_type, boundary);
	return &m->body;
}
