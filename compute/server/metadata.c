/* Metadata and tags of servers. Nova: api/openstack/compute/{server_metadata,server_tags}.py */
#include "compute/server/server.h"

enum { TAGS_MAX = 50, TAG_MAX = 60, TEXT_MAX = 255 };

static int64_t characters(const char *p)
{
	int64_t n = 0;

	for (; *p; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	return n;
}

bool server_metadata_check(struct api_call *c, const json_t *metadata, int64_t most)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)metadata, key, v)
		if (!*key || characters(key) > TEXT_MAX || !json_is_string(v) ||
		    characters(json_string_value(v)) > TEXT_MAX) {
			api_error(c, 400, "Invalid input for field/attribute metadata: '%.300s'",
				  key);
			return false;
		}
	if (most >= 0 && json_object_size(metadata) > (size_t)most) {
		api_error(c, 403, "Maximum number of metadata items exceeds %" PRId64, most);
		return false;
	}
	return true;
}

bool tags_check(struct api_call *c, const json_t *tags)
{
	const json_t *t;
	size_t i;

	if (!json_is_array(tags) || json_array_size(tags) > TAGS_MAX) {
		api_error(c, 400, "Invalid input for field/attribute tags: at most %d",
			  TAGS_MAX);
		return false;
	}
	json_array_foreach((json_t *)tags, i, t) {
		const char *p = json_string_value(t);

		if (p && *p && characters(p) <= TAG_MAX && !strpbrk(p, ",/"))
			continue;
		api_error(c, 400, "Invalid input for field/attribute tags: at most 60 characters, "
				  "without comma and slash");
		return false;
	}
	return true;
}

void server_metadata(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);

	if (doc)
		api_respond(c, 200, json_pack("{s:O}", "metadata",
					      json_object_get(doc, "metadata")));
}

struct wish {
	const json_t *with;             /* metadata */
	bool replace;
	const char *key;
};

static int change(struct server_change *ch, json_t *doc)
{
	const struct wish *w = ch->arg;
	json_t *metadata = json_object_get(doc, "metadata");
	int rc = server_unlocked(ch, doc);

	if (rc < 0)
		return rc;
	if (w->replace)
		json_object_set_new(doc, "metadata", json_deep_copy(w->with));
	else
		json_object_update(metadata, (json_t *)w->with);
	if (server_conf.quota_metadata >= 0 && json_object_size(json_object_get(doc, "metadata")) >
						       (size_t)server_conf.quota_metadata)
		return server_refuse(ch, 403, "Maximum number of metadata items exceeds %" PRId64,
				     server_conf.quota_metadata);
	server_touch(doc);
	return 1;
}

waits static void set_all(struct api_call *c, bool replace)
{
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	struct wish w = { .with = json_object_get(body, "metadata"), .replace = replace };

	if (!body)
		return;
	if (!json_is_object(w.with)) {
		api_error(c, 400, "Invalid input: 'metadata' is a required property");
		return;
	}
	if (!server_metadata_check(c, w.with, -1))
		return;
	AUTO(json_text) doc = server_change(c, change, &w);

	if (doc)
		api_respond(c, 200, json_pack("{s:O}", "metadata",
					      json_object_get(doc, "metadata")));
}

void server_metadata_set(struct api_call *c)
{
	set_all(c, true);
}

void server_metadata_add(struct api_call *c)
{
	set_all(c, false);
}

static json_t *meta_of(struct api_call *c, const json_t *doc, const char *key)
{
	json_t *v = json_object_get(json_object_get(doc, "metadata"), key);

	if (!v)
		api_error(c, 404, "Metadata item was not found");
	return v;
}

void server_meta_show(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);
	char *key = arena_cstr(c->arena, c->arg[1]);
	json_t *v = doc ? meta_of(c, doc, key) : NULL;

	if (v)
		api_respond(c, 200, json_pack("{s:{s:O}}", "meta", key, v));
}

void server_meta_set(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	struct wish w = { .with = json_object_get(body, "meta") };
	char *key = arena_cstr(c->arena, c->arg[1]);

	if (!body)
		return;
	if (json_object_size(w.with) != 1 || !json_object_get(w.with, key)) {
		api_error(c, 400, "Request body and URI mismatch");
		return;
	}
	if (!server_metadata_check(c, w.with, -1))
		return;
	AUTO(json_text) doc = server_change(c, change, &w);

	if (doc)
		api_respond(c, 200, json_pack("{s:O}", "meta", w.with));
}

static int delete_meta(struct server_change *ch, json_t *doc)
{
	const struct wish *w = ch->arg;
	int rc = server_unlocked(ch, doc);

	if (rc < 0)
		return rc;
	if (!meta_of(ch->c, doc, w->key))
		return SERVER_ANSWERED;
	json_object_del(json_object_get(doc, "metadata"), w->key);
	server_touch(doc);
	return 1;
}

void server_meta_delete(struct api_call *c)
{
	struct wish w = { .key = arena_cstr(c->arena, c->arg[1]) };
	AUTO(json_text) doc = server_change(c, delete_meta, &w);

	if (doc)
		api_respond_empty(c, 204);
}

/* ---- tags ---- */

static void respond_tags(struct api_call *c, const json_t *doc)
{
	api_respond(c, 200, json_pack("{s:O}", "tags", json_object_get(doc, "tags")));
}

static int tag_at(const json_t *doc, struct str tag)
{
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(doc, "tags"), i, t)
		if (str_eq(str_from(json_string_value(t)), tag))
			return (int)i;
	return -1;
}

void server_tags(struct api_call *c)
{
	AUTO(json_text) doc = version_from(c, 26) ? server_need(c) : NULL;

	if (doc)
		respond_tags(c, doc);
}

static int set_tags(struct server_change *ch, json_t *doc)
{
	const json_t *t;
	size_t i;

	json_object_set_new(doc, "tags", json_array());
	json_array_foreach((json_t *)ch->arg, i, t)
		if (tag_at(doc, str_from(json_string_value(t))) < 0)
			json_array_append(json_object_get(doc, "tags"), (json_t *)t);
	server_touch(doc);
	return 1;
}

void server_tags_set(struct api_call *c)
{
	AUTO(json_text) body = version_from(c, 26) ? api_body(c, SERVER_BODY_MAX) : NULL;
	json_t *tags = json_object_get(body, "tags");

	if (!body || !tags_check(c, tags))
		return;
	AUTO(json_text) doc = server_change(c, set_tags, tags);

	if (doc)
		respond_tags(c, doc);
}

void server_tags_clear(struct api_call *c)
{
	AUTO(json_text) none = json_array();
	AUTO(json_text) doc = version_from(c, 26) ? server_change(c, set_tags, none) : NULL;

	if (doc)
		api_respond_empty(c, 204);
}

void server_tag_show(struct api_call *c)
{
	AUTO(json_text) doc = version_from(c, 26) ? server_need(c) : NULL;

	if (doc && tag_at(doc, c->arg[1]) >= 0)
		api_respond_empty(c, 204);
	else if (doc)
		api_error(c, 404, "Server %.*s has no tag '%.*s'", STR(c->arg[0]),
			  STR(c->arg[1]));
}

static int add_tag(struct server_change *ch, json_t *doc)
{
	bool *ret_new = ch->arg;

	*ret_new = tag_at(doc, ch->c->arg[1]) < 0;
	if (!*ret_new)
		return 0;
	if (json_array_size(json_object_get(doc, "tags")) >= TAGS_MAX)
		return server_refuse(ch, 400, "The number of tags exceeded the limit %d.",
				     TAGS_MAX);
	json_array_append_new(json_object_get(doc, "tags"), json_of(ch->c->arg[1]));
	server_touch(doc);
	return 1;
}

void server_tag_add(struct api_call *c)
{
	AUTO(json_text) one = json_pack("[o]", json_of(c->arg[1]));
	bool added = false;

	if (!version_from(c, 26) || !tags_check(c, one))
		return;
	AUTO(json_text) doc = server_change(c, add_tag, &added);

	if (!doc)
		return;
	api_respond_empty(c, added ? 201 : 204);
	headers_set(&c->res->headers, S("Location"),
		    api_url(c, arena_cstr(c->arena, c->req->path)));
}

static int delete_tag(struct server_change *ch, json_t *doc)
{
	int at = tag_at(doc, ch->c->arg[1]);

	if (at < 0)
		return server_refuse(ch, 404, "Server %.*s has no tag '%.*s'", STR(ch->c->arg[0]),
				     STR(ch->c->arg[1]));
	json_array_remove(json_object_get(doc, "tags"), (size_t)at);
	server_touch(doc);
	return 1;
}

void server_tag_delete(struct api_call *c)
{
	AUTO(json_text) doc = version_from(c, 26) ? server_change(c, delete_tag, NULL) : NULL;

	if (doc)
		api_respond_empty(c, 204);
}
