/* Whether a response is what it must be: status, ETag, length, every byte of every body. */
#include "tests/bench/load/conn.h"

enum {
	PAGE = 1000,
	JSON_EVERY = 32,         /* of so many JSON listings one is looked through name by name */
};

static void count(struct conn *c, struct str s, char mark)
{
	const char *p = s.p, *end = s.p + s.n;

	while ((p = memchr(p, mark, (size_t)(end - p)))) {
		c->marks++;
		if (++p == end)
			break;
	}
}

/* The part of the set's names that this page must show. */
static struct str page_of(const struct conn *c)
{
	const struct job *j = c->job;
	size_t line = j->set ? j->listing.n / (size_t)j->set : 0;

	return str_head(str_skip(j->listing, line * (size_t)c->number), line * PAGE);
}

void check_body(void *conn, struct str s)
{
	struct conn *c = conn;
	struct str want;

	switch (c->op) {
	case OP_GET:
	case OP_TEMPURL:
		if (c->res.status == 200 && !body_matches(c->variant, c->res.got, s))
			c->body_wrong = true;
		return;
	case OP_LIST:
		want = str_head(str_skip(page_of(c), c->res.got), s.n);
		if (!str_eq(want, s))
			c->body_wrong = true;
		count(c, s, '\n');
		return;
	case OP_LISTJSON:
		count(c, s, '{');
		if (c->served % JSON_EVERY == 0)
			buf_add_str(&c->json, s);
		return;
	default:
		return;
	}
}

/* The values of all "name" members, in order, against the page. */
static bool json_names_match(const struct conn *c)
{
	struct str rest = buf_str(&c->json), page = page_of(c), name;

	while ((name = str_cut(&page, '\n')).p && name.n > 0) {
		ssize_t at = str_find(rest, S("\"name\""));

		if (at < 0)
			return false;
		rest = str_skip(rest, (size_t)at + 6);
		rest = str_trim(str_skip(rest, (size_t)str_chr(rest, ':') + 1));
		if (rest.n < name.n + 2 || rest.p[0] != '"' || rest.p[name.n + 1] != '"' ||
		    memcmp(rest.p + 1, name.p, name.n) != 0)
			return false;
		rest = str_skip(rest, name.n + 2);
	}
	return true;
}

static const char *check_object(struct conn *c)
{
	struct job *j = c->job;
	const struct response *r = &c->res;

	if (!j->load->plain && !str_eq(r->etag, str_from(body_etag(c->variant, j->size)))) {
		c->stats->bad_etag++;
		return "wrong ETag";
	}
	if (c->op == OP_PUT)
		return r->status == 201 ? NULL : "PUT without 201";
	if ((c->op == OP_HEAD ? r->length : r->got) != j->size) {
		c->stats->bad_length++;
		return "wrong length";
	}
	if (c->body_wrong) {
		c->stats->bad_body++;
		return "wrong body";
	}
	return NULL;
}

static const char *check_listing(struct conn *c)
{
	uint64_t want = (uint64_t)MIN(c->job->set, PAGE);
	bool looked_through = c->op == OP_LISTJSON && c->json.n > 0;

	if (c->marks == want && !c->body_wrong && (!looked_through || json_names_match(c)))
		return NULL;
	c->stats->bad_listing++;
	return "wrong listing";
}

const char *check_response(struct conn *c)
{
	int status = c->res.status;

	if (c->job->tolerates_404 && status == 404)
		return NULL;
	if (status / 100 != 2)
		return "unexpected status";
	switch (c->op) {
	case OP_PUT:
	case OP_GET:
	case OP_HEAD:
	case OP_TEMPURL:
		return check_object(c);
	case OP_LIST:
	case OP_LISTJSON:
		return check_listing(c);
	case OP_LOGIN:
		return c->res.has_token ? NULL : "login without a token";
	default:
		return NULL;
	}
}
