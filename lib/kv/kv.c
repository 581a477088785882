/* LevelDB's C interface behind kv_*: errors become negative errno, results go into our buffers. */
#include "lib/kv/kv.h"

#include <leveldb/c.h>
#include <pthread.h>

enum { KV_MAGIC = 0x6b766462, BLOOM_BITS = 10 };

struct kv {
	unsigned magic;
	leveldb_t *db;
	leveldb_options_t *options;
	leveldb_cache_t *cache;
	leveldb_filterpolicy_t *bloom;
	leveldb_readoptions_t *read, *scan;
	leveldb_writeoptions_t *write, *write_sync;
	pthread_mutex_t lock;           /* one writer at a time, see kv_flush */
};

struct kv_batch {
	leveldb_writebatch_t *b;
};

struct kv_iter {
	leveldb_iterator_t *it;
};

void kv_close(struct kv *kv)
{
	if (!kv)
		return;
	assert(kv->magic == KV_MAGIC);
	if (kv->db)
		leveldb_close(kv->db);
	leveldb_readoptions_destroy(kv->read);
	leveldb_readoptions_destroy(kv->scan);
	leveldb_writeoptions_destroy(kv->write);
	leveldb_writeoptions_destroy(kv->write_sync);
	leveldb_options_destroy(kv->options);
	leveldb_cache_destroy(kv->cache);
	leveldb_filterpolicy_destroy(kv->bloom);
	pthread_mutex_destroy(&kv->lock);
	kv->magic = 0;
	free(kv);
}

int kv_open(const char *path, const struct kv_options *o, struct kv **ret, struct fault *why)
{
	struct kv *kv = xcalloc(1, sizeof *kv);
	char *err = NULL;

	kv->magic = KV_MAGIC;
	pthread_mutex_init(&kv->lock, NULL);
	kv->options = leveldb_options_create();
	kv->cache = leveldb_cache_create_lru(o->block_cache ? o->block_cache : 8 * MIB);
	kv->bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
	leveldb_options_set_create_if_missing(kv->options, 1);
	leveldb_options_set_cache(kv->options, kv->cache);
	leveldb_options_set_filter_policy(kv->options, kv->bloom);
	leveldb_options_set_write_buffer_size(kv->options,
					      o->write_buffer ? o->write_buffer : 4 * MIB);
	leveldb_options_set_max_open_files(kv->options, o->open_files ? (int)o->open_files : 256);
	kv->read = leveldb_readoptions_create();
	kv->scan = leveldb_readoptions_create();
	leveldb_readoptions_set_fill_cache(kv->scan, 0);
	kv->write = leveldb_writeoptions_create();
	kv->write_sync = leveldb_writeoptions_create();
	leveldb_writeoptions_set_sync(kv->write_sync, 1);
	kv->db = leveldb_open(kv->options, path, &err);
	if (!kv->db) {
		fault_set(why, -EIO, "cannot open the index %s: %s", path, err ? err : "?");
		leveldb_free(err);
		kv_close(kv);
		return -EIO;
	}
	*ret = kv;
	return 0;
}

int kv_destroy(const char *path, struct fault *why)
{
	leveldb_options_t *o = leveldb_options_create();
	char *err = NULL;
	int rc = 0;

	leveldb_destroy_db(o, path, &err);
	leveldb_options_destroy(o);
	if (err)
		rc = fault_set(why, -EIO, "cannot remove the index %s: %s", path, err);
	leveldb_free(err);
	return rc;
}

int kv_get(struct kv *kv, struct str key, struct buf *ret_value)
{
	char *err = NULL;
	size_t n;
	char *v = leveldb_get(kv->db, kv->read, key.p, key.n, &n, &err);

	if (err) {
		leveldb_free(err);
		return -EIO;
	}
	if (!v)
		return -ENOENT;
	buf_clear(ret_value);
	buf_add(ret_value, v, n);
	leveldb_free(v);
	return buf_failed(ret_value) ? -EIO : 0;
}

struct kv_batch *kv_batch_new(void)
{
	struct kv_batch *b = xmalloc(sizeof *b);

	b->b = leveldb_writebatch_create();
	return b;
}

void kv_batch_free(struct kv_batch *b)
{
	if (!b)
		return;
	leveldb_writebatch_destroy(b->b);
	free(b);
}

void kv_batch_put(struct kv_batch *b, struct str key, struct str value)
{
	leveldb_writebatch_put(b->b, key.p, key.n, value.n ? value.p : "", value.n);
}

void kv_batch_delete(struct kv_batch *b, struct str key)
{
	leveldb_writebatch_delete(b->b, key.p, key.n);
}

void kv_batch_clear(struct kv_batch *b)
{
	leveldb_writebatch_clear(b->b);
}

int kv_write(struct kv *kv, struct kv_batch *b, bool sync)
{
	char *err = NULL;

	pthread_mutex_lock(&kv->lock);
	leveldb_write(kv->db, sync ? kv->write_sync : kv->write, b->b, &err);
	pthread_mutex_unlock(&kv->lock);
	if (!err)
		return 0;
	leveldb_free(err);
	return -EIO;
}

/* LevelDB has no flush. Compacting a range beyond all keys first forces the memtable into a table
 * and waits for it (db_impl.cc: CompactRange calls TEST_CompactMemTable), then finds nothing to do.
 * The force is an empty write, which is lost when it gets grouped with another's write before it
 * (BuildBatchGroup skips it), so nobody may be writing then. A failed flush is not reported by it
 * but sticks: the next write fails with it, so an empty batch asks. */
int kv_flush(struct kv *kv)
{
	static const char beyond[] =
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";

	pthread_mutex_lock(&kv->lock);
	leveldb_compact_range(kv->db, beyond, 15, beyond, 16);
	pthread_mutex_unlock(&kv->lock);
	struct kv_batch *b = kv_batch_new();
	int rc = kv_write(kv, b, false);
	kv_batch_free(b);
	return rc;
}

struct kv_iter *kv_iter_new(struct kv *kv)
{
	struct kv_iter *it = xmalloc(sizeof *it);

	it->it = leveldb_create_iterator(kv->db, kv->scan);
	return it;
}

struct kv_iter *kv_iter_new_cached(struct kv *kv)
{
	struct kv_iter *it = xmalloc(sizeof *it);

	it->it = leveldb_create_iterator(kv->db, kv->read);
	return it;
}

void kv_iter_free(struct kv_iter *it)
{
	if (!it)
		return;
	leveldb_iter_destroy(it->it);
	free(it);
}

void kv_iter_seek(struct kv_iter *it, struct str key)
{
	leveldb_iter_seek(it->it, key.p, key.n);
}

void kv_iter_seek_before(struct kv_iter *it, struct str key)
{
	leveldb_iter_seek(it->it, key.p, key.n);
	if (leveldb_iter_valid(it->it))
		leveldb_iter_prev(it->it);
	else
		leveldb_iter_seek_to_last(it->it);
}

void kv_iter_next(struct kv_iter *it)
{
	leveldb_iter_next(it->it);
}

void kv_iter_prev(struct kv_iter *it)
{
	leveldb_iter_prev(it->it);
}

bool kv_iter_valid(const struct kv_iter *it)
{
	return leveldb_iter_valid(it->it);
}

struct str kv_iter_key(const struct kv_iter *it)
{
	struct str s;

	s.p = leveldb_iter_key(it->it, &s.n);
	return s;
}

struct str kv_iter_value(const struct kv_iter *it)
{
	struct str s;

	s.p = leveldb_iter_value(it->it, &s.n);
	return s;
}

int kv_iter_error(const struct kv_iter *it)
{
	char *err = NULL;

	leveldb_iter_get_error(it->it, &err);
	if (!err)
		return 0;
	leveldb_free(err);
	return -EIO;
}

uint64_t kv_disk_bytes(struct kv *kv, struct str from, struct str until)
{
	uint64_t size = 0;

	leveldb_approximate_sizes(kv->db, 1, &from.p, &from.n, &until.p, &until.n, &size);
	return size;
}
