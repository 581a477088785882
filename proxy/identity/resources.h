/* The kinds of records that clients make, change and delete, as data: their members, what these
 * must be, and which may be asked for. */
#pragma once
#include "lib/base/fault.h"
#include "proxy/identity/identity.h"

enum member_flags { MEMBER_REQUIRED = 1, MEMBER_FIXED = 2, MEMBER_NULLABLE = 4, MEMBER_BOOL = 8,
		    MEMBER_OTHER = 16 };

struct member {
	const char *name;
	unsigned flags;
	const char *value;              /* default, in JSON; NULL: absent */
};

struct resource {
	enum record_kind kind;
	const char *singular;
	const struct member *members;   /* ended by a NULL name */
	bool in_domain;                 /* has a domain_id, its caller's when none is given */
	bool named;                     /* name is unique within its domain */
};

/* By plural, or NULL. */
const struct resource *resource_find(struct str plural);
/* A domain in the form of a project (is_domain). */
const struct resource *resource_domain_as_project(void);
/* The new record of a POST body's object: members checked and defaults filled in, without id. NULL
 * with the reason. */
json_t *resource_make(const struct resource *r, const json_t *given, struct fault *why);
/* The record after a PATCH. NULL with the reason. */
json_t *resource_change(const struct resource *r, const json_t *old, const json_t *given,
			struct fault *why);
/* Whether the record is what the query's filters (name=, enabled=, name__contains= …) ask for. */
bool resource_matches(const struct request *req, const json_t *doc);
