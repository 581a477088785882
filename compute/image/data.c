/* PUT and GET of /v2/images/{id}/file, PUT of /stage. */
#include "compute/image/data.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/swift/range.h"

/* ---- what both uploads share ---- */

struct str image_new_prefix(struct arena *a, struct str id)
{
	char uuid[UUID_SIZE];

	uuid_make(uuid);
	return arena_printf(a, "%.*s/%s/", STR(id), uuid);
}

json_t *image_upload_mark(const struct image_state *s, struct str prefix, const char *was,
			  int64_t length)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:I}", "host", s->compute->host, "run", s->run,
			 "prefix", json_of(prefix), "was", was, "length",
			 (json_int_t)MAX(length, (int64_t)0));
}

bool image_upload_is(const json_t *doc, struct str prefix)
{
	return str_eq(json_str(json_object_get(doc, "_upload"), "prefix"), prefix);
}

json_t *image_upload_facts(const struct upload_result *r, struct str prefix)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o}", "size", (json_int_t)r->size,
			 "checksum", r->md5, "os_hash_algo", "sha512", "os_hash_value", r->sha512,
			 "virtual_size", r->found.virtual_size >= 0 ?
						 json_integer(r->found.virtual_size) :
						 json_null(),
			 "object", json_of(r->object), "prefix", json_of(prefix));
}

void image_activate(json_t *doc, const json_t *facts)
{
	static const char *const fields[] = { "size", "checksum", "os_hash_algo", "os_hash_value",
					      "virtual_size" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		json_object_set(doc, fields[i], json_object_get(facts, fields[i]));
	json_object_set_new(doc, "_data",
			    json_pack("{s:O, s:O}", "object", json_object_get(facts, "object"),
				      "prefix", json_object_get(facts, "prefix")));
	json_object_set_new(doc, "status", json_string("active"));
	json_object_del(doc, "_upload");
	json_object_del(doc, "_stage");
	image_touch(doc);
}

int image_usage(struct image_state *s, struct arena *a, struct str project, struct str except,
		uint64_t *ret_bytes, uint64_t *ret_images)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	uint64_t bytes = 0, images = 0;
	int rc = records_list(s->images, a, &all);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < all.n; i++) {
		const json_t *doc = all.v[i].doc;

		if (!str_eq(json_str(doc, "owner"), project) || image_has_status(doc, "deleted") ||
		    (except.p && str_eq(all.v[i].id, except)))
			continue;
		images++;
		bytes += (uint64_t)image_number(doc, "size") +
			 (uint64_t)image_number(json_object_get(doc, "_stage"), "size") +
			 (uint64_t)image_number(json_object_get(doc, "_upload"), "length");
	}
	*ret_bytes = bytes;
	*ret_images = images;
	return 0;
}

int image_room(struct image_state *s, struct arena *a, struct str project, struct str id,
	       int64_t length, uint64_t *ret_max)
{
	uint64_t max = image_conf.image_size_cap, used, images;

	if (image_conf.project_quota) {
		int rc = image_usage(s, a, project, id, &used, &images);

		if (rc < 0)
			return rc;
		max = MIN(max, used < image_conf.project_quota ?
				       image_conf.project_quota - used : 0);
	}
	if (length >= 0 && (uint64_t)length > max)
		return -EFBIG;
	*ret_max = max;
	return 0;
}

/* One PUT, to /file or to /stage. */
struct putting {
	struct api_call *c;
	struct str id, prefix, owner;
	struct upload_wish wish;
	const char *status;             /* while it goes on: saving, uploading */
	bool stage;
	int64_t said;                   /* X-OpenStack-Image-Size, or -1 */
	char md5[MD5_TEXT_SIZE];        /* Content-MD5 in hex, or empty */
	json_t *facts;
};

static const char *missing_format(const json_t *doc)
{
	bool disk = json_str(doc, "disk_format").n, container = json_str(doc, "container_format").n;

	return disk && container ? NULL : disk ? "container_format" :
	       container ? "disk_format" : "disk_format, container_format";
}

static int begin(struct image_change *ch, json_t *doc)
{
	struct putting *p = ch->arg;
	const char *missing = missing_format(doc);
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (!image_has_status(doc, "queued"))
		return image_refuse(ch, 409, "Image status transition from %.*s to %s is not "
					     "allowed", STR(json_str(doc, "status")), p->status);
	if (missing && !p->stage)
		return image_refuse(ch, 400, "Properties %s must be set prior to saving data.",
				    missing);
	p->wish.disk_format = arena_str(ch->c->arena, json_str(doc, "disk_format"));
	p->wish.container_format = arena_str(ch->c->arena, json_str(doc, "container_format"));
	p->owner = arena_str(ch->c->arena, json_str(doc, "owner"));
	json_object_set_new(doc, "status", json_string(p->status));
	json_object_set_new(doc, "_upload",
			    image_upload_mark(image_state(ch->c), p->prefix, "queued",
					      p->wish.length));
	image_touch(doc);
	return 1;
}

/* The bytes are there; the image may be gone meanwhile. */
static int finish(void *arg, json_t *doc)
{
	struct putting *p = arg;

	if (!image_upload_is(doc, p->prefix) || image_has_status(doc, "deleted"))
		return -ENOENT;
	if (p->stage) {
		json_object_set(doc, "_stage", p->facts);
		json_object_del(doc, "_upload");
		image_touch(doc);
	} else {
		image_activate(doc, p->facts);
	}
	return 1;
}

/* What was stored goes, and the image is queued again: at once where the client waits for it. */
waits static void give_up(struct putting *p, int error)
{
	struct image_state *s = image_state(p->c);

	if (error == -ECANCELED || image_abandon(s, p->id, p->prefix) < 0)
		image_abandon_later(s, p->id, p->prefix);
}

static void refuse(struct putting *p, int error, const struct fault *why)
{
	struct api_call *c = p->c;

	c->res->close = true;
	switch (error) {
	case -EPERM:
	case -EMEDIUMTYPE:
		api_error(c, 415, "%s", why->text);
		return;
	case -EFBIG:
	case -EDQUOT:
		api_error(c, 413, "The image is larger than the quota or the size limit allows.");
		return;
	case -EILSEQ:
		api_error(c, 400, "%s", why->text);
		return;
	case -EPIPE:
	case -EBADMSG:
	case -ECANCELED:
		api_error(c, 400, "The upload broke off.");
		return;
	case -ETIMEDOUT:
		api_error(c, 408, "The upload stopped.");
		return;
	case -ENOENT:
		api_error(c, 410, "Image %.*s could not be found after upload. The image may have "
				  "been deleted during the upload.", STR(p->id));
		return;
	default:
		api_fail(c, error);
	}
}

waits static int put_bytes(struct putting *p, struct fault *why)
{
	struct image_state *s = image_state(p->c);
	struct upload_result result;
	int rc = image_room(s, p->c->arena, p->owner, p->id, p->wish.length,
			    &p->wish.size_max);

	if (rc == 0)
		rc = upload_run(s, p->c->arena, p->c->req->body, &p->wish, &result, why);
	if (rc == 0 && p->said >= 0 && result.size != (uint64_t)p->said)
		rc = fault_set(why, -EILSEQ, "X-OpenStack-Image-Size is not the size of the "
					     "image.");
	if (rc == 0 && p->md5[0] && strcmp(p->md5, result.md5) != 0)
		rc = fault_set(why, -EILSEQ, "Content-MD5 is not the checksum of the image, %s.",
			       result.md5);
	if (rc < 0)
		return rc;
	AUTO(json_text) facts = image_upload_facts(&result, p->prefix);

	p->facts = facts;
	return records_change(s->images, p->c->arena, p->id, finish, p, NULL);
}

/* Whether the image was deleted while its bytes came, which is then why they found no place. */
waits static bool is_gone(struct putting *p)
{
	AUTO(json_text) doc = NULL;
	int rc = records_get(image_state(p->c)->images, p->c->arena, p->id, &doc);

	return rc == -ENOENT || (rc == 0 && image_has_status(doc, "deleted"));
}

/* Clients may say beforehand how large it is: 0, or -EINVAL when that cannot be. */
static int read_said(struct api_call *c, int64_t *ret)
{
	struct str said = headers_get_lit(&c->req->headers, "X-OpenStack-Image-Size");
	int64_t length = c->req->content_length;

	*ret = -1;
	if (said.p && (str_to_i64(said, ret) < 0 || *ret < 0 || (length >= 0 && length != *ret)))
		return -EINVAL;
	return 0;
}

/* Content-MD5, as RFC 1864 has it (base64) or as Glance's own answers (hex): 0, or -EINVAL. */
static int read_md5(struct api_call *c, char ret[MD5_TEXT_SIZE])
{
	struct str text = headers_get_lit(&c->req->headers, "Content-MD5");
	CLEANUP(buf_done) struct buf bytes = BUF(64);
	unsigned char md5[MD5_SIZE];

	ret[0] = 0;
	if (!text.p)
		return 0;
	if (hex_decode(text, md5, sizeof md5) < 0) {
		if (base64_decode(&bytes, text) < 0 || bytes.n != MD5_SIZE)
			return -EINVAL;
		memcpy(md5, bytes.p, MD5_SIZE);
	}
	hex_encode(md5, sizeof md5, ret);
	return 0;
}

waits static void put_image(struct api_call *c, bool stage)
{
	struct str type = headers_get_lit(&c->req->headers, "Content-Type");
	struct putting p = { .c = c, .id = c->arg[0], .stage = stage,
			     .status = stage ? "uploading" : "saving",
			     .prefix = image_new_prefix(c->arena, c->arg[0]) };
	struct fault why = { "" };

	p.wish = (struct upload_wish){ .prefix = p.prefix, .length = c->req->content_length };
	if (!str_ieq(type, S("application/octet-stream"))) {
		api_error(c, 415, "The content type of an image is application/octet-stream.");
		return;
	}
	if (read_said(c, &p.said) < 0) {
		api_error(c, 400, "X-OpenStack-Image-Size is not the size of the image.");
		return;
	}
	if (read_md5(c, p.md5) < 0) {
		api_error(c, 400, "Content-MD5 is not understood.");
		return;
	}
	AUTO(json_text) doc = image_change(c, begin, &p);

	if (!doc)
		return;
	int rc = put_bytes(&p, &why);

	if (rc == 0) {
		api_respond_empty(c, 204);
		return;
	}
	give_up(&p, rc);
	refuse(&p, rc != -ECANCELED && is_gone(&p) ? -ENOENT : rc, &why);
}

void image_upload(struct api_call *c)
{
	put_image(c, false);
}

void image_stage(struct api_call *c)
{
	put_image(c, true);
}

/* ---- reading ---- */

/* Sets the range that is asked for: 200, 206 or 416. Several ranges at once are not for images:
 * the whole is sent, as RFC 9110 allows. */
static int choose_range(const struct api_call *c, uint64_t size, struct range *ret)
{
	struct range ranges[RANGES_MAX];
	int n = ranges_parse(headers_get_lit(&c->req->headers, "Range"), size, ranges);

	*ret = (struct range){ 0, size ? size - 1 : 0 };
	if (n < 0)
		return 416;
	if (n != 1)
		return 200;
	*ret = ranges[0];
	return 206;
}

static void set_headers(struct api_call *c, const json_t *doc, int status, const struct range *r,
			uint64_t size)
{
	struct headers *h = &c->res->headers;
	struct str checksum = json_str(doc, "checksum");

	headers_set(h, S("Content-Type"), S("application/octet-stream"));
	headers_set(h, S("Accept-Ranges"), S("bytes"));
	if (status == 206)
		headers_setf(h, S("Content-Range"), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			     r->first, r->last, size);
	else if (checksum.n)
		headers_set(h, S("Content-MD5"), checksum);
}

waits static void send_range(struct api_call *c, const json_t *doc, struct str object)
{
	struct image_state *s = image_state(c);
	uint64_t size = (uint64_t)image_number(doc, "size");
	struct range r;
	int status = choose_range(c, size, &r);
	int64_t want = size ? (int64_t)(r.last - r.first + 1) : 0, length = want;
	struct body *body = NULL;

	if (status == 416) {
		api_error(c, 416, "The range is not in the image.");
		headers_setf(&c->res->headers, S("Content-Range"), "bytes */%" PRIu64, size);
		return;
	}
	if (c->req->method != HTTP_HEAD && size) {
		int rc = store_open(s->compute->store, c->arena, s->data, object, r.first,
				    status == 206 ? (int64_t)r.last : -1, &length, &body);

		if (rc == 0 && length != want) {
			log_error("image %.*s has %" PRId64 " bytes in the store instead of "
				  "%" PRId64, STR(c->arg[0]), length, want);
			body_close(body);
			rc = -EIO;
		}
		if (rc < 0) {
			api_fail(c, rc == -ENOENT ? -EIO : rc);
			return;
		}
	}
	c->res->status = status;
	c->res->body = body;
	c->res->content_length = want;
	set_headers(c, doc, status, &r, size);
}

void image_download(struct api_call *c)
{
	AUTO(json_text) doc = image_need(c);
	struct str object = json_str(json_object_get(doc, "_data"), "object");

	if (!doc)
		return;
	if (image_has_status(doc, "deactivated") && !c->caller->admin)
		api_error(c, 403, "The requested image has been deactivated. Image data download "
				  "is forbidden.");
	else if (!object.n)
		api_respond_empty(c, 204);
	else
		send_range(c, doc, object);
}
