/* Sorts the headers of object requests into what is stored. */
#include "objectd/object/metadata.h"

#include "objectd/objectd_conf.h"

static bool longer_than(struct str name, struct str prefix)
{
	return name.n > prefix.n && str_istarts(name, prefix);
}

bool meta_is_user(struct str name)
{
	return longer_than(name, S("X-Object-Meta-"));
}

bool meta_is_sys(struct str name)
{
	return longer_than(name, S("X-Object-Sysmeta-"));
}

bool meta_is_transient(struct str name)
{
	return longer_than(name, S("X-Object-Transient-Sysmeta-"));
}

/* RESERVED_DATAFILE_META and what else has a place of its own. */
static bool is_reserved(struct str name)
{
	static const struct str names[] = {
		STR_INIT("Content-Length"), STR_INIT("Content-Type"), STR_INIT("ETag"),
		STR_INIT("X-Timestamp"), STR_INIT("Deleted"), STR_INIT("Name"),
		STR_INIT(META_CONTENT_TYPE_TS), STR_INIT(META_SWIFT_BYTES),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_ieq(names[i], name))
			return true;
	return false;
}

bool meta_is_allowed(struct str name)
{
	const struct conf_list *allowed = &objectd_conf.allowed_headers;

	for (unsigned i = 0; i < allowed->count; i++)
		if (allowed->items[i].n == name.n && str_ieq(allowed->items[i], name))
			return !is_reserved(name);
	return false;
}

bool meta_is_shown(struct str name)
{
	if (str_istarts(name, S("X-Object-")) &&
	    (meta_is_user(name) || meta_is_sys(name) || meta_is_transient(name)))
		return true;
	return meta_is_allowed(name);
}

/* Headers that a replicator names, because other configurations allow other headers. */
static bool named_by_replicator(const struct headers *request, struct str name)
{
	struct str rest = headers_get(request, S("X-Backend-Replication-Headers")), word;

	while ((word = str_cut(&rest, ' ')).p)
		if (word.n && str_ieq(word, name))
			return !is_reserved(name);
	return false;
}

static void set(struct headers *to, struct str name, struct str value)
{
	headers_set(to, header_title(to->arena, name), value);
}

void meta_of_put(const struct headers *request, const struct headers *footers, struct str etag,
		 struct headers *ret)
{
	bool by_replicator = headers_has(request, S("X-Backend-Replication-Headers"));

	headers_set(ret, S("Content-Type"), headers_get(request, S("Content-Type")));
	headers_set(ret, S("ETag"), etag);
	for (unsigned i = 0; i < request->n; i++) {
		const struct header *h = &request->v[i];

		if (meta_is_shown(h->name) ||
		    (by_replicator && named_by_replicator(request, h->name)))
			set(ret, h->name, h->value);
	}
	for (unsigned i = 0; footers && i < footers->n; i++) {
		const struct header *h = &footers->v[i];

		if (meta_is_user(h->name) || meta_is_sys(h->name) || meta_is_transient(h->name))
			set(ret, h->name, h->value);
	}
	if (by_replicator && headers_has(request, S(META_CONTENT_TYPE_TS)))
		headers_set(ret, S(META_CONTENT_TYPE_TS),
			    headers_get(request, S(META_CONTENT_TYPE_TS)));
	if (by_replicator && headers_has(request, S(META_SWIFT_BYTES)))
		headers_set(ret, S(META_SWIFT_BYTES), headers_get(request, S(META_SWIFT_BYTES)));
}

/* Of the data: it survives a POST (DiskFile._construct_from_data_file). */
static bool survives_post(struct str name)
{
	return meta_is_sys(name) || is_reserved(name) || str_ieq(name, S("X-Static-Large-Object"));
}

void meta_of_post(const struct headers *request, const struct headers *existing,
		  struct headers *ret)
{
	bool by_replicator = headers_has(request, S("X-Backend-Replication-Headers"));

	for (unsigned i = 0; i < existing->n; i++)
		if (survives_post(existing->v[i].name))
			headers_set(ret, existing->v[i].name, existing->v[i].value);
	for (unsigned i = 0; i < request->n; i++) {
		const struct header *h = &request->v[i];

		if (survives_post(h->name))
			continue;
		if (meta_is_user(h->name) || meta_is_transient(h->name) ||
		    meta_is_allowed(h->name) ||
		    (by_replicator && named_by_replicator(request, h->name)))
			set(ret, h->name, h->value);
	}
}

struct timestamp meta_content_type_ts(const struct headers *stored, struct timestamp data_ts)
{
	struct str text = headers_get(stored, S(META_CONTENT_TYPE_TS));
	struct timestamp ts;

	if (text.p && timestamp_parse(text, &ts) == 0)
		return ts;
	return data_ts;
}

struct str meta_swift_bytes(struct str content_type)
{
	struct str rest = content_type, part, found = STR_NONE;

	(void)str_cut(&rest, ';');
	while ((part = str_cut(&rest, ';')).p) {
		part = str_trim(part);
		if (str_starts(part, S("swift_bytes=")))
			found = str_skip(part, strlen("swift_bytes="));
	}
	return found;
}
