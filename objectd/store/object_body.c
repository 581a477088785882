/* The bytes of an open object: from memory, or in pieces from its volume or file, with one piece
 * read ahead; each block of 64 KiB verified before any byte of it is handed out. */
#include "objectd/store/internal.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	PIECE = 4 * RECORD_BLOCK,
	SLOW_PIECES = 16, /* read through the pool after one that was not in the page cache */
	/* So much the kernel is asked to have on its way from the disk when a read has shown that
	 * it goes on, at first, at a time, and for all bodies that come from the disk together. A
	 * disk that gave 560 MB/s with 4 MiB on their way gave 1,000 to 1,300 with 32. */
	AHEAD_MAX = 32 * MIB,
	AHEAD_FIRST = 2 * MIB,
	AHEAD_STEP = MIB,
	AHEAD_ALL = 256 * MIB,
};

struct piece {
	struct object_body *body;
	char *p;
	uint64_t at;                    /* in the object: the beginning of a block */
	size_t n;
	int rc;
	bool busy, full;
};

struct object_body {
	struct body b;
	struct store_object *o;
	int fd;
	uint64_t base;                  /* of the object's bytes in the file */
	uint64_t next, end;             /* what is to be handed out */
	uint64_t read_at;               /* where the next piece to be read begins */
	uint64_t ahead;                 /* up to where the kernel was asked to read; 0: never */
	uint64_t cold_from;             /* where it was first found not to be in the page cache */
	uint64_t window;                /* how far ahead of a piece the kernel shall read */
	uint64_t crcs_from;             /* the block that crcs begins with */
	const unsigned char *crcs;
	void *crcs_own;
	struct piece pieces[2];
	unsigned turn, slow;
	bool cold;                      /* counted in the store's cold_bodies */
	struct task *waiter;
	int failed;
};

static int verify(const struct object_body *b, const struct piece *c)
{
	for (size_t i = 0; i < record_blocks(c->n); i++) {
		size_t n = MIN(c->n - i * RECORD_BLOCK, (size_t)RECORD_BLOCK);

		if (!record_block_ok(b->crcs, (size_t)(c->at / RECORD_BLOCK - b->crcs_from) + i,
				     c->p + i * RECORD_BLOCK, n))
			return -EBADMSG;
	}
	return 0;
}

/* The window grows with what the client has taken: one that breaks off costs the disk little. */
static void widen(struct object_body *b, const struct piece *c)
{
	uint64_t share = AHEAD_ALL / MAX(b->o->s->cold_bodies, 1u);

	b->window = MIN(AHEAD_FIRST + 2 * (c->at - b->cold_from), (uint64_t)AHEAD_MAX);
	b->window = MAX(MIN(b->window, share), (uint64_t)AHEAD_STEP);
}

/* The kernel's own read-ahead leaves the disk idle while a piece is on its way to the client. Only
 * one job of a body runs at a time. */
static void ask_ahead(struct object_body *b, const struct piece *c)
{
	uint64_t from = MAX(b->ahead, c->at + c->n), to = MIN(c->at + c->n + b->window, b->end);

	while (from < to) {
		uint64_t n = MIN(to - from, (uint64_t)AHEAD_STEP);

		if (n < AHEAD_STEP && to < b->end)
			break;
		(void)posix_fadvise(b->fd, (off_t)(b->base + from), (off_t)n, POSIX_FADV_WILLNEED);
		from += n;
	}
	b->ahead = from;
}

static void read_job(void *arg)
{
	struct piece *c = arg;
	struct object_body *b = c->body;

	c->rc = file_read_at(b->fd, c->p, c->n, b->base + c->at);
	ask_ahead(b, c);
	if (c->rc == 0)
		c->rc = verify(b, c);
}

task_asserted static void read_ahead(void *arg)
{
	struct piece *c = arg;

	task_run_blocking("read", read_job, c);
	c->busy = false;
	c->full = true;
	if (c->body->waiter)
		task_wake(c->body->waiter);
}

static void wait_for(struct object_body *b, struct piece *c) task_asserted;
static void wait_for(struct object_body *b, struct piece *c)
{
	b->waiter = task_self();
	while (c->busy)
		task_wait_masked("read ahead");
	b->waiter = NULL;
}

/* Points the piece at what comes next: false at the end. */
static bool aim(struct object_body *b, struct piece *c)
{
	uint64_t size = b->o->e.e.size;

	if (b->read_at >= b->end)
		return false;
	if (!c->p)
		c->p = xmalloc(PIECE);
	c->at = b->read_at;
	c->n = (size_t)MIN(size - c->at, (uint64_t)PIECE);
	/* Not further than the last block that is wanted. */
	c->n = (size_t)MIN((uint64_t)c->n,
			   (b->end - c->at + RECORD_BLOCK - 1) / RECORD_BLOCK * RECORD_BLOCK);
	b->read_at += c->n;
	c->full = false;
	return true;
}

static void go_cold(struct object_body *b, const struct piece *c)
{
	if (b->cold)
		return;
	b->cold = true;
	b->cold_from = c->at;
	b->o->s->cold_bodies++;
}

/* The kernel is asked for more before what it was asked for is used up. */
static bool is_running_out(const struct object_body *b, const struct piece *c)
{
	return b->cold && b->ahead < b->end && b->ahead < c->at + c->n + b->window / 2;
}

/* Fills the piece, without the pool when the page cache has it. */
static void fill(struct object_body *b, struct piece *c) task_asserted;
static void fill(struct object_body *b, struct piece *c)
{
	if (b->slow == 0 && is_running_out(b, c))
		b->slow = SLOW_PIECES;
	if (b->slow == 0) {
		c->rc = file_read_at_nowait(b->fd, c->p, c->n, b->base + c->at);
		if (c->rc == 0)
			c->rc = verify(b, c);
		if (c->rc != -EAGAIN) {
			c->full = true;
			return;
		}
		go_cold(b, c);
		b->slow = SLOW_PIECES;
	}
	widen(b, c);
	task_run_blocking("read", read_job, c);
	c->full = true;
}

static void start(struct object_body *b, struct piece *c)
{
	if (b->slow == 0 || !aim(b, c))
		return;
	b->slow--;
	widen(b, c);
	c->busy = true;
	task_spawn(NULL, "read ahead", read_ahead, c);
}

static int damaged(struct object_body *b, int rc) task_asserted;
static int damaged(struct object_body *b, int rc)
{
	if (rc == -EBADMSG || rc == -ENODATA || rc == -EIO) {
		tolerate(quarantine(b->o->s, &b->o->id, &b->o->e, "its data is damaged"));
		rc = -EIO;
	}
	b->failed = rc;
	return rc;
}

task_asserted static int next_piece(struct body *body, struct str *ret_chunk)
{
	struct object_body *b = container_of(body, struct object_body, b);
	struct piece *c = &b->pieces[b->turn];

	if (b->failed)
		return b->failed;
	if (b->next >= b->end)
		return 0;
	if (!c->busy && !c->full) {
		bool more = aim(b, c);

		assert(more);
		fill(b, c);
	}
	wait_for(b, c);
	if (c->rc < 0)
		return damaged(b, c->rc);
	assert(c->at <= b->next && b->next < c->at + c->n);
	size_t skip = (size_t)(b->next - c->at);
	*ret_chunk = str_of(c->p + skip, (size_t)(MIN(c->at + c->n, b->end) - b->next));
	b->next += ret_chunk->n;
	b->b.left = (int64_t)(b->end - b->next);
	c->full = false;
	b->turn ^= 1;
	if (!b->pieces[b->turn].busy && !b->pieces[b->turn].full)
		start(b, &b->pieces[b->turn]);
	return 1;
}

task_asserted static void close_pieces(struct body *body)
{
	struct object_body *b = container_of(body, struct object_body, b);

	for (unsigned i = 0; i < 2; i++) {
		wait_for(b, &b->pieces[i]);
		free(b->pieces[i].p);
		b->pieces[i].p = NULL;
	}
	free(b->crcs_own);
	b->crcs_own = NULL;
	b->o->s->cold_bodies -= b->cold;
	b->cold = false;
}

struct crcs_job {
	struct object_body *b;
	uint64_t at;
	size_t n;
	int result;
};

static void crcs_job(void *arg)
{
	struct crcs_job *j = arg;

	j->result = file_read_at(j->b->fd, j->b->crcs_own, j->n, j->at);
}

/* The first call reads the CRCs of a large file, as many as are needed. */
task_asserted static int first_piece(struct body *body, struct str *ret_chunk)
{
	struct object_body *b = container_of(body, struct object_body, b);
	struct crcs_job j = { .b = b };

	if (b->failed)
		return b->failed;
	b->crcs_from = b->next / RECORD_BLOCK;
	j.n = 4 * (size_t)(record_blocks(b->end) - b->crcs_from);
	j.at = large_crcs_at(b->o->e.e.size) + 4 * b->crcs_from;
	b->crcs_own = xmalloc(j.n);
	b->crcs = b->crcs_own;
	j.result = file_read_at_nowait(b->fd, b->crcs_own, j.n, j.at);
	if (j.result < 0)
		task_run_blocking("read", crcs_job, &j);
	if (j.result < 0)
		return damaged(b, j.result);
	b->b.next = next_piece;
	return next_piece(body, ret_chunk);
}

task_asserted static int memory_piece(struct body *body, struct str *ret_chunk)
{
	struct object_body *b = container_of(body, struct object_body, b);
	struct store_object *o = b->o;

	if (b->failed)
		return b->failed;
	if (b->next >= b->end)
		return 0;
	for (uint64_t at = b->read_at; at < b->end; at += RECORD_BLOCK) {
		size_t n = (size_t)MIN(o->e.e.size - at, (uint64_t)RECORD_BLOCK);

		if (!record_block_ok(o->crcs, (size_t)(at / RECORD_BLOCK), o->data + at, n))
			return damaged(b, -EBADMSG);
	}
	*ret_chunk = str_of(o->data + b->next, (size_t)(b->end - b->next));
	b->next = b->end;
	b->b.left = 0;
	return 1;
}

struct body *store_object_body(struct store_object *o, uint64_t first, uint64_t last)
{
	assert(o->magic == OBJECT_MAGIC && o->e.e.state == OBJECT_DATA);
	if (o->e.e.size == 0)
		return body_empty(o->a);
	assert(first <= last && last < o->e.e.size);
	struct object_body *b = arena_zalloc(o->a, sizeof *b);

	b->o = o;
	b->next = first;
	b->end = last + 1;
	b->read_at = first / RECORD_BLOCK * RECORD_BLOCK;
	b->b.left = (int64_t)(b->end - b->next);
	b->pieces[0].body = b->pieces[1].body = b;
	if (o->data) {
		b->b.next = memory_piece;
		return &b->b;
	}
	b->b.close = close_pieces;
	b->fd = o->e.large ? o->fd : o->pinned->fd;
	b->base = o->e.large ? 0 : o->data_at;
	b->crcs = o->crcs;
	b->b.next = o->e.large ? first_piece : next_piece;
	return &b->b;
}
