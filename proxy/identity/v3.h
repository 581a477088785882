/* The parts of /v3 behind a login: each answers and returns true when the path is its own. */
#pragma once
#include "proxy/identity/identity.h"

struct resource;

waits bool ident_crud(struct ident_call *c);            /* crud.c */
waits bool ident_grants(struct ident_call *c);          /* grants.c */
waits bool ident_members(struct ident_call *c);         /* members.c */
waits bool ident_implications(struct ident_call *c);    /* implications.c */
waits bool ident_credentials(struct ident_call *c);     /* credentials.c */
waits bool ident_project_tags(struct ident_call *c);     /* projects.c */
waits bool ident_trusts(struct ident_call *c);          /* trusts.c */
waits bool ident_endpoint_filter(struct ident_call *c); /* endpoint_filter.c */
waits bool ident_limits(struct ident_call *c);          /* limits.c */
waits bool ident_access_rules(struct ident_call *c);    /* access_rules.c */
waits bool ident_ec2(struct ident_call *c);             /* ec2.c */

/* ---- projects.c ---- */

/* Whether a project may stand where it says (old: as it was, NULL for a new one); else answered. */
bool ident_project_fits(struct ident_call *c, const json_t *doc, const json_t *old);
/* Whether nothing stands below it; else 403 was answered. */
bool ident_project_is_leaf(struct ident_call *c, struct str id);
/* Adds what the query asks for (parents_as_list, subtree_as_ids …). */
void ident_project_relatives(struct ident_call *c, const json_t *doc, json_t *view);
/* Whether it is a list of good tags. */
bool ident_tags_are_good(const json_t *tags);

/* ---- crud.c, dependents.c ---- */

/* Every proxy has all records in memory, so what users make themselves has a limit: whether the
 * caller has not reached it with this kind; else 403 was answered. */
bool ident_may_own_more(struct ident_call *c, enum record_kind kind);

/* Answers for a kind's collection, or with a key for one of its records. */
waits void ident_crud_of(struct ident_call *c, const struct resource *r, struct str key);
/* Deletes what goes with a record: 0, or a negative errno. */
waits must_check int ident_delete_dependents(struct ident_call *c, enum record_kind on,
					     struct str key);

/* ---- secrets.c: the blobs of credentials, sealed where they are stored ---- */

/* Seals the record's blob; false: answered. */
bool secret_hide(struct ident_call *c, json_t *doc);
/* The blob of a stored record. */
struct str secret_open(const struct ident_call *c, const json_t *doc);
/* The id of an EC2 credential, which follows from its access key; absent: there is none. */
struct str secret_ec2_id(const struct ident_call *c, const json_t *given);

/* ---- limits.c ---- */

static inline bool ident_limit_kind(enum record_kind kind)
{
	return kind == RECORD_LIMIT || kind == RECORD_REGISTERED_LIMIT;
}
/* POST of a list of them. */
waits void ident_create_limits(struct ident_call *c, const struct resource *r);
/* Whether what it refers to is there, and it is no number too large; else answered. */
bool ident_limit_is_good(struct ident_call *c, const struct resource *r, const json_t *doc);

/* ---- access_rules.c ---- */

/* The rules of a new application credential as they stand in its record, [{id, service, method,
 * path}…]: 0; -EINVAL; -EHOSTDOWN when one cannot be stored. */
waits must_check int access_rules_make(struct ident_call *c, struct str user, const json_t *given,
				       json_t **ret);
