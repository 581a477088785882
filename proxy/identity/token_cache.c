/* A cache of what tokens hold. */
#include "proxy/identity/token_cache.h"
#include "lib/base/map.h"

enum { CACHED_MAX = 512, CACHE_TOKENS = 1024 };

/* What tokens hold, once unsealed: a client sends the same one with each of its requests. Only the
 * unsealing is saved, which gives the same as long as the keys are the same. Whether a token is
 * good (its time, its user, revocations) is looked at each time. The map compares bytes only after
 * a keyed hash of all of them, so the time taken says nothing of tokens that are in it. */
static struct {
	struct seal_keys keys;
	struct map *contents;           /* of "kind NUL sealed text"; the last used ones */
} cache;

static bool same_keys(const struct seal_keys *a, const struct seal_keys *b)
{
	return a->n == b->n && memcmp(a->key, b->key, a->n * sizeof a->key[0]) == 0;
}

static void forget(void)
{
	while (map_count(cache.contents))
		free(map_evict(cache.contents));
}

int token_unseal(struct arena *a, const struct seal_keys *k, struct str kind, struct str sealed,
		 struct str *ret_content)
{
	CLEANUP(buf_done) struct buf content = BUF(TOKEN_MAX);
	char key[CACHED_MAX];
	size_t key_n = kind.n + 1 + sealed.n;
	bool fits = sealed.n > 0 && key_n <= sizeof key;

	if (!cache.contents)
		cache.contents = map_new();
	if (!same_keys(&cache.keys, k)) {
		forget();
		cache.keys = *k;
	}
	if (fits) {
		memcpy(key, kind.p, kind.n);
		key[kind.n] = 0;
		memcpy(key + kind.n + 1, sealed.p, sealed.n);
		const char *known = map_get(cache.contents, str_of(key, key_n));

		if (known) {
			*ret_content = arena_str(a, str_from(known));
			return 0;
		}
	}
	int rc = seal_open(k, kind, sealed, &content);

	if (rc < 0)
		return rc;
	*ret_content = arena_str(a, buf_str(&content));
	if (fits && str_chr(*ret_content, 0) < 0) {
		if (map_count(cache.contents) == CACHE_TOKENS)
			free(map_evict(cache.contents));
		free(map_put(cache.contents, str_of(key, key_n), str_dup(*ret_content)));
	}
	return 0;
}
