/* The image service: Glance v2. What its files share. docs/compute.md#images
 *
 * An image is a record (compute/store/records.h): a JSON object with the fields of the API, its
 * free properties in "properties", and what is ours in members that begin with '_':
 *	_created_us, _updated_us        times; created_at and updated_at are made of them
 *	_members                        [{"member_id", "status", "_created_us", "_updated_us"}]
 *	_data                           {"object", "prefix"}: where the bytes are, once it is active
 *	_upload                         {"host", "run", "prefix", "was"}: an upload under way
 *	_stage                          as _data, with size and digests: staged and not imported yet
 */
#pragma once
#include "compute/api/api.h"
#include "compute/store/records.h"

struct image_conf {             /* [image] */
	bool enabled;
	const char *bind_ip;
	int64_t bind_port;
	const char *container;          /* of the records; those of the data are named after it */
	struct conf_list disk_formats, container_formats, web_download_hosts;
	uint64_t image_size_cap, project_quota, segment_size;
	int64_t property_quota, tag_quota, member_quota;
	int64_t limit_default, limit_max;
	bool require_format_match;
	uint64_t task_life, sweep_interval, orphan_age;
};
extern struct image_conf image_conf;
extern const struct conf_section image_section;
int image_conf_ready(struct fault *why);

struct image_state {
	struct compute *compute;
	struct records *images, *tasks, *namespaces;
	struct str data;                /* the container of the bytes */
	char run[UUID_SIZE];            /* tells this process from the one before it */
	struct list late;               /* uploads that were given up: remove.c */
	unsigned late_n;
	struct task *late_task;         /* while it waits for more of them */
};
static inline struct image_state *image_state(const struct api_call *c)
{
	return c->state;
}

extern const struct api image_api;

/* ---- the record ---- */

enum { IMAGE_BODY_MAX = 256 * KIB, IMAGE_NAME_MAX = 255 };

/* Whether the caller may see the image, and change it (its owner's members, and admins). */
bool image_visible(const struct caller *caller, const json_t *doc);
bool image_mutable(const struct caller *caller, const json_t *doc);
/* As clients see it (new reference). */
json_t *image_view(const json_t *doc);
/* A number of ours in the record; 0 when it is not there. */
int64_t image_number(const json_t *doc, const char *key);
bool image_has_status(const json_t *doc, const char *status);
/* Sets "_updated_us" to now. */
void image_touch(json_t *doc);

/* Fields that the API knows. */
enum image_kind { IMAGE_TEXT, IMAGE_NUMBER, IMAGE_BOOL, IMAGE_TAGS, IMAGE_WORD };
struct image_field {
	const char *name;
	enum image_kind kind;
	const char *about;              /* for the schema */
	bool read_only;
	bool nullable;
};
extern const struct image_field image_fields[];        /* ended by a name of NULL */
const struct image_field *image_field(struct str name);
/* The words that an IMAGE_WORD may be; by name. */
const struct conf_list *image_words(const struct image_field *f);
/* Whether the value may stand there: NULL, or what is wrong with it, in the arena. */
const char *image_value_wrong(struct arena *a, const struct image_field *f, const json_t *value);
/* A free property: the same. */
const char *image_property_wrong(struct arena *a, struct str name, const json_t *value);
/* "os_glance_…" belongs to the service. */
bool image_name_reserved(struct str name);

/* The image of the request's first argument (new reference), if the caller may see it; else 404
 * was answered, or 503. */
waits json_t *image_need(struct api_call *c);
/* Runs a change of that image: fn gets it only when the caller may see it. What fn has answered
 * itself it returns as IMAGE_ANSWERED. The new document, or NULL and answered. */
enum { IMAGE_ANSWERED = -EALREADY };
struct image_change {
	struct api_call *c;
	int (*fn)(struct image_change *ch, json_t *doc);        /* as record_change */
	void *arg;
};
waits json_t *image_change(struct api_call *c, int (*fn)(struct image_change *ch, json_t *doc),
			   void *arg);
/* For fn: answers, and returns IMAGE_ANSWERED. */
int image_refuse(struct image_change *ch, int status, const char *fmt, ...) printf_like(3, 4);
/* For fn: 0 when the caller may change the image; else 403 was answered. */
must_check int image_need_mutable(struct image_change *ch, const json_t *doc);
void image_not_found(struct api_call *c, struct str id);

/* ---- the routes: each answers ---- */

waits void image_create(struct api_call *c);
waits void image_list(struct api_call *c);
waits void image_show(struct api_call *c);
waits void image_update(struct api_call *c);
waits void image_delete(struct api_call *c);
waits void image_deactivate(struct api_call *c);
waits void image_reactivate(struct api_call *c);
waits void image_tag_add(struct api_call *c);
waits void image_tag_remove(struct api_call *c);
waits void image_members(struct api_call *c);
waits void image_member_add(struct api_call *c);
waits void image_member_show(struct api_call *c);
waits void image_member_update(struct api_call *c);
waits void image_member_remove(struct api_call *c);
waits void image_upload(struct api_call *c);
waits void image_stage(struct api_call *c);
waits void image_download(struct api_call *c);
waits void image_import(struct api_call *c);
waits void image_tasks(struct api_call *c);
waits void tasks_list(struct api_call *c);
waits void task_show(struct api_call *c);
void image_info_import(struct api_call *c);
void image_info_stores(struct api_call *c);
waits void image_info_usage(struct api_call *c);
void image_schema(struct api_call *c);
void image_metadef_schema(struct api_call *c);
