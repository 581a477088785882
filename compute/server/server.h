/* The compute service: Nova v2.1. What its files share. docs/compute.md#servers
 *
 * A server is a record (compute/store/records.h), in which every host may write:
 *	name, hostname, description, metadata, tags, …  as the API has them
 *	project_id, user_id
 *	vm_state, task_state, power_state               Nova's words; the status is made of them
 *	image, flavor, nics                             as they were when it was made
 *	host                                            whose machine it is; null: not chosen yet
 *	refused                                         hosts that did not take it
 *	todo                                            what the host has to do: {"action", …}
 *	actions                                         what was asked for, newest first
 *	fault                                           why it is in ERROR
 *	*_us                                            times */
#pragma once
#include "compute/api/api.h"
#include "compute/scheduler/scheduler.h"
#include "compute/store/records.h"

struct server_conf {            /* [server] */
	bool enabled;
	const char *bind_ip, *container, *default_zone;
	int64_t bind_port;
	int64_t quota_instances, quota_cores, quota_ram, quota_metadata, quota_key_pairs;
	int64_t quota_groups, quota_group_members, limit_max;
	uint64_t poll_interval, stop_timeout;
};
extern struct server_conf server_conf;
extern const struct conf_section server_section;
int server_conf_ready(struct fault *why);
extern const struct api server_api;

struct server_state {
	struct compute *compute;
	struct records *servers, *flavors, *keypairs, *hosts, *aggregates, *groups, *quotas;
	char run[UUID_SIZE];            /* tells this process from the one before it */
	bool flavors_made;              /* the standard list is there */
	struct map *busy;               /* servers that a task works on: compute/server/drive.c */
	struct waitq poll;              /* woken when there may be something to do */
};
static inline struct server_state *server_state(const struct api_call *c)
{
	return c->state;
}

enum { SERVER_BODY_MAX = 256 * KIB, SERVER_NAME_MAX = 255, MICROVERSION_MAX = 90 };

/* ---- microversions: compute/server/version.c ---- */

/* The microversion that the headers ask for: its minor number (1 when there is none); -EINVAL: not
 * understood; -ERANGE: one that is not there, with its text in *ret_text. */
must_check int microversion_parse(struct str modern, struct str legacy, unsigned *ret,
				  struct str *ret_text);
/* Answers 404 when the request's microversion is less / more: whether it may go on. */
bool version_from(struct api_call *c, unsigned minor);
bool version_until(struct api_call *c, unsigned minor);
void versions_list(struct api_call *c);
void version_show(struct api_call *c);
void version_show_old(struct api_call *c);

/* ---- what a body may hold: compute/server/fields.c ---- */

enum field_kind { F_TEXT, F_NAME, F_INT, F_NUMBER, F_BOOL, F_OBJECT, F_LIST, F_ANY };
struct field {
	const char *name;
	enum field_kind kind;
	int64_t min, max;               /* characters of texts, values of numbers */
	bool required, nullable;
};
/* Whether the object has only these members (ended by a name of NULL), each as it should be; else
 * 400 was answered. Nova: api/validation */
bool fields_check(struct api_call *c, const json_t *object, const struct field *fields);
/* The body's only member, an object, if it is as the fields say; NULL and answered. The body lives
 * in *ret_body. */
waits json_t *fields_body(struct api_call *c, const char *key, const struct field *fields,
			  json_t **ret_body);
/* Numbers and truth, also as texts; what it is when it is missing or null. */
int64_t field_int(const json_t *object, const char *key, int64_t missing);
bool field_bool(const json_t *object, const char *key, bool missing);

/* ---- small things: compute/server/common.c ---- */

/* 0 and fewer: answered as an error of the store, with what for -ENOENT. */
void answer_fail(struct api_call *c, int rc, const char *what, struct str id);
int64_t number(const json_t *doc, const char *key);
struct str text(const json_t *doc, const char *key);
/* [{"rel": "self"}, {"rel": "bookmark"}] of a thing's path below /v2.1. */
json_t *links_of(struct api_call *c, const char *kind, struct str id);
/* A time of microseconds; null for 0. legacy: "2026-11-22T09:19:12.000000" */
json_t *time_or_null(int64_t us);
json_t *time_legacy(int64_t us);
/* One page of a listing: from and end of n items, by the query's limit and marker; false: 400 was
 * answered. id gives an item's id. */
struct page {
	size_t from, end;
	bool more;
};
bool page_of(struct api_call *c, size_t n, struct str (*id)(const void *items, size_t i),
	     const void *items, struct page *ret);
/* The link to the next page, behind that id. */
json_t *page_links(struct api_call *c, struct str last);
/* Whether the caller is of that project, or an admin. */
bool may_see(const struct api_call *c, struct str project);

/* ---- flavors ---- */

waits must_check int flavors_list(struct server_state *s, struct arena *a,
				  struct record_list *ret);
/* The flavor of that id, if the caller may use it: 0, -ENOENT or as the store. */
waits must_check int flavor_get(struct api_call *c, struct str id, json_t **ret);
/* What a server remembers of it. */
json_t *flavor_kept(const json_t *flavor);
waits void flavor_list(struct api_call *c);
waits void flavor_detail(struct api_call *c);
waits void flavor_show(struct api_call *c);
waits void flavor_create(struct api_call *c);
waits void flavor_update(struct api_call *c);
waits void flavor_delete(struct api_call *c);
waits void flavor_access(struct api_call *c);
waits void flavor_action(struct api_call *c);
waits void flavor_specs(struct api_call *c);
waits void flavor_specs_add(struct api_call *c);
waits void flavor_spec_show(struct api_call *c);
waits void flavor_spec_set(struct api_call *c);
waits void flavor_spec_delete(struct api_call *c);

/* ---- keypairs ---- */

/* The user's key of that name: 0, -ENOENT or as the store. */
waits must_check int keypair_get(struct server_state *s, struct arena *a, struct str user,
				 struct str name, json_t **ret);
waits void keypair_list(struct api_call *c);
waits void keypair_create(struct api_call *c);
waits void keypair_show(struct api_call *c);
waits void keypair_delete(struct api_call *c);

/* ---- quotas, limits, usage ---- */

struct usage {
	int64_t instances, cores, ram;
};
/* What the servers of a project use. */
waits must_check int usage_of(struct server_state *s, struct arena *a, struct str project,
			      struct usage *ret);
/* A quota of a project: its own, or the configured one; -1: none. */
waits must_check int quota_of(struct server_state *s, struct arena *a, struct str project,
			      const char *name, int64_t *ret);
waits void limits_show(struct api_call *c);
waits void quota_show(struct api_call *c);
waits void quota_detail(struct api_call *c);
waits void quota_defaults(struct api_call *c);
waits void quota_update(struct api_call *c);
waits void quota_delete(struct api_call *c);
waits void usage_list(struct api_call *c);
waits void usage_show(struct api_call *c);

/* ---- hosts ---- */

/* What the scheduler wants to know of every host, in the arena; the documents are in *ret_docs. */
struct host_view {
	struct sched_host *hosts;
	unsigned n;
	struct record_list docs, servers, aggregates;
	json_t *specs;                  /* of all aggregates: host to metadata */
};
waits must_check int hosts_view(struct server_state *s, struct arena *a, struct host_view *ret);
void host_view_done(struct host_view *v);
waits void zone_list(struct api_call *c);
waits void zone_detail(struct api_call *c);
waits void host_services(struct api_call *c);
waits void host_service_update(struct api_call *c);
waits void host_service_set(struct api_call *c);
waits void hypervisor_list(struct api_call *c);
waits void hypervisor_detail(struct api_call *c);
waits void hypervisor_statistics(struct api_call *c);
waits void hypervisor_show(struct api_call *c);
waits void hypervisor_uptime(struct api_call *c);
waits void hypervisor_search(struct api_call *c);
waits void hypervisor_servers(struct api_call *c);

/* ---- aggregates, server groups, extensions ---- */

waits void aggregate_list(struct api_call *c);
waits void aggregate_create(struct api_call *c);
waits void aggregate_show(struct api_call *c);
waits void aggregate_update(struct api_call *c);
waits void aggregate_delete(struct api_call *c);
waits void aggregate_action(struct api_call *c);
waits void group_list(struct api_call *c);
waits void group_create(struct api_call *c);
waits void group_show(struct api_call *c);
waits void group_delete(struct api_call *c);
void extension_list(struct api_call *c);
void extension_show(struct api_call *c);

/* ---- servers ---- */

/* "ACTIVE" and its kin, of vm_state and task_state. Nova: api/openstack/common.py */
const char *server_status(const json_t *doc);
/* As the request's microversion shows it (new reference). */
enum view_kind { VIEW_SHOW, VIEW_DETAIL, VIEW_REDUCED };
json_t *server_view(struct api_call *c, const json_t *doc, enum view_kind kind);
json_t *server_brief(struct api_call *c, const json_t *doc);
json_t *server_addresses(struct api_call *c, const json_t *doc, bool extended);
void server_touch(json_t *doc);
/* Notes what is asked for, at the head of "actions". */
void server_note(struct api_call *c, json_t *doc, const char *action);
/* The server of the first argument, if the caller may see it; NULL and answered. */
waits json_t *server_need(struct api_call *c);
/* Changes it on behalf of the request; what fn has answered itself it returns as SERVER_ANSWERED.
 * The new document, or NULL and answered. */
enum { SERVER_ANSWERED = -EALREADY };
struct server_change {
	struct api_call *c;
	int (*fn)(struct server_change *ch, json_t *doc);
	void *arg;
};
waits json_t *server_change(struct api_call *c, int (*fn)(struct server_change *ch, json_t *doc),
			    void *arg);
int server_refuse(struct server_change *ch, int status, const char *fmt, ...) printf_like(3, 4);
/* For fn: 409 when others have locked it; 0 otherwise. */
must_check int server_unlocked(struct server_change *ch, const json_t *doc);
/* Whether it is text of a server's metadata; else 400 was answered. */
bool server_metadata_check(struct api_call *c, const json_t *metadata, int64_t most);
bool tags_check(struct api_call *c, const json_t *tags);
/* An IP address in its usual form, in the arena; absent when it is none. */
struct str address_normal(struct arena *a, struct str text, bool v6);
/* Asks the image service with the caller's token: 0 with the image (new reference), or answered:
 * SERVER_ANSWERED. */
waits must_check int image_fetch(struct api_call *c, struct str id, json_t **ret);
/* Whether the image may be used with the flavor; else 400 was answered. */
bool image_fits(struct api_call *c, const json_t *image, const json_t *flavor);
/* What a server remembers of it. */
json_t *image_kept(const json_t *image);

waits void server_list(struct api_call *c);
waits void server_detail(struct api_call *c);
waits void server_create(struct api_call *c);
waits void server_show(struct api_call *c);
waits void server_update(struct api_call *c);
waits void server_delete(struct api_call *c);
waits void server_action(struct api_call *c);
waits void server_metadata(struct api_call *c);
waits void server_metadata_set(struct api_call *c);
waits void server_metadata_add(struct api_call *c);
waits void server_meta_show(struct api_call *c);
waits void server_meta_set(struct api_call *c);
waits void server_meta_delete(struct api_call *c);
waits void server_tags(struct api_call *c);
waits void server_tags_set(struct api_call *c);
waits void server_tags_clear(struct api_call *c);
waits void server_tag_show(struct api_call *c);
waits void server_tag_add(struct api_call *c);
waits void server_tag_delete(struct api_call *c);
waits void server_ips(struct api_call *c);
waits void server_ips_of(struct api_call *c);
waits void server_actions(struct api_call *c);
waits void server_action_show(struct api_call *c);
waits void server_groups_of(struct api_call *c);
waits void server_interfaces(struct api_call *c);
waits void server_volumes(struct api_call *c);
waits void server_diagnostics(struct api_call *c);
waits void server_console(struct api_call *c, const json_t *doc, const json_t *arg);
waits void server_create_image(struct api_call *c, const json_t *arg);

/* ---- what makes it so: compute/server/drive.c, place.c ---- */

/* Chooses a host for a server that has none, in a task of its own. */
void server_place_later(struct server_state *s, struct str id);
/* This host has something to do. */
void server_kick(struct server_state *s);
/* Background tasks; arg: struct server_state. */
waits void drive_run(void *arg);
waits void heartbeat_run(void *arg);
/* Writes or reads on the host that has the machine: the console's last lines (0: all). 0, or -errno
 * with why. */
waits must_check int drive_console(struct server_state *s, struct str id, unsigned lines,
				   struct arena *a, struct str *ret, struct fault *why);
