/* Accept headers: one pass, no backtracking. */
#include "lib/swift/accept.h"

struct range {
	struct str type, subtype;
	double quality;
	bool exact;
};

static bool is_token_char(char c)
{
	return (unsigned char)c > 0x20 && c != 0x7f && !strchr("()<>@,;:\"/[]?={}", c);
}

static struct str take_token(struct str *s)
{
	size_t n = 0;

	while (n < s->n && is_token_char(s->p[n]))
		n++;
	struct str token = str_head(*s, n);

	*s = str_skip(*s, n);
	return token;
}

static void skip_blanks(struct str *s)
{
	while (s->n && (s->p[0] == ' ' || s->p[0] == '\t'))
		*s = str_skip(*s, 1);
}

/* A quoted string or a token behind '='. */
static int take_value(struct str *s, struct str *ret)
{
	if (!s->n || s->p[0] != '"') {
		*ret = take_token(s);
		return ret->n ? 0 : -EINVAL;
	}
	size_t n = 1;

	while (n < s->n && s->p[n] != '"')
		n += s->p[n] == '\\' ? 2 : 1;
	if (n >= s->n)
		return -EINVAL;
	*ret = str_head(*s, n + 1);
	*s = str_skip(*s, n + 1);
	return 0;
}

static int take_parameters(struct str *s, struct range *r)
{
	bool seen_q = false;

	for (;;) {
		struct str name, value;

		skip_blanks(s);
		if (s->n == 0)
			return 0;
		if (s->p[0] != ';')
			return -EINVAL;
		*s = str_skip(*s, 1);
		skip_blanks(s);
		if (s->n == 0 || (name = take_token(s)).n == 0)
			return -EINVAL;
		skip_blanks(s);
		if (s->n == 0 || s->p[0] != '=')
			return -EINVAL;
		*s = str_skip(*s, 1);
		skip_blanks(s);
		if (take_value(s, &value) < 0)
			return -EINVAL;
		if (!str_eq(name, S("q")))
			continue;
		if (seen_q || str_to_double(value, &r->quality) < 0)
			return -EINVAL;
		seen_q = true;
	}
}

static int parse_range(struct str s, struct range *ret)
{
	struct range r = { .quality = 1.0 };

	s = str_trim(s);
	r.type = take_token(&s);
	if (r.type.n == 0 || s.n == 0 || s.p[0] != '/')
		return -EINVAL;
	s = str_skip(s, 1);
	r.subtype = take_token(&s);
	if (r.subtype.n == 0 || take_parameters(&s, &r) < 0)
		return -EINVAL;
	r.exact = !str_eq(r.type, S("*")) && !str_eq(r.subtype, S("*"));
	*ret = r;
	return 0;
}

static bool range_covers(const struct range *r, struct str option)
{
	struct str rest = option, type = str_cut(&rest, '/');

	return (str_eq(r->type, S("*")) || str_eq(r->type, type)) &&
	       (str_eq(r->subtype, S("*")) || str_eq(r->subtype, rest));
}

int accept_best_match(struct str header, const struct str *options, size_t n, struct str *ret)
{
	struct range best = { .quality = -1 };
	struct str best_option = STR_NONE, part;

	if (header.n == 0) {
		*ret = options[0];
		return 0;
	}
	while ((part = str_cut(&header, ',')).p) {
		struct range r;

		if (parse_range(part, &r) < 0)
			return -EINVAL;
		bool better = r.quality > best.quality ||
			      (r.quality == best.quality && r.exact && !best.exact);
		for (size_t i = 0; better && i < n; i++)
			if (range_covers(&r, options[i])) {
				best = r;
				best_option = options[i];
				break;
			}
	}
	if (!best_option.p)
		return -ENOENT;
	*ret = best_option;
	return 0;
}

int accept_listing(struct str format, struct str accept, struct str *ret)
{
	static const struct str options[] = { STR_INIT("text/plain"), STR_INIT("application/json"),
					      STR_INIT("application/xml"), STR_INIT("text/xml") };

	if (!format.n)
		return accept_best_match(accept, options, ARRAY_LEN(options), ret);
	*ret = str_ieq(format, S("json"))  ? options[1]
	       : str_ieq(format, S("xml")) ? options[2]
					   : options[0];
	return 0;
}
