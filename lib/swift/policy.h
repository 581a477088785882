/* Storage policies and the hash path prefix and suffix: what swift.conf holds in Swift, read
 * from the [swift-hash] and [storage-policy:N] sections of needletail.conf (or a swift.conf). */
#pragma once
#include "lib/base/fault.h"
#include "lib/ring/ring.h"
#include "lib/task/task.h"

#include <sys/stat.h>

enum { POLICIES_MAX = 32, POLICY_INDEX_MAX = 9999 };

struct policy {
	unsigned index;
	struct str name;
	struct str aliases;             /* comma-separated, including the name */
	bool is_default, deprecated;
	struct ring *ring;              /* object ring; NULL where the program needs none */
};

/* Which file a ring was read from. */
struct ring_file {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct ring_retired;

struct cluster {
	struct str hash_prefix, hash_suffix;
	struct policy policies[POLICIES_MAX];
	unsigned policy_count;
	struct ring *account_ring, *container_ring;
	char *ring_dir;
	struct ring_file files[POLICIES_MAX + 2];       /* account, container, policies */
	struct ring_retired *retired;
};

/* By index, NULL when there is none; by name or alias without case; the default one. */
const struct policy *cluster_policy(const struct cluster *c, unsigned index);
const struct policy *cluster_policy_named(const struct cluster *c, struct str name);
const struct policy *cluster_default_policy(const struct cluster *c);

/* Adds [swift-hash] and [storage-policy:N] to what a program reads, and afterwards makes the
 * cluster of what was read (swift_conf not NULL: of that file instead). Rings are not loaded; at
 * a reload call it with the same struct: rings of policies that still exist stay. Without any
 * policy section there is one, "Policy-0". ring_dir is copied. 0 or -EINVAL … with the reason. */
struct conf_spec;
void cluster_add_conf(struct conf_spec *spec);
int cluster_configure(struct cluster *c, const char *ring_dir, const char *swift_conf,
		      struct fault *why) must_check;
void cluster_done(struct cluster *c);

/* Loads account.ring.gz, container.ring.gz and object[-N].ring.gz of all policies from ring_dir. */
int cluster_load_rings(struct cluster *c, struct fault *why);
/* Loads those whose file changed since (modification time, size, inode): how many changed, or an
 * error with the old rings kept. A ring that was replaced is released 10 minutes later at the
 * earliest, so requests that are under way may use the one they found without a reference.
 * Blocks on the disk: for tasks there is cluster_refresh_rings. */
int cluster_reload_rings(struct cluster *c, struct fault *why);
waits int cluster_refresh_rings(struct cluster *c, struct fault *why);
/* "object" or "object-1". */
void policy_ring_name(unsigned index, char name[16]);
