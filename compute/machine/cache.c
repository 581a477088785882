/* Images of this host: fetched from the image service once, checked, and shared by all machines
 * that are made of them. Files are named by what is in them, so they never change. */
#include "compute/call.h"
#include "compute/identity/identity.h"
#include "compute/machine/internal.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/disk/file.h"
#include "lib/log/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PIECE = 1 * MIB,
	HOLE = 64 * KIB,                /* zeroes of that size are not written */
	TRIES = 5,                      /* in a row without a byte */
	RETRY_MS = 500,
	QCOW2_HEAD = 512,
	WATCH_MS = 500,
};

struct fetch {
	struct machines *m;
	const struct machine *one;
	const struct machine_image *image;
	struct arena *arena;
	struct str part, path;
	int fd;
	uint64_t at;                    /* bytes that are there */
	struct str piece;               /* to be written there */
	enum digest_kind kind;
	struct str digest;              /* as it should be, hex */
	uint64_t virtual_size;
	struct fault *why;
	int rc;
};

/* ---- in the pool ---- */

static bool all_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static int disk_failed(struct fault *why, int rc)
{
	if (rc == -ENOSPC || rc == -EDQUOT)
		return fault_set(why, -ENOSPC, "The host's disk is full");
	return fault_set(why, rc, "The host's disk: %s", strerror(-rc));
}

static void write_piece(void *arg)
{
	struct fetch *f = arg;
	uint64_t total, room;

	f->rc = disk_room(f->m, &total, &room);
	if (f->rc == 0 && room < f->piece.n)
		f->rc = -ENOSPC;
	for (size_t at = 0; at < f->piece.n && f->rc == 0; at += HOLE) {
		size_t n = MIN((size_t)HOLE, f->piece.n - at);

		if (!all_zero(f->piece.p + at, n))
			f->rc = file_write_at(f->fd, f->piece.p + at, n, f->at + at);
	}
	/* The length says how far it came, also when it ends in a hole. */
	if (f->rc == 0 && ftruncate(f->fd, (off_t)(f->at + f->piece.n)) < 0)
		f->rc = -errno;
	if (f->rc < 0)
		f->rc = disk_failed(f->why, f->rc);
	else
		f->at += f->piece.n;
}

static void open_part(void *arg)
{
	struct fetch *f = arg;
	struct stat st = { .st_size = 0 };

	f->fd = open(f->part.p, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	f->rc = f->fd < 0 || fstat(f->fd, &st) < 0 ? disk_failed(f->why, -errno) : 0;
	if (f->rc == 0)
		f->at = (uint64_t)st.st_size;
}

static void restart_part(void *arg)
{
	struct fetch *f = arg;

	f->rc = ftruncate(f->fd, 0) < 0 ? disk_failed(f->why, -errno) : 0;
	f->at = 0;
}

static int check_digest(struct fetch *f)
{
	AUTO(digest) d = digest_new(f->kind);
	unsigned char out[DIGEST_MAX];
	char text[2 * DIGEST_MAX + 1];
	char *piece = xmalloc(PIECE);
	uint64_t at = 0;
	int rc = 0;

	while (at < f->at && rc == 0) {
		size_t n = (size_t)MIN((uint64_t)PIECE, f->at - at);

		rc = file_read_at(f->fd, piece, n, at);
		if (rc == 0)
			digest_add(d, piece, n);
		at += n;
	}
	free(piece);
	if (rc < 0)
		return disk_failed(f->why, rc);
	digest_final(d, out);
	hex_encode(out, digest_size(f->kind), text);
	if (!str_ieq(str_from(text), f->digest))
		return fault_set(f->why, -EBADMSG,
				 "What came of the image is not what its checksum says");
	return 0;
}

static bool is_raw(const struct machine_image *i)
{
	return str_eq(i->disk_format, S("raw")) || str_eq(i->disk_format, S("iso"));
}

static int look_inside(struct fetch *f)
{
	char head[QCOW2_HEAD];

	if (is_raw(f->image)) {
		f->virtual_size = f->at;
		return 0;
	}
	size_t n = (size_t)MIN((uint64_t)QCOW2_HEAD, f->at);
	int rc = file_read_at(f->fd, head, n, 0);

	return rc < 0 ? disk_failed(f->why, rc) :
			qcow2_check(str_of(head, n), &f->virtual_size, f->why);
}

/* A part that cannot become an image is of no use. */
static void take_over(void *arg)
{
	struct fetch *f = arg;

	f->rc = check_digest(f);
	if (f->rc == 0)
		f->rc = look_inside(f);
	if (f->rc == 0 && rename(f->part.p, f->path.p) < 0)
		f->rc = disk_failed(f->why, -errno);
	if (f->rc < 0)
		unlink(f->part.p);
}

static void close_part(void *arg)
{
	struct fetch *f = arg;

	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	/* What came so far is for the next try; of a full disk it is not kept. */
	if (f->rc == -ENOSPC || f->at == 0)
		unlink(f->part.p);
}

/* Whether it is here: -ENOENT when not. Notes that it is used. */
static void look(void *arg)
{
	struct fetch *f = arg;
	struct stat st = { .st_size = 0 };

	f->fd = open(f->path.p, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st) < 0) {
		f->rc = -errno;
	} else {
		f->at = (uint64_t)st.st_size;
		f->rc = look_inside(f);
		(void)!futimens(f->fd, NULL);
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* ---- from the image service ---- */

waits static int image_url(struct fetch *f, struct str *ret, struct str *ret_token)
{
	struct login *l = identity_login(f->m->compute->identity);
	struct str base = str_from(machine_conf.image_url);
	int rc = login_token(l, f->arena, ret_token);

	if (rc == 0 && !base.p)
		rc = login_endpoint(l, f->arena, S("image"), &base);
	if (rc < 0)
		return rc;
	while (str_ends(base, S("/")))
		base.n--;
	if (str_ends(base, S("/v2")))
		base.n -= 3;
	*ret = arena_printf(f->arena, "%.*s/v2/images/%.*s/file", STR(base), STR(f->image->id));
	return 0;
}

waits static int pool(struct fetch *f, const char *what, void (*fn)(void *))
{
	f->rc = 0;
	IN_POOL(what, fn, f);
	return f->rc;
}

waits static int take_pieces(struct fetch *f, struct body *body)
{
	CLEANUP(buf_done) struct buf piece = BUF(2 * PIECE);
	struct str chunk;
	int rc;

	do {
		rc = body_next(body, &chunk);
		while (rc == 1 && chunk.n) {
			size_t n = MIN(chunk.n, (size_t)PIECE - piece.n);

			buf_add(&piece, chunk.p, n);
			chunk = str_skip(chunk, n);
			if (piece.n < PIECE)
				continue;
			f->piece = buf_str(&piece);
			int wrote = pool(f, "image", write_piece);

			if (wrote < 0)
				return wrote;
			buf_clear(&piece);
		}
		if (f->one->doomed)
			return -ECANCELED;
	} while (rc == 1);
	f->piece = buf_str(&piece);
	int wrote = piece.n ? pool(f, "image", write_piece) : 0;

	return wrote < 0 ? wrote : rc < 0 && rc != -ECANCELED ? -EAGAIN : rc;
}

/* One request for what is missing: 0 at the end, -EAGAIN to be tried again. */
waits static int ask(struct fetch *f)
{
	AUTO(exchange) x = NULL;
	struct headers h;
	struct response res = { .body = NULL };
	struct str url, token;
	int rc = image_url(f, &url, &token);

	if (rc < 0)
		return rc == -ECANCELED ? rc :
			fault_set(f->why, -EAGAIN, "The image service cannot be found: %s",
				  strerror(-rc));
	headers_init(&h, f->arena);
	headers_add(&h, S("X-Auth-Token"), token);
	if (f->at)
		headers_addf(&h, S("Range"), "bytes=%" PRIu64 "-", f->at);
	const struct call c = { .method = S("GET"), .url = url, .headers = &h };
	int status = call_open(f->m->compute->http, f->arena, &c, &res, &x);

	if (status < 0)
		return status == -ECANCELED ? status :
			fault_set(f->why, -EAGAIN, "The image service does not answer: %s",
				  strerror(-status));
	if (status == 401)
		login_refused(identity_login(f->m->compute->identity), token);
	if (status == 200 && f->at)
		rc = pool(f, "image", restart_part);
	if (rc == 0 && (status == 200 || status == 206))
		rc = take_pieces(f, res.body);
	else if (rc == 0)
		rc = fault_set(f->why, status >= 500 || status == 401 || status == 429 ? -EAGAIN :
				       status == 416 ? -ERANGE : -EINVAL,
			       "The image %.*s cannot be read: the image service answers %d",
			       STR(f->image->id), status);
	body_close(res.body);
	return rc;
}

waits static int download(struct fetch *f)
{
	int rc = pool(f, "image", open_part);
	unsigned tries = 0;

	while (rc == 0) {
		uint64_t was = f->at;

		if (f->image->size && f->at >= f->image->size)
			break;
		rc = ask(f);
		if (rc == -ERANGE)      /* all of it was there, or more */
			rc = f->image->size ? -EBADMSG : 0;
		else if (rc == 0 && f->image->size && f->at < f->image->size)
			rc = -EAGAIN;
		else if (rc == 0)
			break;
		if (rc != -EAGAIN)
			break;
		tries = f->at > was ? 0 : tries + 1;
		if (tries == TRIES || f->one->doomed)
			break;
		rc = task_sleep(RETRY_MS);
	}
	if (rc == 0 || rc == -EBADMSG)
		rc = pool(f, "image digest", take_over);
	int kept = rc;

	IN_POOL("image", close_part, f);
	return kept;
}

/* ---- the cache ---- */

static bool is_hex(struct str s, size_t n)
{
	unsigned char bytes[DIGEST_MAX];

	return s.n == n && n / 2 <= sizeof bytes && hex_decode(s, bytes, n / 2) == 0;
}

static int name_it(struct fetch *f, struct cached *ret, struct fault *why)
{
	const struct machine_image *i = f->image;
	bool qcow2 = str_eq(i->disk_format, S("qcow2"));

	if (!qcow2 && !is_raw(i))
		return fault_set(why, -EINVAL,
				 "Machines are made of images of the formats qcow2 and raw; "
				 "this one is of the format %.*s", STR(i->disk_format));
	if (str_eq(i->hash_algo, S("sha512")) && is_hex(i->hash, 2 * SHA512_SIZE)) {
		f->kind = DIGEST_SHA512;
		f->digest = i->hash;
	} else if (str_eq(i->hash_algo, S("sha256")) && is_hex(i->hash, 2 * SHA256_SIZE)) {
		f->kind = DIGEST_SHA256;
		f->digest = i->hash;
	} else if (is_hex(i->checksum, 2 * MD5_SIZE)) {
		f->kind = DIGEST_MD5;
		f->digest = i->checksum;
	} else {
		return fault_set(why, -EINVAL, "The image has no checksum");
	}
	ret->format = qcow2 ? "qcow2" : "raw";
	ret->key = arena_printf(f->arena, "%.*s.%s", STR(f->digest), ret->format);
	ret->path = arena_printf(f->arena, "%s/images/%.*s", f->m->dir, STR(ret->key));
	f->path = ret->path;
	f->part = arena_printf(f->arena, "%.*s.part", STR(ret->path));
	return 0;
}

/* While another task fetches it: waits. */
waits static int wait_turn(struct fetch *f, struct str key)
{
	int rc = 0;

	while (rc == 0 && (f->m->evicting || map_peek(f->m->fetching, key))) {
		rc = waitq_wait(&f->m->changed, "another's image", WATCH_MS);
		if (rc == -ETIMEDOUT)
			rc = 0;
		if (f->one->doomed)
			rc = -ECANCELED;
	}
	return rc;
}

int cache_need(struct machines *m, struct arena *a, const struct machine *one,
	       const struct machine_image *image, struct cached *ret, struct fault *why)
{
	struct fetch f = { .m = m, .one = one, .image = image, .arena = a, .fd = -1, .why = why };
	struct cached c = { .format = NULL };
	int rc = name_it(&f, &c, why);

	if (rc == 0)
		rc = wait_turn(&f, c.key);
	if (rc < 0)
		return rc;
	map_put(m->fetching, c.key, m);
	if (pool(&f, "image", look) < 0)
		rc = download(&f);
	map_remove(m->fetching, c.key);
	waitq_wake_all(&m->changed);
	if (rc < 0)
		return rc;
	c.virtual_size = f.virtual_size;
	*ret = c;
	return 0;
}

/* ---- eviction ---- */

struct aged {
	char *name;
	uint64_t size;
	int64_t used_s;
};
struct evicting {
	const char *dir;
	struct map *used;               /* keys that must stay */
	struct aged *v;
	size_t n;
};

static int by_age(const void *x, const void *y)
{
	const struct aged *a = x, *b = y;

	return a->used_s < b->used_s ? -1 : a->used_s > b->used_s;
}

static void collect(struct evicting *e, DIR *dir)
{
	const struct dirent *d;
	struct stat st = { .st_size = 0 };

	while ((d = readdir(dir))) {
		if (map_peek(e->used, str_from(d->d_name)) ||
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		e->v = xreallocarray(e->v, e->n + 1, sizeof *e->v);
		e->v[e->n++] = (struct aged){ xstrdup(d->d_name), (uint64_t)st.st_blocks * 512,
					      st.st_mtime };
	}
}

static void evict(void *arg)
{
	struct evicting *e = arg;
	DIR *dir = opendir(e->dir);
	int64_t oldest = clock_wall_s() - (int64_t)(machine_conf.image_cache_age / 1000);
	uint64_t total = 0;

	if (!dir)
		return;
	collect(e, dir);
	if (e->n)
		qsort(e->v, e->n, sizeof *e->v, by_age);
	for (size_t i = 0; i < e->n; i++)
		total += e->v[i].size;
	for (size_t i = 0; i < e->n; i++) {
		if ((e->v[i].used_s <= oldest || total > machine_conf.image_cache_size) &&
		    unlinkat(dirfd(dir), e->v[i].name, 0) == 0) {
			total -= e->v[i].size;
			log_info("image %s: no machine uses it, removed from this host",
				 e->v[i].name);
		}
		free(e->v[i].name);
	}
	free(e->v);
	closedir(dir);
}

static void keep_of(void *arg, struct str id, void *value)
{
	const struct machine *one = value;
	struct evicting *e = arg;
	static const char *const keys[] = { "base", "rescue_base", "base_before" };

	(void)id;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		struct str key = json_str(one->doc, keys[i]);

		if (key.p)
			map_put(e->used, key, e);
	}
}

static void keep_part(void *arg, struct str key, void *value)
{
	struct evicting *e = arg;
	CLEANUP(buf_done) struct buf name = BUF(KIB);

	(void)value;
	buf_addf(&name, "%.*s.part", STR(key));
	map_put(e->used, buf_str(&name), e);
	map_put(e->used, key, e);
}

void cache_evict(struct machines *m)
{
	AUTO(arena) a = arena_new();
	struct evicting e = { .dir = arena_printf(a, "%s/images", m->dir).p, .used = map_new() };

	m->evicting = true;
	map_each(m->all, keep_of, &e);
	map_each(m->fetching, keep_part, &e);
	IN_POOL("images", evict, &e);
	m->evicting = false;
	waitq_wake_all(&m->changed);
	map_free(e.used, NULL);
}
