/* /v2/images/{id}/members: with whom a shared image is shared, and who has accepted it. */
#include "compute/image/image.h"
#include "lib/base/clock.h"

enum { BODY_MAX = 64 * KIB };

static json_t *member_view(const json_t *doc, const json_t *m)
{
	return json_pack("{s:O, s:O, s:O, s:o, s:o, s:s}", "member_id",
			 json_object_get(m, "member_id"), "image_id", json_object_get(doc, "id"),
			 "status", json_object_get(m, "status"), "created_at",
			 api_time(image_number(m, "_created_us")), "updated_at",
			 api_time(image_number(m, "_updated_us")), "schema",
			 "/v2/schemas/member");
}

static bool owns(const struct caller *who, const json_t *doc)
{
	return who->admin ||
	       (who->project_id.n && str_eq(json_str(doc, "owner"), who->project_id));
}

/* The member of that id, if the caller may know of it: the owner knows all, others themselves. */
static json_t *find(const struct caller *who, const json_t *doc, struct str id, size_t *ret_at)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(doc, "_members"), i, m)
		if (str_eq(json_str(m, "member_id"), id) &&
		    (owns(who, doc) || str_eq(id, who->project_id))) {
			if (ret_at)
				*ret_at = i;
			return m;
		}
	return NULL;
}

static void no_member(struct api_call *c)
{
	api_error(c, 404, "%.*s not found in the member list of the image %.*s.",
		  STR(c->arg[1]), STR(c->arg[0]));
}

void image_members(struct api_call *c)
{
	AUTO(json_text) doc = image_need(c);
	json_t *list, *m;
	bool any = false;
	size_t i;

	if (!doc)
		return;
	list = json_array();
	json_array_foreach(json_object_get(doc, "_members"), i, m)
		if (find(c->caller, doc, json_str(m, "member_id"), NULL)) {
			json_array_append_new(list, member_view(doc, m));
			any = true;
		}
	if (!any && !owns(c->caller, doc)) {
		json_decref(list);
		image_not_found(c, c->arg[0]);
		return;
	}
	api_respond(c, 200, json_pack("{s:o, s:s}", "members", list, "schema",
				      "/v2/schemas/members"));
}

void image_member_show(struct api_call *c)
{
	AUTO(json_text) doc = image_need(c);
	const json_t *m = doc ? find(c->caller, doc, c->arg[1], NULL) : NULL;

	if (m)
		api_respond(c, 200, member_view(doc, m));
	else if (doc)
		no_member(c);
}

static int add(struct image_change *ch, json_t *doc)
{
	struct str id = *(struct str *)ch->arg;
	json_t *members = json_object_get(doc, "_members");
	int64_t now = clock_wall_us();
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (!str_eq(json_str(doc, "visibility"), S("shared")))
		return image_refuse(ch, 403, "Only shared images have members.");
	if (find(ch->c->caller, doc, id, NULL))
		return image_refuse(ch, 409, "Member %.*s is duplicated for image %.*s", STR(id),
				    STR(ch->c->arg[0]));
	if (json_array_size(members) >= (size_t)image_conf.member_quota)
		return image_refuse(ch, 413, "The limit of %" PRId64 " members has been exceeded.",
				    image_conf.member_quota);
	json_array_append_new(members,
			      json_pack("{s:o, s:s, s:I, s:I}", "member_id", json_of(id),
					"status", "pending", "_created_us", (json_int_t)now,
					"_updated_us", (json_int_t)now));
	return 1;
}

/* A string member of the request's body, copied; absent when it was answered 400. */
waits static struct str body_word(struct api_call *c, const char *key)
{
	AUTO(json_text) body = api_body(c, BODY_MAX);
	struct str word = json_str(body, key);

	if (!body)
		return STR_NONE;
	if (word.n == 0 || word.n > IMAGE_NAME_MAX) {
		api_error(c, 400, "The body of the request needs a member '%s' that is a string "
				  "of at most 255 characters.", key);
		return STR_NONE;
	}
	return arena_str(c->arena, word);
}

static void respond_member(struct api_call *c, const json_t *doc, struct str id)
{
	const json_t *m = find(c->caller, doc, id, NULL);

	if (m)
		api_respond(c, 200, member_view(doc, m));
	else
		no_member(c);
}

void image_member_add(struct api_call *c)
{
	struct str id = body_word(c, "member");

	if (!id.p)
		return;
	AUTO(json_text) doc = image_change(c, add, &id);

	if (doc)
		respond_member(c, doc, id);
}

static int set_status(struct image_change *ch, json_t *doc)
{
	const struct caller *who = ch->c->caller;
	struct str id = ch->c->arg[1], status = *(struct str *)ch->arg;
	json_t *m = find(who, doc, id, NULL);

	if (!m) {
		no_member(ch->c);
		return IMAGE_ANSWERED;
	}
	if (!who->admin && !str_eq(id, who->project_id))
		return image_refuse(ch, 403, "You are not permitted to modify 'status' on this "
					     "image member.");
	if (!str_eq(status, S("accepted")) && !str_eq(status, S("rejected")) &&
	    !str_eq(status, S("pending")))
		return image_refuse(ch, 400, "Status must be \"pending\", \"accepted\" or "
					     "\"rejected\".");
	json_object_set_new(m, "status", json_of(status));
	json_object_set_new(m, "_updated_us", json_integer(clock_wall_us()));
	return 1;
}

void image_member_update(struct api_call *c)
{
	struct str status = body_word(c, "status");

	if (!status.p)
		return;
	AUTO(json_text) doc = image_change(c, set_status, &status);

	if (doc)
		respond_member(c, doc, c->arg[1]);
}

static int remove_member(struct image_change *ch, json_t *doc)
{
	size_t at = 0;
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (!find(ch->c->caller, doc, ch->c->arg[1], &at)) {
		no_member(ch->c);
		return IMAGE_ANSWERED;
	}
	json_array_remove(json_object_get(doc, "_members"), at);
	return 1;
}

void image_member_remove(struct api_call *c)
{
	AUTO(json_text) doc = image_change(c, remove_member, NULL);

	if (doc)
		api_respond_empty(c, 204);
}
