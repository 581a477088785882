/* Tasks: what became of an import. Records that are kept for [image] task_life. */
#pragma once
#include "compute/image/image.h"

/* A new task about an image of this request ("processing"): its id in the arena, or absent and
 * answered. input: what was asked for (a new reference is taken). */
waits struct str task_begin(struct api_call *c, json_t *input);
/* It has ended: NULL for success, else why not. */
waits void task_end(struct image_state *s, struct str id, const char *message);
/* Removes those that are old. */
waits must_check int tasks_expire(struct image_state *s);
