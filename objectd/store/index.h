/* What LevelDB holds of objects, and the cache in front of it. */
#pragma once
#include "objectd/store/record.h"
#include "objectd/store/store.h"

/* Where a record is. Volume 0: nowhere. */
struct location {
	uint32_t volume;
	uint32_t len;
	uint64_t at;
};

struct index_entry {
	struct object_entry e;
	struct location data;           /* the record of the PUT or DELETE */
	struct location meta;           /* of the last POST, if any */
	uint64_t large;                 /* the file's id; 0: packed */
	uint32_t oldest;                /* no volume before it has a record of this object */
};

/* Journal order. */
static inline int location_cmp(const struct location *a, const struct location *b)
{
	if (a->volume != b->volume)
		return a->volume < b->volume ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

enum { INDEX_KEY_SIZE = 19, INDEX_VALUE_MAX = 160, EXPIRY_KEY_SIZE = 28 };

/* 'o', policy, hash: in the order of partitions for any part power. */
void index_key(const struct object_id *id, char key[INDEX_KEY_SIZE]);
must_check int index_key_parse(struct str key, struct object_id *ret);
/* The value's length. */
size_t index_value(const struct index_entry *e, char value[INDEX_VALUE_MAX]);
/* 0 or -EBADMSG. */
must_check int index_value_parse(struct str value, struct index_entry *ret);
/* 'v', a letter, time, policy, hash: 'x' is the queue of objects that expire (seconds), 't' that of
 * tombstones to be reclaimed (units of a timestamp). */
void expiry_key(char queue, int64_t at, const struct object_id *id, char key[EXPIRY_KEY_SIZE]);
must_check int expiry_key_parse(char queue, struct str key, int64_t *ret_at,
				struct object_id *ret_id);

/* A bounded table of entries that were used lately. Not thread-safe: the store's lock guards it. */
struct index_cache;
struct index_cache *index_cache_new(unsigned entries);
void index_cache_free(struct index_cache *c);
bool index_cache_get(struct index_cache *c, const struct object_id *id, struct index_entry *ret);
void index_cache_put(struct index_cache *c, const struct object_id *id,
		     const struct index_entry *e);
void index_cache_remove(struct index_cache *c, const struct object_id *id);
