/* The secrets of /v3/credentials, which are sealed where they are stored. */
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "proxy/identity/v3.h"

#define PURPOSE S("credential")
enum { BLOB_MAX = 64 * KIB };

bool secret_hide(struct ident_call *c, json_t *doc)
{
	CLEANUP(buf_done) struct buf sealed = BUF(2 * BLOB_MAX);
	struct str blob = json_str(doc, "blob");

	if (!blob.p)
		return true;            /* a change of something else */
	if (blob.n > BLOB_MAX) {
		ident_error(c, 400, "Invalid input for field 'blob'.");
		return false;
	}
	seal_make(credential_keys_get(c->id->proxy), PURPOSE, blob, &sealed);
	json_object_set_new(doc, "_blob", json_of(buf_str(&sealed)));
	json_object_del(doc, "blob");
	return true;
}

struct str secret_open(const struct ident_call *c, const json_t *doc)
{
	CLEANUP(buf_done) struct buf blob = BUF(BLOB_MAX);
	struct str sealed = json_str(doc, "_blob");

	if (!sealed.p)
		return json_str(doc, "blob");
	if (seal_open(credential_keys_get(c->id->proxy), PURPOSE, sealed, &blob) < 0)
		return STR_NONE;
	return arena_str(c->req->arena, buf_str(&blob));
}

struct str secret_ec2_id(const struct ident_call *c, const json_t *given)
{
	AUTO(json_text) blob = json_text_parse(json_str(given, "blob"));
	struct str access = json_str(blob, "access");
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	if (!access.n || !json_str(blob, "secret").n)
		return STR_NONE;
	digest_of(DIGEST_SHA256, access.p, access.n, digest);
	hex_encode(digest, sizeof digest, hex);
	return arena_str(c->req->arena, str_from(hex));
}
