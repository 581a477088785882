/* Users from the configuration. */
#include "proxy/identity/users.h"
#include "lib/base/arena.h"
#include "lib/base/encode.h"

struct users {
	struct map *by_id;
	struct arena *arena;
};

static int decode64(struct arena *a, struct str s, struct str *ret)
{
	CLEANUP(buf_done) struct buf b = BUF(4 * KIB);

	if (base64_decode(&b, s) < 0 || buf_failed(&b))
		return -EINVAL;
	*ret = arena_str(a, buf_str(&b));
	return 0;
}

static int split_key(struct arena *a, const struct conf_pair *pair, struct user *user,
		     struct fault *why)
{
	bool encoded = str_starts(pair->key, S("user64_"));
	struct str rest = str_skip(pair->key, encoded ? 7 : 5), account = str_cut(&rest, '_');

	if (!rest.p || account.n == 0 || rest.n == 0 || str_chr(rest, '_') >= 0)
		return fault_set(
			why, -EINVAL,
			"line %u: \"%.*s\" is not of the form user_<account>_<user>; names that "
			"contain '_' need user64_ and base64",
			pair->line, STR(pair->key));
	user->account = account;
	user->name = rest;
	if (encoded &&
	    (decode64(a, account, &user->account) < 0 || decode64(a, rest, &user->name) < 0))
		return fault_set(why, -EINVAL, "line %u: \"%.*s\": account and user must be base64",
				 pair->line, STR(pair->key));
	user->id = arena_printf(a, "%.*s:%.*s", STR(user->account), STR(user->name));
	return 0;
}

static int add(struct users *u, const struct conf_pair *pair, struct fault *why)
{
	struct user *user = arena_zalloc(u->arena, sizeof *user);
	struct str rest = pair->value, word;
	CLEANUP(buf_done) struct buf groups = BUF(4 * KIB);
	int rc = split_key(u->arena, pair, user, why);

	if (rc < 0)
		return rc;
	while ((word = str_cut(&rest, ' ')).p) {
		word = str_trim(word);
		if (word.n == 0)
			continue;
		if (!user->key.p) {
			user->key = arena_str(u->arena, word);
		} else if (str_find(word, S("://")) >= 0 || str_find(word, S("$HOST")) >= 0) {
			user->url = arena_str(u->arena, word);
		} else {
			buf_addf(&groups, "%s%.*s", groups.n ? "," : "", STR(word));
		}
	}
	if (!user->key.p)
		return fault_set(why, -EINVAL, "line %u: %.*s has no key set", pair->line,
				 STR(pair->key));
	user->groups = arena_str(u->arena, buf_str(&groups));
	map_put(u->by_id, user->id, user);
	return 0;
}

int users_new(const struct conf_pairs *pairs, struct users **ret, struct fault *why)
{
	struct users *u = xcalloc(1, sizeof *u);

	u->by_id = map_new();
	u->arena = arena_new();
	for (unsigned i = 0; i < pairs->count; i++) {
		int rc = add(u, &pairs->items[i], why);

		if (rc < 0) {
			users_free(u);
			return rc;
		}
	}
	*ret = u;
	return 0;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	map_free(u->by_id, NULL);
	arena_free(u->arena);
	free(u);
}

struct each {
	void (*fn)(void *arg, const struct user *user);
	void *arg;
};

static void each_one(void *arg, struct str key, void *value)
{
	const struct each *each = arg;

	(void)key;
	each->fn(each->arg, value);
}

void users_each(const struct users *u, void (*fn)(void *arg, const struct user *user), void *arg)
{
	struct each each = { fn, arg };

	map_each(u->by_id, each_one, &each);
}

const struct user *users_find(const struct users *u, struct str id)
{
	return map_peek(u->by_id, id);
}
