/* LevelDB. Every call here may block on the disk: only inside task_run_blocking (or before the loop
 * runs). Thread-safe. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/fault.h"

struct kv;
struct kv_options {
	size_t write_buffer, block_cache;       /* bytes */
	unsigned open_files;
};

int kv_open(const char *path, const struct kv_options *o, struct kv **ret, struct fault *why);
void kv_close(struct kv *kv);
/* Deletes the database at path. */
int kv_destroy(const char *path, struct fault *why);

/* The value replaces what is in ret_value: 0, -ENOENT, or -EIO. */
must_check int kv_get(struct kv *kv, struct str key, struct buf *ret_value);

struct kv_batch;
struct kv_batch *kv_batch_new(void);
void kv_batch_free(struct kv_batch *b);
void kv_batch_put(struct kv_batch *b, struct str key, struct str value);
void kv_batch_delete(struct kv_batch *b, struct str key);
void kv_batch_clear(struct kv_batch *b);
/* Applies all or nothing; not synced unless sync. */
must_check int kv_write(struct kv *kv, struct kv_batch *b, bool sync);

/* Everything written so far is on disk in tables when this returns (a memtable flush). */
must_check int kv_flush(struct kv *kv);

struct kv_iter;
struct kv_iter *kv_iter_new(struct kv *kv);
/* The same, but the blocks that it reads stay in the cache: for ranges that are read again soon. */
struct kv_iter *kv_iter_new_cached(struct kv *kv);
void kv_iter_free(struct kv_iter *it);
/* To the first key >= key / to the last key < key. */
void kv_iter_seek(struct kv_iter *it, struct str key);
void kv_iter_seek_before(struct kv_iter *it, struct str key);
void kv_iter_next(struct kv_iter *it);
void kv_iter_prev(struct kv_iter *it);
bool kv_iter_valid(const struct kv_iter *it);
/* Views valid until the iterator moves. */
struct str kv_iter_key(const struct kv_iter *it);
struct str kv_iter_value(const struct kv_iter *it);
/* 0, or -EIO after a broken block. */
must_check int kv_iter_error(const struct kv_iter *it);
/* Bytes of memory and disk that it uses, as far as LevelDB tells. */
uint64_t kv_disk_bytes(struct kv *kv, struct str from, struct str until);
