/* Uploads from browser forms: a signed form, posted to a container or a prefix, becomes a PUT for
 * each of its files. Swift: common/middleware/formpost.py; docs/swift/formpost.md */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/http/multipart_form.h"
#include "lib/swift/tempurl.h"
#include "proxy/key_uses.h"
#include "proxy/middleware/bulk_report.h"
#include "proxy/middleware/kinds.h"

#include <jansson.h>

struct formpost_conf {
	struct conf_list allowed_digests;
	int64_t max_fields;
	bool count_accounts;
};

static struct formpost_conf conf;
static const struct conf_option options[] = {
	OPT_LIST(struct formpost_conf, allowed_digests, "sha1 sha256 sha512",
		 "Digests that signatures may use."),
	OPT_BOOL(struct formpost_conf, count_accounts, "yes",
		 "Count uses of keys by account in /metrics (no: all accounts together)."),
	OPT_INT(struct formpost_conf, max_fields, "1000", 1, 1000000,
		"Fields and files of one form."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "formpost",
	.help = "Uploads by browser forms.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

enum {
	VALUE_MAX = 4096,               /* of a field; what is longer is cut */
	FIELDS_BYTES_MAX = 1 * MIB,     /* of all fields together */
};

/* The fields that mean something. */
enum field {
	REDIRECT, MAX_FILE_SIZE, MAX_FILE_COUNT, EXPIRES, SIGNATURE, DELETE_AT, DELETE_AFTER,
	CONTENT_TYPE, CONTENT_ENCODING, FIELDS,
};
static const struct str field_names[FIELDS] = {
	[REDIRECT] = STR_INIT("redirect"),
	[MAX_FILE_SIZE] = STR_INIT("max_file_size"),
	[MAX_FILE_COUNT] = STR_INIT("max_file_count"),
	[EXPIRES] = STR_INIT("expires"),
	[SIGNATURE] = STR_INIT("signature"),
	[DELETE_AT] = STR_INIT("x_delete_at"),
	[DELETE_AFTER] = STR_INIT("x_delete_after"),
	[CONTENT_TYPE] = STR_INIT("content-type"),
	[CONTENT_ENCODING] = STR_INIT("content-encoding"),
};

struct post {
	struct middleware *mw;
	struct request *req;
	struct form form;
	struct str path;                /* decoded, as it is signed */
	struct str fields[FIELDS];
	size_t fields_bytes;
	int64_t files;
	bool file_too_large;            /* the one that is being stored */
	struct key_used key;            /* that the form is signed with */
	/* What came of it. */
	int status;
	struct str message;             /* for status; shown with a capital letter each word */
	struct headers cors;            /* of the last PUT */
};

/* ---- answers ---- */

static struct str title(struct arena *a, struct str s)
{
	char *text = arena_cstr(a, s);
	bool inside = false;

	for (size_t i = 0; i < s.n; i++) {
		bool letter = (text[i] | 32) >= 'a' && (text[i] | 32) <= 'z';

		if (letter && !inside)
			text[i] &= ~32;
		inside = letter;
	}
	return str_of(text, s.n);
}

static void refuse(struct response *res, int status, const char *why)
{
	respond_text(res, status, "FormPost: %s", why);
	headers_set(&res->headers, S("Content-Type"), S("text/plain"));
}

static void refuse_unauthorized(const struct post *f, struct response *res, struct str why)
{
	respond(res, 401, S("text/html; charset=UTF-8"),
		arena_printf(f->req->arena, "FormPost: %.*s", STR(title(f->req->arena, why))));
	proxy_add_realm(res, proxy_request(f->req)->path.account);
}

static void redirect(const struct post *f, struct response *res)
{
	struct str to = f->fields[REDIRECT];
	CLEANUP(buf_done) struct buf location = BUF(64 * KIB), page = BUF(64 * KIB);

	buf_addf(&location, "%.*s%cstatus=%d&message=", STR(to), str_chr(to, '?') < 0 ? '?' : '&',
		 f->status);
	percent_encode(&location, f->message, S("/"));
	buf_add_lit(&page, "<html><body><p><a href=\"");
	xml_escape(&page, buf_str(&location));
	buf_add_lit(&page, "\">Click to continue...</a></p></body></html>");
	respond(res, 303, S("text/html; charset=UTF-8"), arena_str(f->req->arena, buf_str(&page)));
	headers_set(&res->headers, S("Location"), buf_str(&location));
}

static void answer(const struct post *f, struct response *res, bool is_signed)
{
	struct str target = f->fields[REDIRECT];

	if (target.n && header_value_valid(target) && is_signed) {
		redirect(f, res);
	} else {
		struct str text = bulk_status(f->req->arena, f->status);

		if (f->message.n)
			text = arena_printf(f->req->arena, "%.*s\r\nFormPost: %.*s", STR(text),
					    STR(title(f->req->arena, f->message)));
		respond(res, f->status, S("text/plain"), text);
	}
	for (unsigned i = 0; i < f->cors.n; i++)
		headers_set(&res->headers, f->cors.v[i].name, f->cors.v[i].value);
}

/* What went wrong while the form was read. */
static void refuse_form(const struct post *f, struct response *res, int error)
{
	if (error == -EINVAL)
		refuse(res, 400, "invalid starting boundary");
	else if (error == -E2BIG)
		refuse(res, 400, "too many or too long fields");
	else if (error == -EPIPE && f->form.from_ended)
		refuse(res, 400, "the form ends within a part");
	else
		proxy_respond_error(f->req, res, error);
}

/* ---- signatures ---- */

static bool allows_digest(struct str name)
{
	for (unsigned i = 0; i < conf.allowed_digests.count; i++)
		if (str_eq(conf.allowed_digests.items[i], name))
			return true;
	return false;
}

/* The number of the key that it is signed with, or 0. */
static unsigned signed_with(const struct headers *meta, const struct tempurl_signature *s,
			    struct str message)
{
	static const struct str names[] = { STR_INIT("temp-url-key"), STR_INIT("temp-url-key-2") };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct str key = headers_get(meta, names[i]);

		if (key.n && tempurl_signature_matches(s, key, message))
			return i + 1;
	}
	return 0;
}

static struct str or_zero(struct str s)
{
	return s.n ? s : S("0");
}

/* Whether the fields carry the signature of a key of the account or container: which. */
waits static bool is_signed(const struct post *f, struct key_used *ret)
{
	const struct proxy_request *p = proxy_request(f->req);
	struct tempurl_signature s;
	struct str message = arena_printf(
		f->req->arena, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s", STR(f->path),
		STR(f->fields[REDIRECT]), STR(or_zero(f->fields[MAX_FILE_SIZE])),
		STR(or_zero(f->fields[MAX_FILE_COUNT])), STR(or_zero(f->fields[EXPIRES])));

	if (p->path_error || !p->path.container.n ||
	    tempurl_signature_parse(f->fields[SIGNATURE], &s) < 0 ||
	    !allows_digest(tempurl_digest_name(s.digest)))
		return false;
	ret->scope = KEY_SCOPE_ACCOUNT;
	ret->number = signed_with(&proxy_account_info(f->req, p->path.account)->meta, &s, message);
	if (ret->number)
		return true;
	ret->scope = KEY_SCOPE_CONTAINER;
	ret->number = signed_with(
		&proxy_container_info(f->req, p->path.account, p->path.container)->meta, &s,
		message);
	return ret->number != 0;
}

/* ---- files ---- */

/* A file of the form as the body of its PUT. */
struct file_body {
	struct body body;
	struct post *f;
	int64_t left;                   /* of max_file_size */
};

waits static int file_next(struct body *b, struct str *ret_chunk)
{
	struct file_body *file = container_of(b, struct file_body, body);
	int rc = form_read(&file->f->form, ret_chunk);

	if (rc <= 0)
		return rc;
	file->left -= (int64_t)ret_chunk->n;
	if (file->left < 0) {
		file->f->file_too_large = true;
		return -EFBIG;
	}
	return 1;
}

/* A field as Python's int() reads it; one that is not there is 0. */
static int number(const struct post *f, enum field which, int64_t *ret)
{
	struct str s = str_trim(f->fields[which]);

	*ret = 0;
	return s.n == 0 && f->fields[which].n == 0 ? 0 : str_to_i64(s, ret);
}

static int add_deletion(const struct post *f, enum field which, struct str header,
			struct request *put)
{
	int64_t v;

	if (!f->fields[which].p)
		return 0;
	if (f->fields[which].n == 0 || number(f, which, &v) < 0)
		return -EINVAL;
	headers_setf(&put->headers, header, "%" PRId64, v);
	return 0;
}

static int add_headers(const struct post *f, const struct form_part *part, struct request *put,
		       const char **ret_why)
{
	struct str type = f->fields[CONTENT_TYPE].p ? f->fields[CONTENT_TYPE] : part->content_type;
	struct str encoding = f->fields[CONTENT_ENCODING].p ? f->fields[CONTENT_ENCODING] :
							      part->content_encoding;
	struct str origin = headers_get_lit(&f->req->headers, "Origin");

	*ret_why = "x_delete_at not an integer: Unix timestamp required.";
	if (add_deletion(f, DELETE_AT, S("X-Delete-At"), put) < 0)
		return -EINVAL;
	*ret_why = "x_delete_after not an integer: Number of seconds required.";
	if (add_deletion(f, DELETE_AFTER, S("X-Delete-After"), put) < 0)
		return -EINVAL;
	*ret_why = "content-type or content-encoding is not a header's value";
	if (!header_value_valid(type) || !header_value_valid(encoding))
		return -EINVAL;
	if (type.p)
		headers_set(&put->headers, S("Content-Type"),
			    type.n ? type : S("application/octet-stream"));
	if (encoding.p)
		headers_set(&put->headers, S("Content-Encoding"), encoding);
	if (origin.p)
		headers_set(&put->headers, S("Origin"), origin);
	return 0;
}

/* A PUT that needs no further leave: the signature gave it. */
static struct request *make_put(struct arena *a, const struct post *f, struct str filename)
{
	const struct proxy_request *p = proxy_request(f->req);
	struct str object = arena_printf(a, "%.*s%.*s", STR(p->path.object), STR(filename));
	struct request *put = proxy_subrequest_in(a, f->req, HTTP_PUT, p->path.account,
						  p->path.container, object, STR_NONE, S("FP"));
	struct proxy_request *pp = proxy_request(put);

	pp->authorize = NULL;
	pp->authorize_override = true;
	pp->swift_owner = pp->reseller_request = false;
	pp->user_id = S(".wsgi.pre_authed");
	pp->groups = STR_NONE;
	put->chunked = true;
	put->content_length = -1;
	headers_set(&put->headers, S("Transfer-Encoding"), S("chunked"));
	return put;
}

static void keep_cors(struct post *f, const struct headers *from)
{
	headers_init(&f->cors, f->req->arena);
	for (unsigned i = 0; i < from->n; i++)
		if (str_istarts(from->v[i].name, S("Access-Control")))
			headers_add(&f->cors, from->v[i].name, from->v[i].value);
}

/* Checks what Swift checks for each file, in its order: 0, or negative with the answer filled. */
waits static int check_file(struct post *f, struct response *res, int64_t *ret_size_max)
{
	int64_t expires;

	if (number(f, MAX_FILE_SIZE, ret_size_max) < 0) {
		refuse(res, 400, "max_file_size not an integer");
		return -EINVAL;
	}
	if (number(f, EXPIRES, &expires) < 0) {
		refuse(res, 400, "expired not an integer");
		return -EINVAL;
	}
	if (expires <= clock_wall_s()) {
		refuse_unauthorized(f, res, S("form expired"));
		return -EACCES;
	}
	if (!is_signed(f, &f->key)) {
		refuse_unauthorized(f, res, S("invalid signature"));
		return -EACCES;
	}
	return 0;
}

/* Stores a file of a good form: 0 with the status in f, or negative with the answer filled. */
waits static int store_file(struct post *f, const struct form_part *part, int64_t size_max,
			    struct response *res)
{
	struct file_body file = { { .next = file_next, .left = -1 }, f, size_max };
	struct response got;
	const char *why;
	AUTO(arena) a = arena_new();
	struct request *put = make_put(a, f, part->filename);
	int rc = add_headers(f, part, put, &why);

	if (rc < 0) {
		refuse(res, 400, why);
		return rc;
	}
	f->status = 412;
	if (!str_is_utf8(part->filename) || str_chr(part->filename, 0) >= 0)
		return 0;
	put->body = &file.body;
	middleware_call(f->mw, put, &got);
	body_close(got.body);
	if (f->file_too_large) {
		refuse(res, 400, "max_file_size exceeded");
		return -EFBIG;
	}
	if (got.status == 499 && f->form.from_ended) {
		refuse_form(f, res, -EPIPE);
		return -EPIPE;
	}
	f->status = got.status;
	keep_cors(f, &got.headers);
	return 0;
}

/* The same, if the form is good. */
waits static int store(struct post *f, const struct form_part *part, struct response *res)
{
	int64_t size_max;
	int rc = check_file(f, res, &size_max);

	if (rc < 0)
		return rc;
	struct str account = proxy_request(f->req)->path.account;

	rc = store_file(f, part, size_max, res);
	key_uses_count(KEY_USE_FORMPOST, conf.count_accounts ? account : STR_NONE, f->key,
		       rc < 0 ? res->status : f->status);
	return rc;
}

/* ---- the form ---- */

waits static int take_field(struct post *f, const struct form_part *part)
{
	CLEANUP(buf_done) struct buf value = BUF(VALUE_MAX);
	struct str chunk;
	int which = FIELDS, rc;

	for (int i = 0; i < FIELDS; i++)
		if (str_ieq(part->name, field_names[i]))
			which = i;
	while ((rc = form_read(&f->form, &chunk)) > 0) {
		f->fields_bytes += chunk.n;
		if (f->fields_bytes > FIELDS_BYTES_MAX)
			return -E2BIG;
		buf_add_str(&value, str_head(chunk, VALUE_MAX - value.n));
	}
	/* Where the browser is sent is settled by the time the first file comes. */
	while (value.n && (value.p[value.n - 1] == '\r' || value.p[value.n - 1] == '\n'))
		value.n--;
	if (rc == 0 && which < FIELDS && (which != REDIRECT || f->files == 0))
		f->fields[which] = arena_str(f->req->arena, buf_str(&value));
	return rc;
}

/* One part: 1 to go on, 0 when that was enough, or negative; *ret_answered: the answer
 * is filled. */
waits static int take_part(struct post *f, const struct form_part *part, struct response *res,
			   bool *ret_answered)
{
	int64_t files_max;

	if (!part->filename.n) {
		int rc = take_field(f, part);

		return rc < 0 ? rc : 1;
	}
	f->files++;
	if (number(f, MAX_FILE_COUNT, &files_max) < 0) {
		refuse(res, 400, "max_file_count not an integer");
		*ret_answered = true;
		return 0;
	}
	if (f->files > files_max) {
		f->status = 400;
		f->message = S("max file count exceeded");
		return 0;
	}
	*ret_answered = store(f, part, res) < 0;
	return !*ret_answered && f->status / 100 == 2;
}

waits static void translate(struct post *f, struct response *res)
{
	struct form_part part;
	bool answered = false;
	int rc;

	while ((rc = form_next(&f->form, &part)) > 0) {
		rc = take_part(f, &part, res, &answered);
		if (rc <= 0)
			break;
	}
	if (answered)
		return;
	if (rc < 0) {
		refuse_form(f, res, rc);
		return;
	}
	if (f->status == 0) {
		f->status = 400;
		f->message = S("no files to process");
	}
	/* Nobody is sent anywhere by a form that nobody signed. */
	answer(f, res, f->fields[REDIRECT].n && is_signed(f, &f->key));
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	struct str boundary;

	if (req->method != HTTP_POST ||
	    !form_type_parse(headers_get_lit(&req->headers, "Content-Type"), &boundary)) {
		middleware_next(mw, req, res);
		return;
	}
	struct post *f = arena_zalloc(req->arena, sizeof *f);

	f->mw = mw;
	f->req = req;
	f->path = percent_decode(req->arena, req->path);
	if (form_init(&f->form, req->body, boundary, (unsigned)conf.max_fields) < 0)
		refuse(res, 400, "invalid starting boundary");
	else
		translate(f, res);
	form_done(&f->form);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	static const char *const known[] = { "sha1", "sha256", "sha512" };
	json_t *info = json_object(), *allowed = json_array(), *deprecated = json_array();

	(void)mw, (void)why;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (allows_digest(str_from(known[i])))
			json_array_append_new(allowed, json_string(known[i]));
	if (allows_digest(S("sha1")))
		json_array_append_new(deprecated, json_string("sha1"));
	json_object_set_new(info, "allowed_digests", allowed);
	if (json_array_size(deprecated))
		json_object_set(info, "deprecated_digests", deprecated);
	json_decref(deprecated);
	json_object_set_new(proxy->info, "formpost", info);
	return 0;
}

const struct middleware_kind middleware_formpost = {
	.name = "formpost", .section = &section, .start = start, .handle = handle,
};
