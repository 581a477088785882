/* Keeps internal headers inside: what clients must not send is dropped on the way in, what they
 * must not see on the way out. Names are written with hyphens from here on. Swift:
 * common/middleware/gatekeeper.py */
#include "lib/swift/metadata.h"
#include "proxy/middleware/kinds.h"

struct gatekeeper_conf {
	bool shunt_inbound_x_timestamp;
};

static struct gatekeeper_conf conf;
static const struct conf_option options[] = {
	OPT_BOOL(struct gatekeeper_conf, shunt_inbound_x_timestamp, "true",
		 "Drop X-Timestamp that a client sends (false lets clients choose timestamps)."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "gatekeeper",
	.help = "The edge: internal headers neither enter nor leave.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

static void remove_internal(struct headers *h)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (!metadata_is_internal(h->v[i].name))
			h->v[kept++] = h->v[i];
	h->n = kept;
}

/* "X-Container-Meta-two_words" is "X-Container-Meta-two-words" to a WSGI server, so to Swift. Only
 * of such names, so that nothing that frames a request comes into being. */
static void hyphenate(struct headers *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct str name = h->v[i].name;

		if (str_chr(name, '_') < 0 || name.n < 2 || (name.p[0] | 32) != 'x' ||
		    (name.p[1] != '-' && name.p[1] != '_'))
			continue;
		char *copy = arena_cstr(h->arena, name);

		for (size_t k = 0; k < name.n; k++)
			if (copy[k] == '_')
				copy[k] = '-';
		h->v[i].name = str_of(copy, name.n);
	}
}

/* Of a name that is there more than once a WSGI server makes one value with commas. */
static void join_repeated(struct headers *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct header *first = &h->v[i];
		unsigned kept = i + 1;

		if (!str_istarts(first->name, S("X-")))
			continue;
		for (unsigned j = i + 1; j < h->n; j++) {
			if (str_ieq(h->v[j].name, first->name))
				first->value = arena_printf(h->arena, "%.*s,%.*s",
							    STR(first->value), STR(h->v[j].value));
			else
				h->v[kept++] = h->v[j];
		}
		h->n = kept;
	}
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	hyphenate(&req->headers);
	join_repeated(&req->headers);
	remove_internal(&req->headers);
	if (conf.shunt_inbound_x_timestamp)
		headers_remove(&req->headers, S("X-Timestamp"));
	middleware_next(mw, req, res);
	remove_internal(&res->headers);
}

const struct middleware_kind middleware_gatekeeper = {
	.name = "gatekeeper", .section = &section, .handle = handle, .required = true
};
