/* Looks for the pending rows of one object, for an operator who asks what has become of it. */
#include "objectd/updater/internal.h"

enum { STEP = 10000, FOUND_MAX = 1000 };

struct find {
	struct kv *kv;
	struct str account, container, object;
	struct buf *from;               /* where to go on; empty: at the end */
	struct arena *arena;
	struct str keys[FOUND_MAX], values[FOUND_MAX];
	unsigned n;
	int rc;
};

static bool matches(const struct find *f, struct str value)
{
	struct container_row_update row;

	return row_read(&value, &row) == 0 && str_eq(row.object, f->object) &&
	       str_eq(row.container, f->container) && str_eq(row.account, f->account);
}

static void find_run(void *arg)
{
	struct find *f = arg;
	struct kv_iter *it = kv_iter_new(f->kv);
	unsigned looked = 0;

	kv_iter_seek(it, buf_str(f->from));
	buf_clear(f->from);
	for (; kv_iter_valid(it) && f->n < FOUND_MAX; kv_iter_next(it)) {
		struct str key = kv_iter_key(it);

		if (key.n < 2 || key.p[0] != 'u')
			break;
		if (looked++ == STEP) {
			buf_add_str(f->from, key);
			break;
		}
		if (!matches(f, kv_iter_value(it)))
			continue;
		f->keys[f->n] = arena_str(f->arena, key);
		f->values[f->n++] = arena_str(f->arena, kv_iter_value(it));
	}
	f->rc = kv_iter_error(it);
	kv_iter_free(it);
}

/* 'u', "ip:port/device", 0, … */
static int target_of_key(struct str key, struct row_target *ret)
{
	struct str rest = str_skip(key, 1), text = str_cut(&rest, '\0');
	ssize_t slash = str_rchr(text, '/');

	if (slash <= 0)
		return -EINVAL;
	return row_target_parse(str_head(text, (size_t)slash), str_skip(text, (size_t)slash + 1),
				ret);
}

int updater_find(struct updater *u, struct str account, struct str container, struct str object,
		 void (*found)(void *arg, const struct row_target *to,
			       const struct container_row_update *row),
		 void *arg)
{
	CLEANUP(buf_done) struct buf from = BUF(64 * KIB);
	AUTO(arena) a = arena_new();
	struct find *f = arena_zalloc(a, sizeof *f);

	*f = (struct find){ .kv = store_kv(u->o->store), .account = account, .arena = a,
			    .container = container, .object = object, .from = &from };
	buf_add_char(&from, 'u');
	do
		task_run_blocking("pending rows", find_run, f);
	while (f->rc == 0 && from.n && !task_cancelled());
	for (unsigned i = 0; i < f->n; i++) {
		struct container_row_update row;
		struct str rest = f->values[i];
		struct row_target to;

		if (target_of_key(f->keys[i], &to) == 0 && row_read(&rest, &row) == 0)
			found(arg, &to, &row);
	}
	return f->rc;
}
