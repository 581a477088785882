/* PATCH /v2/images/{id}; DELETE; deactivate and reactivate; tags. */
#include "compute/image/data.h"
#include "compute/image/image.h"
#include "compute/image/patch.h"

struct steps {
	struct patch_step *v;
	size_t n;
	enum patch_dialect dialect;
};

/* What only some may do with a field. 0 or IMAGE_ANSWERED. */
static int check_field(struct image_change *ch, const json_t *doc, const struct image_field *f,
		       const json_t *value)
{
	const struct caller *who = ch->c->caller;
	bool format = strcmp(f->name, "disk_format") == 0 ||
		      strcmp(f->name, "container_format") == 0;

	if (f->read_only || strcmp(f->name, "id") == 0)
		return image_refuse(ch, 403, "Attribute '%s' is read-only.", f->name);
	if (f->kind == IMAGE_TAGS && json_array_size(value) > (size_t)image_conf.tag_quota)
		return image_refuse(ch, 413, "The limit of %" PRId64 " tags has been exceeded.",
				    image_conf.tag_quota);
	const char *wrong = image_value_wrong(ch->c->arena, f, value);

	if (wrong)
		return image_refuse(ch, 400, "Provided object does not match schema 'image': "
					     "'%s' %s", f->name, wrong);
	if (strcmp(f->name, "owner") == 0 && !who->admin)
		return image_refuse(ch, 403, "Owner can't be updated by non admin.");
	if (strcmp(f->name, "visibility") == 0 && !who->admin &&
	    strcmp(json_string_value(value), "public") == 0)
		return image_refuse(ch, 403, "You are not authorized to complete "
					     "publicize_image action.");
	if (format && !image_has_status(doc, "queued") &&
	    !json_equal(value, json_object_get(doc, f->name)))
		return image_refuse(ch, 403, "Attribute %s can be only replaced for a queued "
					     "image.", f->name);
	return 0;
}

static void set_tags(json_t *doc, const json_t *tags)
{
	json_t *list = json_array(), *tag;
	size_t i, j;

	json_array_foreach((json_t *)tags, i, tag) {
		const json_t *other;
		bool seen = false;

		json_array_foreach(list, j, other)
			seen |= json_equal(tag, other);
		if (!seen)
			json_array_append(list, tag);
	}
	json_object_set_new(doc, "tags", list);
}

static int step_field(struct image_change *ch, json_t *doc, const struct steps *steps,
		      const struct patch_step *s, const struct image_field *f)
{
	if (s->op == PATCH_REMOVE)
		return image_refuse(ch, 403, "Property %s may not be removed.", f->name);
	/* A field is always there, if only as null: the old dialect cannot add what is there. */
	if (s->op == PATCH_ADD && steps->dialect == PATCH_V20 && !f->read_only &&
	    !json_is_null(json_object_get(doc, f->name)))
		return image_refuse(ch, 409, "Property %s already present.", f->name);
	int rc = check_field(ch, doc, f, s->value);

	if (rc < 0)
		return rc;
	if (f->kind == IMAGE_TAGS)
		set_tags(doc, s->value);
	else
		json_object_set(doc, f->name, s->value);
	return 0;
}

static int step_property(struct image_change *ch, json_t *doc, const struct steps *steps,
			 const struct patch_step *s)
{
	json_t *properties = json_object_get(doc, "properties");
	const char *key = s->name.p;    /* ends with a NUL */
	bool there = json_object_get(properties, key) != NULL;

	if (image_name_reserved(s->name))
		return image_refuse(ch, 403, "Attribute '%s' is reserved.", key);
	if (s->op == PATCH_ADD ? there && steps->dialect == PATCH_V20 : !there)
		return image_refuse(ch, 409, there ? "Property %s already present." :
						     "Property %s does not exist.", key);
	if (s->op == PATCH_REMOVE) {
		json_object_del(properties, key);
		return 0;
	}
	const char *wrong = image_property_wrong(ch->c->arena, s->name, s->value);

	if (wrong)
		return image_refuse(ch, 400, "Provided object does not match schema 'image': "
					     "'%s' %s", key, wrong);
	json_object_set(properties, key, s->value);
	if (!there && json_object_size(properties) > (size_t)image_conf.property_quota)
		return image_refuse(ch, 413, "The limit of %" PRId64 " properties has been "
					     "exceeded.", image_conf.property_quota);
	return 0;
}

static int apply(struct image_change *ch, json_t *doc)
{
	const struct steps *steps = ch->arg;
	int rc = image_need_mutable(ch, doc);

	for (size_t i = 0; i < steps->n && rc == 0; i++) {
		const struct patch_step *s = &steps->v[i];
		const struct image_field *f = image_field(s->name);

		rc = f ? step_field(ch, doc, steps, s, f) : step_property(ch, doc, steps, s);
	}
	if (rc < 0)
		return rc;
	image_touch(doc);
	return 1;
}

void image_update(struct api_call *c)
{
	struct steps steps;
	struct fault why;

	if (patch_dialect_parse(headers_get_lit(&c->req->headers, "Content-Type"),
				&steps.dialect) < 0) {
		api_error(c, 415, "The content type of a change is a JSON patch.");
		headers_set(&c->res->headers, S("Accept-Patch"),
			    S("application/openstack-images-v2.1-json-patch, "
			      "application/openstack-images-v2.0-json-patch"));
		return;
	}
	AUTO(json_text) body = api_body(c, IMAGE_BODY_MAX);

	if (!body)
		return;
	if (patch_parse(c->arena, body, steps.dialect, &steps.v, &steps.n, &why) < 0) {
		api_error(c, 400, "%s", why.text);
		return;
	}
	AUTO(json_text) doc = image_change(c, apply, &steps);

	if (doc)
		api_respond(c, 200, image_view(doc));
}

/* ---- deleting ---- */

/* First the record says so, and nobody sees the image any more; then its bytes go, then it. What
 * breaks off is finished by the sweep. */
static int mark_deleted(struct image_change *ch, json_t *doc)
{
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (json_is_true(json_object_get(doc, "protected")))
		return image_refuse(ch, 403, "Image %.*s is protected and cannot be deleted.",
				    STR(ch->c->arg[0]));
	json_object_set_new(doc, "status", json_string("deleted"));
	image_touch(doc);
	return 1;
}

void image_delete(struct api_call *c)
{
	AUTO(json_text) doc = image_change(c, mark_deleted, NULL);

	if (!doc)
		return;
	image_remove_later(image_state(c), json_str(doc, "id"));
	api_respond_empty(c, 204);
}

/* ---- actions ---- */

static int deactivate(struct image_change *ch, json_t *doc)
{
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (image_has_status(doc, "deactivated"))
		return 0;
	if (!image_has_status(doc, "active"))
		return image_refuse(ch, 403, "Not allowed to deactivate image in status '%.*s'",
				    STR(json_str(doc, "status")));
	json_object_set_new(doc, "status", json_string("deactivated"));
	image_touch(doc);
	return 1;
}

static int reactivate(struct image_change *ch, json_t *doc)
{
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (image_has_status(doc, "active"))
		return 0;
	if (!image_has_status(doc, "deactivated"))
		return image_refuse(ch, 403, "Not allowed to reactivate image in status '%.*s'",
				    STR(json_str(doc, "status")));
	json_object_set_new(doc, "status", json_string("active"));
	image_touch(doc);
	return 1;
}

void image_deactivate(struct api_call *c)
{
	AUTO(json_text) doc = image_change(c, deactivate, NULL);

	if (doc)
		api_respond_empty(c, 204);
}

void image_reactivate(struct api_call *c)
{
	AUTO(json_text) doc = image_change(c, reactivate, NULL);

	if (doc)
		api_respond_empty(c, 204);
}

/* ---- tags ---- */

static ssize_t tag_index(const json_t *doc, struct str tag)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(doc, "tags"), i, item)
		if (str_eq(tag, str_of(json_string_value(item), json_string_length(item))))
			return (ssize_t)i;
	return -1;
}

static int add_tag(struct image_change *ch, json_t *doc)
{
	struct str tag = ch->c->arg[1];
	json_t *tags = json_object_get(doc, "tags");
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (tag.n > IMAGE_NAME_MAX || !str_is_utf8(tag))
		return image_refuse(ch, 400, "A tag has at most %d characters.", IMAGE_NAME_MAX);
	if (tag_index(doc, tag) >= 0)
		return 0;
	if (json_array_size(tags) >= (size_t)image_conf.tag_quota)
		return image_refuse(ch, 413, "The limit of %" PRId64 " tags has been exceeded.",
				    image_conf.tag_quota);
	json_array_append_new(tags, json_of(tag));
	image_touch(doc);
	return 1;
}

static int remove_tag(struct image_change *ch, json_t *doc)
{
	ssize_t at = tag_index(doc, ch->c->arg[1]);
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (at < 0)
		return image_refuse(ch, 404, "Tag %.*s could not be found.", STR(ch->c->arg[1]));
	json_array_remove(json_object_get(doc, "tags"), (size_t)at);
	image_touch(doc);
	return 1;
}

void image_tag_add(struct api_call *c)
{
	AUTO(json_text) doc = image_change(c, add_tag, NULL);

	if (doc)
		api_respond_empty(c, 204);
}

void image_tag_remove(struct api_call *c)
{
	AUTO(json_text) doc = image_change(c, remove_tag, NULL);

	if (doc)
		api_respond_empty(c, 204);
}
