/* Locks by key: one task at a time between reading a thing and writing what was derived from it.
 * Keys are short byte strings. */
#pragma once
#include "lib/base/list.h"
#include "lib/task/task.h"

struct locks;
struct locks *locks_new(void);
/* No lock is held. */
void locks_free(struct locks *l);

enum { LOCK_KEY_MAX = 24 };

struct lock;
/* Waits its turn: 0, -ECANCELED or -ETIMEDOUT. */
waits must_check int lock_take(struct locks *l, struct str key, struct lock **ret);
void lock_give(struct lock *lock);
DEFINE_AUTO(lock, struct lock *, lock_give);
