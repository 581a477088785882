/* What identity knows, in memory: one table for each kind of record, with the indexes that logins
 * and token checks need. A record is a JSON object with an "id"; members that begin with '_' are
 * not for clients. Below those that were stored lie the ones that the configuration makes: a stored
 * one hides it, and one that is marked deleted makes it vanish. Nothing here waits. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "proxy/identity/json_text.h"

enum record_kind {
	RECORD_DOMAIN, RECORD_PROJECT, RECORD_USER, RECORD_GROUP, RECORD_ROLE, RECORD_ASSIGNMENT,
	RECORD_MEMBERSHIP, RECORD_REGION, RECORD_SERVICE, RECORD_ENDPOINT, RECORD_CREDENTIAL,
	RECORD_REVOCATION, RECORD_SECRET, RECORD_POLICY, RECORD_IMPLICATION, RECORD_TRUST,
	RECORD_ENDPOINT_GROUP, RECORD_ENDPOINT_LINK, RECORD_REGISTERED_LIMIT, RECORD_LIMIT,
	RECORD_ACCESS_RULE,
	RECORD_KINDS,
};
/* "domains", "projects" … as in URLs and in the store. */
extern const char *const record_plurals[RECORD_KINDS];

struct records;
struct records *records_new(void);
void records_free(struct records *r);

/* Adds one that the configuration makes; takes the reference. */
void records_put_base(struct records *r, enum record_kind kind, json_t *doc);
/* Forgets all of those: they may be made anew. */
void records_forget_base(struct records *r);
/* Sets what is stored under the id; takes the reference. NULL: nothing is stored (any more). */
void records_put(struct records *r, enum record_kind kind, struct str id, json_t *doc);
/* The one in force, or NULL. Borrowed: valid until the next wait. */
json_t *records_get(const struct records *r, enum record_kind kind, struct str id);
/* By name within a domain ("" for roles; the user's id for application credentials). */
json_t *records_named(const struct records *r, enum record_kind kind, struct str domain,
		      struct str name);
/* What the configuration makes of it, or NULL. Borrowed: valid until the next wait. */
const json_t *records_base(const struct records *r, enum record_kind kind, struct str id);
/* How many there are, those marked deleted included. */
size_t records_count(const struct records *r, enum record_kind kind);
/* All in force, borrowed, as a new array ordered by id. */
json_t *records_all(const struct records *r, enum record_kind kind);

/* Ids of the roles that an actor (user or group) has itself on a target ("project/ID", "domain/ID",
 * "system/all"); NULL: none. Borrowed. */
const json_t *records_roles(const struct records *r, struct str actor, struct str target);
/* Targets on which the actor has any role (one may stand there more than once). */
const json_t *records_targets(const struct records *r, struct str actor);
/* The same of roles that are inherited: by the projects below the target, not by itself. */
const json_t *records_inherited_roles(const struct records *r, struct str actor, struct str target);
const json_t *records_inherited_targets(const struct records *r, struct str actor);
/* Ids of the projects whose parent this one (or domain) is. */
const json_t *records_children(const struct records *r, struct str project);
/* Ids of a project's RECORD_ENDPOINT_LINKs, and of its (or a domain's) RECORD_LIMITs. */
const json_t *records_endpoint_links(const struct records *r, struct str project);
const json_t *records_limits(const struct records *r, struct str owner);
/* Ids of the RECORD_REVOCATIONs of a user's tokens. */
const json_t *records_revocations(const struct records *r, struct str user);
/* Ids of the roles that a role implies directly. */
const json_t *records_implied(const struct records *r, struct str role);
/* Ids of the groups of a user, of the users of a group, and of a user's application credentials. */
const json_t *records_groups(const struct records *r, struct str user);
const json_t *records_members(const struct records *r, struct str group);
const json_t *records_credentials(const struct records *r, struct str user);
