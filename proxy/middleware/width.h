/* Requests that do their work in several tasks at a time (bulk deletes, manifests of many
 * segments): while few do, each has as many tasks as it is configured to; beside many others it
 * has one. */
#pragma once
#include "lib/base/base.h"

enum { WIDTH_BUDGET = 16 };     /* tasks of a worker beyond the first of each request */

/* How many tasks to use instead of `wanted` (1 or more): at least one. */
unsigned width_take(unsigned wanted);
/* Gives back what width_take returned. */
void width_give(unsigned width);
/* Whether nobody could have more than one now. */
bool width_is_scarce(void);
