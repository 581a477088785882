/* Limits of projects (Keystone's unified limits) that the store enforces: the registered limits
 * "account_bytes" and "account_objects" of the service object-store. */
#pragma once
#include "lib/base/str.h"

/* What a project's account may hold of a resource: its own limit, or else the registered default.
 * False: there is none. Does not wait. */
bool identity_account_limit(struct str account, struct str resource, uint64_t *ret);
