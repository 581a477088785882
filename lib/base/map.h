/* A hash table from byte strings to pointers, with use order, so it serves as a bounded LRU cache.
 * Keys are copied; values are the caller's. Not for iteration across a wait. */
#pragma once
#include "lib/base/base.h"

struct map;

struct map *map_new(void);
/* Frees the table; value_free (may be NULL) is called for each value. */
void map_free(struct map *m, void (*value_free)(void *));
size_t map_count(const struct map *m);
/* The value or NULL. map_get makes the entry the most recently used, map_peek does not. */
void *map_get(struct map *m, struct str key);
void *map_peek(const struct map *m, struct str key);
/* Sets, and returns the value that was there before (or NULL). value is not NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Removes, and returns the value (or NULL). */
void *map_remove(struct map *m, struct str key);
/* Removes the least recently used entry and returns its value, or NULL when empty. */
void *map_evict(struct map *m);
/* Calls fn for every entry, most recently used first; fn must not change the map. */
void map_each(const struct map *m, void (*fn)(void *arg, struct str key, void *value), void *arg);
