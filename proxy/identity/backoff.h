/* Guessing passwords is slowed down: after some failures for one name from one address, further
 * attempts are taken one at a time with growing pauses. Who knows the password waits at most a few
 * seconds, and from another address not at all. */
#pragma once
#include "lib/base/str.h"
#include "lib/task/task.h"

/* Waits until this attempt's turn: 0, or -EBUSY when too many are waiting already (429). */
waits must_check int backoff_wait(struct str address, struct str name);
/* How the attempt ended. */
void backoff_done(struct str address, struct str name, bool good);
