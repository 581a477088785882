/* Where the files of an archive go, and what their attributes become. */
#pragma once
#include "lib/base/arena.h"

/* "container/prefix" of the request's path, without slashes at its end; empty for an account. */
struct str archive_base(struct arena *a, struct str container, struct str object);
/* "container/object" for a file of that name: false when it names no object (a file at the top of
 * an archive that brings its own containers). A leading "./" and slashes are dropped,
 * nothing else. */
bool archive_target(struct arena *a, struct str base, struct str name, struct str *ret);
/* The header that an extended attribute becomes: X-Object-Meta-… for user.meta.…, Content-Type for
 * user.mime_type; absent for all others. */
struct str archive_attribute_header(struct arena *a, struct str name);
