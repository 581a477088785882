/* Storage policies, the hash path secret, and the rings of a cluster. */
#include "lib/swift/policy.h"
#include "lib/base/clock.h"
#include "lib/conf/conf.h"

enum { RING_KEEP_MS = 10 * 60 * 1000, RINGS_MAX = POLICIES_MAX + 2 };

struct hash_conf {
	const char *swift_hash_path_prefix, *swift_hash_path_suffix;
};

static const struct conf_option hash_options[] = {
	OPT_STR(struct hash_conf, swift_hash_path_prefix, NULL,
		"Secret that is hashed in front of every path."),
	OPT_STR(struct hash_conf, swift_hash_path_suffix, NULL,
		"Secret that is hashed behind every path. It decides where data lies: the same on "
		"every "
		"host, and never changed."),
	OPT_END,
};

struct policy_conf {
	struct str index;
	const char *name;
	struct conf_list aliases;
	bool is_default, deprecated;
	int type;
	const char *ignored;
};

static const char *const policy_types[] = { "replication", "erasure_coding", NULL };
#define IGNORED(name)                                                                         \
	{ .key = name, .type = CONF_STR, .at = CONF_AT(struct policy_conf, ignored, const char *), \
	  .help = "Accepted because Swift's files have it; without effect." }

static const struct conf_option policy_options[] = {
	{ .key = "name",
	  .type = CONF_STR,
	  .at = CONF_AT(struct policy_conf, name, const char *),
	  .required = true,
	  .help = "What clients name in X-Storage-Policy: letters, digits and \"-\"." },
	OPT_LIST(struct policy_conf, aliases, NULL, "Other names of the same policy."),
	{ .key = "default",
	  .type = CONF_BOOL,
	  .at = CONF_AT(struct policy_conf, is_default, bool),
	  .text = "no",
	  .help = "The policy of containers that ask for none. One policy is it." },
	OPT_BOOL(struct policy_conf, deprecated, "no", "Refuses new containers."),
	{ .key = "policy_type",
	  .type = CONF_ENUM,
	  .at = CONF_AT(struct policy_conf, type, int),
	  .text = "replication",
	  .names = policy_types,
	  .help = "How objects are kept. Only replication is there so far." },
	IGNORED("diskfile_module"),
	OPT_END,
};

static struct hash_conf hash_conf;
static struct conf_items policy_items;

static int check_policy(void *section, struct fault *why)
{
	const struct policy_conf *p = section;
	uint64_t index;

	if (str_to_u64(p->index, &index) < 0 || index > POLICY_INDEX_MAX)
		return fault_set(why, -EINVAL, "the index of a policy is a number up to %d",
				 POLICY_INDEX_MAX);
	if (p->type != 0)
		return fault_set(why, -EINVAL, "policy_type = %s is not there yet",
				 policy_types[p->type]);
	if (p->is_default && p->deprecated)
		return fault_set(why, -EINVAL, "a deprecated policy cannot be the default");
	return 0;
}

static const struct conf_section hash_section = {
	.name = "swift-hash", .options = hash_options, .into = &hash_conf, .size = sizeof hash_conf,
	.common = true, .help = "The same keys as in Swift's swift.conf. One of them must be set.",
};
static const struct conf_section policy_section = {
	.name = "storage-policy",
	.options = policy_options,
	.into = &policy_items,
	.size = sizeof(struct policy_conf),
	.named = true,
	.common = true,
	.check = check_policy,
	.help = "One section per policy: [storage-policy:0] uses object.ring.gz, "
		"[storage-policy:1] "
		"object-1.ring.gz and so on. An index is never used again for something else. "
		"Without any "
		"such section there is one policy, Policy-0.",
};

void cluster_add_conf(struct conf_spec *spec)
{
	conf_add(spec, &hash_section);
	conf_add(spec, &policy_section);
}

const struct policy *cluster_policy(const struct cluster *c, unsigned index)
{
	for (unsigned i = 0; i < c->policy_count; i++)
		if (c->policies[i].index == index)
			return &c->policies[i];
	return NULL;
}

const struct policy *cluster_policy_named(const struct cluster *c, struct str name)
{
	for (unsigned i = 0; i < c->policy_count; i++) {
		struct str rest = c->policies[i].aliases, alias;

		while ((alias = str_cut(&rest, ',')).p)
			if (str_ieq(str_trim(alias), name))
				return &c->policies[i];
	}
	return NULL;
}

const struct policy *cluster_default_policy(const struct cluster *c)
{
	for (unsigned i = 0; i < c->policy_count; i++)
		if (c->policies[i].is_default)
			return &c->policies[i];
	unreachable("cluster_configure makes one policy the default");
}

void policy_ring_name(unsigned index, char name[16])
{
	if (index == 0)
		snprintf(name, 16, "object");
	else
		snprintf(name, 16, "object-%u", index % (POLICY_INDEX_MAX + 1));
}

static bool name_is_sound(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = (char)(name.p[i] | 32);

		if (!(c >= 'a' && c <= 'z') && !(name.p[i] >= '0' && name.p[i] <= '9') &&
		    name.p[i] != '-')
			return false;
	}
	return name.n > 0;
}

/* Adds one name to the policy that is being made, if nobody has it yet. */
static int add_name(const struct cluster *c, struct str name, struct buf *aliases,
		    struct fault *why)
{
	const struct policy *other = cluster_policy_named(c, name);

	if (!name_is_sound(name))
		return fault_set(why, -EINVAL,
				 "\"%.*s\" is no name of a storage policy: letters, digits and "
				 "\"-\" are allowed",
				 STR(name));
	if (other)
		return fault_set(why, -EINVAL,
				 "the name %.*s belongs to two storage policies, %u and another",
				 STR(name), other->index);
	if (aliases->n)
		buf_add_lit(aliases, ", ");
	buf_add_str(aliases, name);
	return 0;
}

static int add_policy(struct cluster *c, const struct policy_conf *conf, struct fault *why)
{
	struct policy p = { .is_default = conf->is_default, .deprecated = conf->deprecated };
	CLEANUP(buf_done) struct buf aliases = BUF(4096);
	uint64_t index = 0;

	if (c->policy_count == POLICIES_MAX)
		return fault_set(why, -EINVAL, "there are more than %d storage policies",
				 POLICIES_MAX);
	if (str_to_u64(conf->index, &index) < 0)
		return -EINVAL;
	p.index = (unsigned)index;
	p.name = str_from(conf->name);
	int rc = add_name(c, p.name, &aliases, why);

	for (unsigned i = 0; i < conf->aliases.count && rc == 0; i++)
		rc = add_name(c, conf->aliases.items[i], &aliases, why);
	if (rc < 0)
		return rc;
	if (cluster_policy(c, p.index))
		return fault_set(why, -EINVAL, "there are two storage policies %u", p.index);
	p.aliases.n = aliases.n;
	p.aliases.p = buf_take(&aliases);
	unsigned at = c->policy_count++;

	for (; at > 0 && c->policies[at - 1].index > p.index; at--)
		c->policies[at] = c->policies[at - 1];
	c->policies[at] = p;
	return 0;
}

static void drop_names(struct cluster *c)
{
	for (unsigned i = 0; i < c->policy_count; i++)
		free((char *)(uintptr_t)c->policies[i].aliases.p);
}

/* The default as Swift finds it: the one that says so, or the only one. */
static int choose_default(struct cluster *c, struct fault *why)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->policy_count; i++)
		n += c->policies[i].is_default;
	if (n > 1)
		return fault_set(why, -EINVAL, "more than one storage policy says default = yes");
	if (n == 1)
		return 0;
	if (c->policy_count > 1)
		return fault_set(why, -EINVAL, "one storage policy must say default = yes");
	if (c->policies[0].deprecated)
		return fault_set(why, -EINVAL, "the only storage policy cannot be deprecated");
	c->policies[0].is_default = true;
	return 0;
}

static int make_policies(struct cluster *c, struct fault *why)
{
	static const struct policy_conf only = { .index = STR_INIT("0"), .name = "Policy-0" };
	const struct policy_conf *items = policy_items.items;
	int rc = 0;

	for (unsigned i = 0; i < policy_items.count && rc == 0; i++)
		rc = add_policy(c, &items[i], why);
	if (policy_items.count == 0)
		rc = add_policy(c, &only, why);
	if (rc == 0 && !cluster_policy(c, 0))
		rc = fault_set(why, -EINVAL,
			       "[storage-policy:0] is missing: containers that were made before "
			       "there were policies have it");
	return rc < 0 ? rc : choose_default(c, why);
}

/* A ring that was replaced, and when. */
struct ring_retired {
	struct ring_retired *next;
	struct ring *ring;
	uint64_t at_ms;
};

static void retire(struct cluster *c, struct ring *r)
{
	if (!r)
		return;
	struct ring_retired *old = xmalloc(sizeof *old);

	*old = (struct ring_retired){ .next = c->retired, .ring = r, .at_ms = clock_mono_ms() };
	c->retired = old;
}

static void release_retired(struct cluster *c, uint64_t keep_ms)
{
	uint64_t now = clock_mono_ms();

	for (struct ring_retired **at = &c->retired; *at;) {
		struct ring_retired *old = *at;

		if (now - old->at_ms < keep_ms) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		ring_unref(old->ring);
		free(old);
	}
}

/* Carries the rings of policies that still exist over. */
static void take_over_rings(struct cluster *to, struct cluster *from)
{
	to->account_ring = TAKE(from->account_ring);
	to->container_ring = TAKE(from->container_ring);
	to->retired = TAKE(from->retired);
	to->files[0] = from->files[0];
	to->files[1] = from->files[1];
	for (unsigned i = 0; i < from->policy_count; i++) {
		for (unsigned j = 0; j < to->policy_count; j++)
			if (to->policies[j].index == from->policies[i].index) {
				to->policies[j].ring = TAKE(from->policies[i].ring);
				to->files[2 + j] = from->files[2 + i];
			}
		retire(to, from->policies[i].ring);
	}
}

int cluster_configure(struct cluster *c, const char *ring_dir, const char *swift_conf,
		      struct fault *why)
{
	struct conf_spec spec = { .foreign_any = true };

	cluster_add_conf(&spec);
	int rc = swift_conf ? conf_load(&spec, swift_conf, why) : 0;

	if (rc < 0)
		return rc;
	if (!hash_conf.swift_hash_path_prefix && !hash_conf.swift_hash_path_suffix)
		return fault_set(why, -EINVAL,
				 "[swift-hash] needs swift_hash_path_suffix: a secret of this "
				 "cluster, the same on every host");
	AUTO(free) room = xcalloc(1, sizeof(struct cluster));
	struct cluster *made = room;

	made->hash_prefix = str_from(hash_conf.swift_hash_path_prefix);
	made->hash_suffix = str_from(hash_conf.swift_hash_path_suffix);
	rc = make_policies(made, why);
	if (rc < 0) {
		drop_names(made);
		return rc;
	}
	take_over_rings(made, c);
	drop_names(c);
	made->ring_dir = c->ring_dir && strcmp(c->ring_dir, ring_dir) == 0 ? TAKE(c->ring_dir) :
									    xstrdup(ring_dir);
	free(c->ring_dir);
	*c = *made;
	return 0;
}

void cluster_done(struct cluster *c)
{
	retire(c, c->account_ring);
	retire(c, c->container_ring);
	for (unsigned i = 0; i < c->policy_count; i++)
		retire(c, c->policies[i].ring);
	release_retired(c, 0);
	drop_names(c);
	free(c->ring_dir);
	*c = (struct cluster){ .policy_count = 0 };
}

/* Rings that are being read, and are not in use yet. It has all it needs: the cluster may be
 * configured anew meanwhile. */
struct reading {
	char dir[768];
	unsigned policies[POLICIES_MAX], policy_count;
	bool all;
	struct ring *rings[RINGS_MAX];
	struct ring_file files[RINGS_MAX];
	int rc;
	struct fault why;
};

static bool same_file(const struct ring_file *a, const struct ring_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct reading *reading_new(const struct cluster *c, bool all)
{
	struct reading *r = xcalloc(1, sizeof *r);
	size_t n = strlen(c->ring_dir);

	r->all = all;
	r->policy_count = c->policy_count;
	memcpy(r->files, c->files, sizeof r->files);
	for (unsigned i = 0; i < c->policy_count; i++)
		r->policies[i] = c->policies[i].index;
	if (n >= sizeof r->dir)
		r->rc = fault_set(&r->why, -ENAMETOOLONG, "%s: the path is too long", c->ring_dir);
	else
		memcpy(r->dir, c->ring_dir, n + 1);
	return r;
}

static void read_ring(struct reading *r, unsigned slot, const char *name)
{
	struct ring_file now;
	char path[1024];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s.ring.gz", r->dir, name);
	if (stat(path, &st) < 0) {
		r->rc = fault_set(&r->why, -errno, "%s: %s", path, strerror(errno));
		return;
	}
	now = (struct ring_file){ .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size,
				  .changed = st.st_mtim };
	if (r->all || !same_file(&now, &r->files[slot]))
		r->rc = ring_load(path, &r->rings[slot], &r->why);
	r->files[slot] = now;
}

/* May run in the pool. */
static void read_rings(void *arg)
{
	struct reading *r = arg;
	char name[16];

	if (r->rc == 0)
		read_ring(r, 0, "account");
	if (r->rc == 0)
		read_ring(r, 1, "container");
	for (unsigned i = 0; i < r->policy_count && r->rc == 0; i++) {
		policy_ring_name(r->policies[i], name);
		read_ring(r, 2 + i, name);
	}
}

/* Whether the cluster still is as it was when reading began. */
static bool still_fits(const struct cluster *c, const struct reading *r)
{
	if (c->policy_count != r->policy_count || strcmp(c->ring_dir, r->dir) != 0)
		return false;
	for (unsigned i = 0; i < c->policy_count; i++)
		if (c->policies[i].index != r->policies[i])
			return false;
	return true;
}

static int take_rings(struct cluster *c, struct reading *r, struct fault *why)
{
	unsigned changed = 0;
	bool use = r->rc == 0 && still_fits(c, r);

	for (unsigned i = 0; i < RINGS_MAX; i++) {
		struct ring **at = i == 0 ? &c->account_ring : i == 1 ? &c->container_ring :
						      &c->policies[i - 2].ring;

		if (!r->rings[i])
			continue;
		if (!use) {
			ring_unref(r->rings[i]);
			continue;
		}
		retire(c, *at);
		*at = r->rings[i];
		c->files[i] = r->files[i];
		changed++;
	}
	release_retired(c, RING_KEEP_MS);
	return r->rc < 0 ? fault_set(why, r->rc, "%s", r->why.text) : (int)changed;
}

int cluster_load_rings(struct cluster *c, struct fault *why)
{
	struct reading *r = reading_new(c, true);

	read_rings(r);
	int rc = take_rings(c, r, why);

	free(r);
	return rc < 0 ? rc : 0;
}

int cluster_reload_rings(struct cluster *c, struct fault *why)
{
	struct reading *r = reading_new(c, false);

	read_rings(r);
	int rc = take_rings(c, r, why);

	free(r);
	return rc;
}

int cluster_refresh_rings(struct cluster *c, struct fault *why)
{
	struct reading *r = reading_new(c, false);

	task_run_blocking("read rings", read_rings, r);
	int rc = take_rings(c, r, why);

	free(r);
	return rc;
}
