/* Making and opening tokens. */
#include "lib/conf/conf.h"
#include "lib/base/clock.h"
#include "proxy/identity/token.h"
#include "proxy/identity/token_cache.h"

struct token_conf {
	struct conf_list token_keys, credential_keys;
};

static struct token_conf conf;
static const struct conf_option options[] = {
	{ .key = "token_keys",
	  .type = CONF_LIST,
	  .at = offsetof(struct token_conf, token_keys),
	  .text = "",
	  .secret = true,
	  .help = "One or two secrets that tokens are sealed with, the same on every proxy. The "
		  "first seals, "
		  "both open: to change a secret, put the new one first, reload all proxies, and "
		  "drop the "
		  "old one when the last token made with it has expired. Without any, one is "
		  "derived from "
		  "the hash path prefix and suffix." },
	{ .key = "credential_keys",
	  .type = CONF_LIST,
	  .at = offsetof(struct token_conf, credential_keys),
	  .text = "",
	  .secret = true,
	  .help = "One or two secrets that the blobs of /v3/credentials are sealed with where they "
		  "are stored. The first seals, both open. Without any, one is derived from the "
		  "hash path prefix and suffix." },
	OPT_END,
};

static int check_keys(void *section, struct fault *why)
{
	const struct token_conf *c = section;

	if (c->token_keys.count <= SEAL_KEYS_MAX && c->credential_keys.count <= SEAL_KEYS_MAX)
		return 0;
	return fault_set(why, -EINVAL, "more than %d token_keys or credential_keys",
			 SEAL_KEYS_MAX);
}

const struct conf_section token_section = {
	.name = "identity",
	.help = "Tokens and who may get one.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
	.check = check_keys,
};

static struct seal_keys token_keys, credential_keys;

static void make_keys(struct proxy *p, const struct conf_list *secrets, struct seal_keys *ret)
{
	CLEANUP(buf_done) struct buf secret = BUF(TOKEN_MAX);

	*ret = (struct seal_keys){ .n = 0 };
	for (unsigned i = 0; i < secrets->count && i < SEAL_KEYS_MAX; i++)
		seal_keys_add(ret, secrets->items[i]);
	if (ret->n > 0)
		return;
	buf_addf(&secret, "%.*s\n%.*s", STR(p->cluster->hash_prefix),
		 STR(p->cluster->hash_suffix));
	seal_keys_add(ret, buf_str(&secret));
}

const struct seal_keys *token_keys_get(struct proxy *p)
{
	if (token_keys.n == 0)
		make_keys(p, &conf.token_keys, &token_keys);
	return &token_keys;
}

const struct seal_keys *credential_keys_get(struct proxy *p)
{
	if (credential_keys.n == 0)
		make_keys(p, &conf.credential_keys, &credential_keys);
	return &credential_keys;
}

void token_keys_reload(struct proxy *p)
{
	make_keys(p, &conf.token_keys, &token_keys);
	make_keys(p, &conf.credential_keys, &credential_keys);
}

struct str token_make(struct arena *a, const struct seal_keys *k, struct str prefix,
		      struct str kind, const struct token *t)
{
	CLEANUP(buf_done) struct buf text = BUF(TOKEN_MAX), content = BUF(TOKEN_MAX);

	buf_addf(&content, "%" PRId64 "|%.*s|%.*s", t->expires, STR(t->subject), STR(t->rest));
	assert(!buf_failed(&content));
	buf_add_str(&text, prefix);
	seal_make(k, kind, buf_str(&content), &text);
	return arena_str(a, buf_str(&text));
}

int token_open(struct arena *a, const struct seal_keys *k, struct str prefix, struct str kind,
	       struct str text, int64_t late_s, struct token *ret)
{
	struct str rest;

	if (!str_starts(text, prefix) || text.n > TOKEN_MAX)
		return -EBADMSG;
	int rc = token_unseal(a, k, kind, str_skip(text, prefix.n), &rest);
	if (rc < 0)
		return rc;
	struct token t = { 0 };

	if (str_to_i64(str_cut(&rest, '|'), &t.expires) < 0)
		return -EBADMSG;
	t.subject = str_cut(&rest, '|');
	t.rest = rest;
	if (t.expires + late_s <= clock_wall_s())
		return -ESTALE;
	*ret = t;
	return 0;
}
