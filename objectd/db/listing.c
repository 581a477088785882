/* Listings: what a query selects, and the walk over the rows. */
#include "lib/swift/accept.h"
#include "objectd/db/internal.h"

enum { PIECE_SIZE = 256 * KIB, WHOLE_MAX = 4 * MIB, SPARE_MAX = 512 * KIB, STEPS_BEFORE_SEEK = 6 };

/* ---- the query ---- */

static int refuse_parameter(struct response *res, const char *name)
{
	respond_text(res, 400, "\"%s\" parameter not valid UTF-8", name);
	return -EINVAL;
}

static int take_text(const struct request *req, struct response *res, const char *name,
		     struct str *ret)
{
	*ret = request_query(req, str_from(name));
	return str_is_utf8(*ret) ? 0 : refuse_parameter(res, name);
}

/* Swift's constrain_req_limit: what is no number is passed over. */
static int take_limit(const struct request *req, struct response *res, uint64_t *ret)
{
	struct str text;
	uint64_t limit = LISTING_LIMIT;

	if (take_text(req, res, "limit", &text) < 0)
		return -EINVAL;
	int rc = str_to_u64(text, &limit);

	if (rc == -ERANGE || (rc == 0 && limit > LISTING_LIMIT)) {
		respond(res, 412, S("text/html; charset=UTF-8"), S("Maximum limit is 10000"));
		return -EINVAL;
	}
	*ret = rc == 0 ? limit : LISTING_LIMIT;
	return 0;
}

static int take_format(const struct request *req, struct response *res, struct listing_query *q)
{
	struct str format;

	if (take_text(req, res, "format", &format) < 0)
		return -EINVAL;
	int rc = accept_listing(format, headers_joined(&req->headers, S("Accept")),
				&q->content_type);

	if (rc == -ENOENT) {
		respond_status(res, 406);
		return -EINVAL;
	}
	if (rc < 0) {
		respond(res, 400, S("text/html; charset=UTF-8"), S("Invalid Accept header"));
		return -EINVAL;
	}
	q->format = str_ends(q->content_type, S("/json")) ? LISTING_JSON :
		    str_ends(q->content_type, S("/xml")) ? LISTING_XML : LISTING_TEXT;
	if (str_is_true(headers_get_lit(&req->headers, "X-Needletail-Raw")))
		q->format = LISTING_RAW;
	return 0;
}

int listing_query_parse(const struct request *req, struct response *res, struct listing_query *ret)
{
	struct listing_query q = { .limit = LISTING_LIMIT };
	struct str reverse;

	/* Only the type of the answer matters to a HEAD. */
	if (req->method == HTTP_HEAD) {
		int rc = take_format(req, res, &q);

		*ret = q;
		return rc;
	}
	if (take_text(req, res, "marker", &q.marker) < 0 ||
	    take_text(req, res, "end_marker", &q.end_marker) < 0 ||
	    take_text(req, res, "prefix", &q.prefix) < 0 ||
	    take_text(req, res, "delimiter", &q.delimiter) < 0 ||
	    take_text(req, res, "path", &q.path) < 0 ||
	    take_text(req, res, "reverse", &reverse) < 0 || take_limit(req, res, &q.limit) < 0 ||
	    take_format(req, res, &q) < 0)
		return -EINVAL;
	q.reverse = str_is_true(reverse);
	q.allow_reserved =
		str_is_true(headers_get_lit(&req->headers, "X-Backend-Allow-Reserved-Names"));
	*ret = q;
	return 0;
}

/* ---- where a name stands ---- */

static bool before_start(const struct listing *l, struct str name)
{
	if (!l->q.allow_reserved && (name.n == 0 || name.p[0] == 0))
		return true;
	if (l->q.marker.n && str_cmp(name, l->q.marker) <= 0)
		return true;
	return l->q.prefix.n && str_cmp(name, l->q.prefix) < 0;
}

static bool behind_end(const struct listing *l, struct str name)
{
	if (l->q.end_marker.n && str_cmp(name, l->q.end_marker) >= 0)
		return true;
	return l->q.prefix.n && !str_starts(name, l->q.prefix) && str_cmp(name, l->q.prefix) > 0;
}

/* Seeks in the part of the rows that are listed; before: to the last row that is smaller. */
static void seek(struct listing *l, struct str name, bool before)
{
	buf_clear(&l->key);
	buf_add(&l->key, l->head, DB_KEY_HEAD);
	buf_add_str(&l->key, name);
	if (before)
		kv_iter_seek_before(l->it, buf_str(&l->key));
	else
		kv_iter_seek(l->it, buf_str(&l->key));
}

/* Seeks to the first name that does not begin with this one, or before to the last name smaller
 * than that. The last byte of UTF-8 text is never 0xff. */
static void seek_behind(struct listing *l, struct str prefix, bool before)
{
	buf_clear(&l->key);
	buf_add(&l->key, l->head, DB_KEY_HEAD);
	buf_add_str(&l->key, prefix);
	l->key.p[l->key.n - 1]++;
	if (before)
		kv_iter_seek_before(l->it, buf_str(&l->key));
	else
		kv_iter_seek(l->it, buf_str(&l->key));
}

/* Backwards, the walk begins at the smaller of end_marker and the prefix's end. */
static void start_backwards(struct listing *l)
{
	struct str end = l->q.end_marker, prefix = l->q.prefix;

	if (end.n && (!prefix.n || str_starts(end, prefix) || str_cmp(end, prefix) < 0))
		seek(l, end, true);
	else
		seek_behind(l, prefix, true);
}

static void start_forwards(struct listing *l)
{
	struct str marker = l->q.marker, prefix = l->q.prefix;
	struct str from = str_cmp(marker, prefix) > 0 ? marker : prefix;

	if (!l->q.allow_reserved && (from.n == 0 || from.p[0] == 0))
		from = S("\x01");
	seek(l, from, false);
}

/* The row under the iterator: false when it is another database's. */
static bool current(const struct listing *l, struct str *ret_name)
{
	if (!kv_iter_valid(l->it))
		return false;
	struct str key = kv_iter_key(l->it);

	if (key.n < DB_KEY_HEAD || memcmp(key.p, l->head, DB_KEY_HEAD) != 0)
		return false;
	*ret_name = str_of(key.p + DB_KEY_HEAD, key.n - DB_KEY_HEAD);
	return true;
}

static void step(struct listing *l)
{
	if (l->q.reverse)
		kv_iter_prev(l->it);
	else
		kv_iter_next(l->it);
}

/* ---- one row ---- */

/* The row of the query's policy, when it is live. */
static bool select_row(const struct listing *l, struct str value, struct row *ret)
{
	while (value.n) {
		if (row_decode(&value, ret) < 0)
			return false;
		if (ret->policy == l->q.policy)
			return !ret->deleted;
	}
	return false;
}

/* Prints the row unless it belongs to another policy: whether it counts. */
static bool add_row(struct listing *l, struct str name)
{
	struct str value = kv_iter_value(l->it);
	struct account_row ar;
	struct row r;

	if (l->id.kind == DB_CONTAINER) {
		if (!select_row(l, value, &r))
			return false;
		listing_add_row(l, name, &r);
	} else {
		if (account_row_decode(value, &ar) < 0)
			return false;
		listing_add_account_row(l, name, &ar);
	}
	return true;
}

static bool is_selected(const struct listing *l)
{
	struct row r;

	return l->id.kind == DB_ACCOUNT || select_row(l, kv_iter_value(l->it), &r);
}

/* Goes behind all names that begin with directory, a view of the current one. Short directories are
 * walked over, which costs less than a seek. */
static void leave(struct listing *l, struct str directory)
{
	CLEANUP(buf_done) struct buf dir = BUF(SIZE_MAX / 2);
	struct str name;

	buf_add_str(&dir, directory);
	for (unsigned i = 0; i < STEPS_BEFORE_SEEK; i++) {
		step(l);
		if (!current(l, &name) || !str_starts(name, buf_str(&dir)))
			return;
	}
	if (l->q.reverse)
		seek(l, buf_str(&dir), true);
	else
		seek_behind(l, buf_str(&dir), false);
}

/* A name with a delimiter behind the prefix: end is where the delimiter ends. */
static void visit_directory(struct listing *l, struct str name, size_t end)
{
	struct str directory = str_head(name, end);

	if (!is_selected(l)) {
		step(l);
		return;
	}
	/* The marker itself is not listed again, though its content sorts behind it. */
	if (!str_eq(directory, l->q.marker))
		listing_add_subdir(l, directory);
	leave(l, directory);
}

/* path= lists what lies directly in a directory, markers of directories ("a/") included, but no
 * subdirs. What is deeper is jumped over: from "a/x" on, so that "a/" itself is not. */
static void visit_path(struct listing *l, struct str name, ssize_t at)
{
	size_t end = (size_t)at + 1;

	if (at >= 0 && name.n > end) {
		struct str directory = str_head(name, end);
		CLEANUP(buf_done) struct buf dir = BUF(SIZE_MAX / 2);

		if (!l->q.reverse) {
			leave(l, directory);
			return;
		}
		buf_add_str(&dir, directory);
		buf_add_char(&dir, 0);
		seek(l, buf_str(&dir), true);
		return;
	}
	if (!str_eq(name, l->path_prefix))
		add_row(l, name);
	step(l);
}

static void visit(struct listing *l, struct str name)
{
	struct str delimiter = l->q.delimiter;

	if (!delimiter.n) {
		add_row(l, name);
		step(l);
		return;
	}
	ssize_t at = str_find(str_skip(name, l->q.prefix.n), delimiter);

	if (at >= 0)
		at += (ssize_t)l->q.prefix.n;
	if (l->q.path.p) {
		visit_path(l, name, at);
	} else if (at >= 0) {
		visit_directory(l, name, (size_t)at + delimiter.n);
	} else {
		add_row(l, name);
		step(l);
	}
}

/* ---- the walk; in the pool ---- */

static bool full(const struct listing *l)
{
	return l->out.n >= l->budget;
}

static void walk(struct listing *l)
{
	struct str name;

	while (l->count < l->q.limit && !full(l)) {
		if (!current(l, &name) ||
		    (l->q.reverse ? before_start(l, name) : behind_end(l, name))) {
			l->done = true;
			return;
		}
		/* On the side from which the walk came there is the marker itself, and nothing
		 * else. */
		if (!l->inside && (l->q.reverse ? behind_end(l, name) : before_start(l, name))) {
			step(l);
			continue;
		}
		l->inside = true;
		visit(l, name);
	}
	l->done = l->count >= l->q.limit;
}

static void walk_raw(struct listing *l)
{
	struct str name, value;

	while (l->count < l->q.limit && !full(l)) {
		if (!db_cursor_get(&l->cursor, &name, &value) || behind_end(l, name)) {
			l->done = true;
			return;
		}
		if (!before_start(l, name))
			listing_add_raw(l, name, value);
		db_cursor_next(&l->cursor);
	}
	l->done = l->count >= l->q.limit;
}

static void start(struct listing *l)
{
	struct str from = str_cmp(l->q.marker, l->q.prefix) > 0 ? l->q.marker : l->q.prefix;

	l->started = true;
	l->inside = false;
	if (l->q.format == LISTING_RAW) {
		if (l->open)
			db_cursor_seek(&l->cursor, from);
		else
			db_cursor_open(&l->cursor, store_kv(l->dbs->store), &l->id, from);
		l->open = true;
		return;
	}
	if (!l->open)
		l->it = kv_iter_new_cached(store_kv(l->dbs->store));
	l->open = true;
	listing_begin(l);
	if (l->q.reverse)
		start_backwards(l);
	else
		start_forwards(l);
}

static void run_piece(struct listing *l)
{
	if (!l->started)
		start(l);
	if (l->q.format == LISTING_RAW)
		walk_raw(l);
	else
		walk(l);
	if (l->done)
		listing_end(l);
	l->rc = l->q.format == LISTING_RAW ? db_cursor_error(&l->cursor) : kv_iter_error(l->it);
}

static void close_iterators(struct listing *l)
{
	if (l->open && l->q.format == LISTING_RAW)
		db_cursor_close(&l->cursor);
	else if (l->open)
		kv_iter_free(l->it);
	l->open = false;
}

/* Makes the whole listing, or when it is too long for that only learns its length. */
static void make_listing(void *arg)
{
	struct listing *l = arg;

	l->budget = WHOLE_MAX;
	run_piece(l);
	l->length = l->out.n;
	if (l->done || l->rc < 0) {
		close_iterators(l);
		return;
	}
	while (!l->done && l->rc == 0) {
		buf_clear(&l->out);
		l->budget = PIECE_SIZE;
		run_piece(l);
		l->length += l->out.n;
	}
	/* The same iterator sees the same rows again. */
	buf_done(&l->out);
	l->started = l->done = false;
	l->count = 0;
}

static void make_piece(void *arg)
{
	struct listing *l = arg;

	buf_clear(&l->out);
	run_piece(l);
	if (l->done)
		close_iterators(l);
}

static void end_listing(void *arg)
{
	close_iterators(arg);
}

/* ---- the body ---- */

struct listing_body {
	struct body body;
	struct listing l;
	bool whole;             /* out is all there is */
	bool given;
};

task_asserted static int next_chunk(struct body *b, struct str *ret_chunk)
{
	struct listing_body *lb = container_of(b, struct listing_body, body);

	if (lb->whole && lb->given)
		return 0;
	if (!lb->whole) {
		if (lb->l.done)
			return 0;
		task_run_blocking("piece of a listing", make_piece, &lb->l);
		if (lb->l.rc < 0)
			return lb->l.rc;
	}
	lb->given = true;
	*ret_chunk = buf_str(&lb->l.out);
	b->left -= (int64_t)ret_chunk->n;
	return ret_chunk->n > 0;
}

static void free_listing(struct listing *l)
{
	struct dbs *dbs = l->dbs;

	buf_done(&l->key);
	if (l->out.cap && l->out.cap <= SPARE_MAX && !dbs->spare.cap) {
		dbs->spare = l->out;
		buf_clear(&dbs->spare);
	} else {
		buf_done(&l->out);
	}
}

task_asserted static void close_body(struct body *b)
{
	struct listing_body *lb = container_of(b, struct listing_body, body);

	if (lb->l.open)
		task_run_blocking("end of a listing", end_listing, &lb->l);
	free_listing(&lb->l);
}

/* path= stands for prefix and delimiter. */
static void prepare(struct listing *l, struct arena *a)
{
	struct listing_query *q = &l->q;
	CLEANUP(buf_done) struct buf key = BUF(64);

	if (q->format == LISTING_RAW) {
		q->delimiter = q->path = STR_NONE;
		q->reverse = false;
	}
	if (q->reverse) {
		struct str marker = q->marker;

		q->marker = q->end_marker;
		q->end_marker = marker;
	}
	if (q->path.p) {
		struct str path = q->path;

		while (str_ends(path, S("/")))
			path.n--;
		l->path_prefix = q->path.n ? arena_printf(a, "%.*s/", STR(path)) : STR_NONE;
		q->prefix = l->path_prefix;
		q->delimiter = S("/");
	}
	db_key(&key, &l->id, 'r', STR_NONE);
	memcpy(l->head, key.p, DB_KEY_HEAD);
}

int db_list_rows(struct dbs *dbs, const struct db_id *id, const struct listing_query *q,
		 struct str name, struct arena *a, struct body **ret, int64_t *ret_length)
{
	struct listing_body *lb = arena_zalloc(a, sizeof *lb);
	struct listing *l = &lb->l;

	*l = (struct listing){ .dbs = dbs,
			       .id = *id,
			       .q = *q,
			       .name = name,
			       .key = BUF(SIZE_MAX / 2),
			       .out = dbs->spare };
	dbs->spare = BUF(SIZE_MAX / 2);
	dbs->stats.listings++;
	prepare(l, a);
	task_run_blocking("listing", make_listing, l);
	lb->body.next = next_chunk;
	lb->body.close = close_body;
	lb->body.left = (int64_t)l->length;
	lb->whole = !l->open;
	if (l->rc < 0) {
		int rc = l->rc;

		body_close(&lb->body);
		return rc;
	}
	*ret = &lb->body;
	*ret_length = (int64_t)l->length;
	return l->links;
}
