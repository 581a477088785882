/* Checks of metadata and of the headers that create an object. */
#include "lib/swift/metadata.h"

const struct swift_limits swift_limits_default = {
	.max_file_size = 5368709122,
	.max_meta_name_length = 128,
	.max_meta_value_length = 256,
	.max_meta_count = 90,
	.max_meta_overall_size = 4096,
	.max_header_size = 8192,
	.max_object_name_length = 1024,
	.max_container_name_length = 256,
	.max_account_name_length = 256,
	.container_listing_limit = 10000,
	.account_listing_limit = 10000,
};

struct str swift_kind_name(enum swift_kind kind)
{
	static const struct str names[] = { STR_INIT("account"), STR_INIT("container"),
					    STR_INIT("object") };

	assert((size_t)kind < ARRAY_LEN(names));
	return names[kind];
}

static int bad(struct response *res, int status, const char *text)
{
	respond_text(res, status, "%s", text);
	return -EINVAL;
}

static int check_item(const struct swift_limits *limits, enum swift_kind kind, struct str prefix,
		      struct str name, struct str value, struct response *res)
{
	if (name.n == 0)
		return bad(res, 400, "Metadata name cannot be empty");
	if (kind != SWIFT_OBJECT && (!str_is_utf8(name) || !str_is_utf8(value)))
		return bad(res, 400, "Metadata must be valid UTF-8");
	if (name.n > limits->max_meta_name_length) {
		respond_text(res, 400, "Metadata name too long: %.*s%.*s", STR(prefix),
			     STR(header_title(res->headers.arena, name)));
		return -EINVAL;
	}
	if (value.n > limits->max_meta_value_length) {
		respond_text(res, 400, "Metadata value longer than %u: %.*s%.*s",
			     limits->max_meta_value_length, STR(prefix),
			     STR(header_title(res->headers.arena, name)));
		return -EINVAL;
	}
	return 0;
}

int metadata_check(const struct swift_limits *limits, enum swift_kind kind,
		   const struct request *req, struct response *res)
{
	struct str prefix = arena_printf(req->arena, "x-%.*s-meta-", STR(swift_kind_name(kind)));
	size_t count = 0, size = 0;

	for (unsigned i = 0; i < req->headers.n; i++) {
		const struct header *h = &req->headers.v[i];

		if (h->value.n > limits->max_header_size) {
			respond_text(res, 400, "Header value too long: %.*s",
				     STR(str_head(h->name, 128)));
			return -EINVAL;
		}
		if (!str_istarts(h->name, prefix))
			continue;
		struct str name = str_skip(h->name, prefix.n);
		int rc = check_item(limits, kind, prefix, name, h->value, res);

		if (rc < 0)
			return rc;
		size += name.n + h->value.n;
		if (++count > limits->max_meta_count) {
			respond_text(res, 400, "Too many metadata items; max %u",
				     limits->max_meta_count);
			return -EINVAL;
		}
		if (size > limits->max_meta_overall_size) {
			respond_text(res, 400, "Total metadata too large; max %u",
				     limits->max_meta_overall_size);
			return -EINVAL;
		}
	}
	return 0;
}

/* As Python's int() reads it, of what clients send. */
static int integer(struct str s, int64_t *ret)
{
	s = str_trim(s);
	if (str_starts(s, S("+")) && !str_starts(s, S("+-")))
		s = str_skip(s, 1);
	return str_to_i64(s, ret);
}

int delete_headers_check(struct request *req, struct timestamp now, struct response *res)
{
	struct str after = headers_get_lit(&req->headers, "X-Delete-After");
	struct str at = headers_get_lit(&req->headers, "X-Delete-At");
	int64_t now_s = (int64_t)(now.t / 100000), v;

	if (after.p) {
		if (integer(after, &v) < 0)
			return bad(res, 400, "Non-integer X-Delete-After");
		if (v <= 0)
			return bad(res, 400, "X-Delete-After in past");
		v = MIN(v, (int64_t)9999999999 - now_s);
		headers_setf(&req->headers, S("X-Delete-At"), "%010" PRId64, now_s + v);
		headers_remove(&req->headers, S("X-Delete-After"));
	} else if (at.p) {
		if (integer(at, &v) < 0)
			return bad(res, 400, "Non-integer X-Delete-At");
		bool replication =
			str_is_true(headers_get_lit(&req->headers, "X-Backend-Replication"));

		if (v <= now_s && !replication)
			return bad(res, 400, "X-Delete-At in past");
		headers_setf(&req->headers, S("X-Delete-At"), "%010" PRId64,
			     MIN(v, (int64_t)9999999999));
	}
	return 0;
}

static int check_length(const struct swift_limits *limits, const struct request *req,
			struct response *res)
{
	if (req->content_length < 0 && !req->chunked)
		return bad(res, 411, "Missing Content-Length header.");
	if (!req->chunked && !headers_has(&req->headers, S("Content-Length")) &&
	    req->content_length == 0)
		return bad(res, 411, "Missing Content-Length header.");
	if (req->content_length > 0 && (uint64_t)req->content_length > limits->max_file_size)
		return bad(res, 413, "Your request is too large.");
	return 0;
}

int object_creation_check(const struct swift_limits *limits, struct request *req, struct str object,
			  struct timestamp now, struct response *res)
{
	int rc = check_length(limits, req, res);

	if (rc < 0)
		return rc;
	if (object.n > limits->max_object_name_length) {
		respond_text(res, 400, "Object name length of %zu longer than %u", object.n,
			     limits->max_object_name_length);
		return -EINVAL;
	}
	if (!headers_has(&req->headers, S("Content-Type")))
		return bad(res, 400, "No content type");
	if ((rc = delete_headers_check(req, now, res)) < 0)
		return rc;
	if (!str_is_utf8(headers_get_lit(&req->headers, "Content-Type")))
		return bad(res, 400, "Invalid Content-Type");
	return metadata_check(limits, SWIFT_OBJECT, req, res);
}

static bool in_list(const struct str *list, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(list[i], name))
			return true;
	return false;
}

bool metadata_is_object_header(struct str name)
{
	static const struct str list[] = {
		STR_INIT("Content-Disposition"),   STR_INIT("Content-Encoding"),
		STR_INIT("X-Delete-At"),           STR_INIT("X-Object-Manifest"),
		STR_INIT("X-Static-Large-Object"), STR_INIT("Cache-Control"),
		STR_INIT("Content-Language"),      STR_INIT("Expires"),
		STR_INIT("X-Robots-Tag"),
	};

	return in_list(list, ARRAY_LEN(list), name);
}

bool metadata_is_owner_header(struct str name)
{
	static const struct str list[] = {
		STR_INIT("X-Container-Read"),
		STR_INIT("X-Container-Write"),
		STR_INIT("X-Container-Sync-Key"),
		STR_INIT("X-Container-Sync-To"),
		STR_INIT("X-Account-Meta-Temp-Url-Key"),
		STR_INIT("X-Account-Meta-Temp-Url-Key-2"),
		STR_INIT("X-Container-Meta-Temp-Url-Key"),
		STR_INIT("X-Container-Meta-Temp-Url-Key-2"),
		STR_INIT("X-Account-Access-Control"),
	};

	return in_list(list, ARRAY_LEN(list), name);
}

bool metadata_is_internal(struct str name)
{
	static const struct str prefixes[] = {
		STR_INIT("X-Account-Sysmeta-"), STR_INIT("X-Container-Sysmeta-"),
		STR_INIT("X-Object-Sysmeta-"),  STR_INIT("X-Object-Transient-Sysmeta-"),
		STR_INIT("X-Backend"),          STR_INIT("X-Needletail"),
	};
	static const struct str names[] = {
		STR_INIT("X-Account-Host"),
		STR_INIT("X-Account-Device"),
		STR_INIT("X-Account-Partition"),
		STR_INIT("X-Container-Host"),
		STR_INIT("X-Container-Device"),
		STR_INIT("X-Container-Partition"),
		STR_INIT("X-Container-Root-Db-State"),
		STR_INIT("X-Delete-At-Host"),
		STR_INIT("X-Delete-At-Device"),
		STR_INIT("X-Delete-At-Partition"),
		STR_INIT("X-Delete-At-Container"),
	};

	if (name.n < 9 || (name.p[0] | 32) != 'x')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_istarts(name, prefixes[i]))
			return true;
	return in_list(names, ARRAY_LEN(names), name);
}
