/* nodes: where an account, container or object is. Swift: swift-get-nodes (cli/info.py). */
#include "ringtool/commands/command.h"
#include "lib/base/encode.h"
#include "lib/swift/policy.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <unistd.h>

#define OWN_CONF "/etc/needletail/needletail.conf"

struct options {
	bool all, quoted;
	int64_t part;                   /* -1: by name */
	const char *policy, *swift_dir, *swift_conf, *prefix, *suffix;
};

struct target {
	struct str account, container, object;
};

/* What the names are hashed with, and the policy that was asked for. */
struct names {
	struct cluster *cluster;
	struct str prefix, suffix;
	int policy;                     /* index; -1: none was asked for */
};

static void names_done(struct names *n)
{
	cluster_done(n->cluster);
	free(n->cluster);
}

/* The file that is named, or swift.conf, or else this host's own configuration. */
static void find_conf(const struct options *o, struct buf *path)
{
	buf_addf(path, o->swift_conf ? "%s" : "%s/swift.conf", o->swift_conf ?: o->swift_dir);
	if (!o->swift_conf && access(path->p, F_OK) < 0 && access(OWN_CONF, F_OK) == 0) {
		buf_clear(path);
		buf_add_str(path, S(OWN_CONF));
	}
}

/* From swift.conf, or a needletail.conf, which has the same sections; and from the options. */
static int names_read(const struct options *o, struct names *n)
{
	CLEANUP(buf_done) struct buf path = BUF(PATH_MAX);
	bool told = o->prefix || o->suffix || (o->part >= 0 && !o->policy);
	struct fault why;

	find_conf(o, &path);
	if (o->swift_conf || o->policy || (!told && access(path.p, F_OK) == 0)) {
		if (cluster_configure(n->cluster, o->swift_dir, path.p, &why) < 0)
			return command_failed("ERROR: %s", why.text);
	} else if (!told) {
		fprintf(stderr,
			"WARNING: no %s and no --hash-prefix or --hash-suffix: hashing without "
			"them\n",
			path.p);
	}
	n->prefix = o->prefix ? str_from(o->prefix) : n->cluster->hash_prefix;
	n->suffix = o->suffix ? str_from(o->suffix) : n->cluster->hash_suffix;
	if (!o->policy)
		return EXIT_GOOD;
	const struct policy *policy = cluster_policy_named(n->cluster, str_from(o->policy));
	if (!policy)
		return command_failed("ERROR: No policy named '%s'", o->policy);
	n->policy = (int)policy->index;
	return EXIT_GOOD;
}

static int options_parse(struct session *s, struct options *o)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "partition", required_argument, NULL, 'p' },
		{ "policy-name", required_argument, NULL, 'P' },
		{ "swift-dir", required_argument, NULL, 'd' },
		{ "quoted", no_argument, NULL, 'Q' },
		{ "hash-prefix", required_argument, NULL, 'x' },
		{ "hash-suffix", required_argument, NULL, 'y' },
		{ "swift-conf", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t part;
	int letter;

	*o = (struct options){ .part = -1, .swift_dir = "/etc/swift" };
	optind = 0;
	while ((letter = getopt_long(s->argc, s->argv, "ap:P:d:Q", options, NULL)) != -1) {
		switch (letter) {
		case 'a': o->all = true; break;
		case 'Q': o->quoted = true; break;
		case 'P': o->policy = optarg; break;
		case 'd': o->swift_dir = optarg; break;
		case 'x': o->prefix = optarg; break;
		case 'y': o->suffix = optarg; break;
		case 'c': o->swift_conf = optarg; break;
		case 'p':
			if (str_to_u64(str_from(optarg), &part) < 0 || part > UINT32_MAX)
				return command_failed("ERROR: '%s' is not a partition", optarg);
			o->part = (int64_t)part;
			break;
		default:
			return command_usage(&command_nodes);
		}
	}
	return EXIT_GOOD;
}

/* Account, container and object: three arguments, or one with slashes. */
static int target_parse(struct arena *a, int argc, char **argv, bool quoted, struct target *t)
{
	struct str parts[3] = { STR_NONE, STR_NONE, STR_NONE };

	if (argc > 3)
		return -EINVAL;
	for (int i = 0; i < argc; i++)
		parts[i] = quoted ? percent_decode(a, str_from(argv[i])) : str_from(argv[i]);
	if (argc == 1) {
		struct str rest = parts[0];

		while (str_starts(rest, S("/")))
			rest = str_skip(rest, 1);
		while (str_ends(rest, S("/")))
			rest.n--;
		parts[0] = str_cut(&rest, '/');
		parts[1] = rest.p ? str_cut(&rest, '/') : STR_NONE;
		parts[2] = rest;
	}
	*t = (struct target){ parts[0], parts[1], parts[2] };
	return t->object.n && !t->container.n ? -EINVAL : 0;
}

static void print_quoted(const char *label, struct str s)
{
	CLEANUP(buf_done) struct buf text = BUF(64 * KIB);

	percent_encode(&text, s, S("/"));
	printf("%s\t%s\n", label, text.p);
}

/* The devices of a partition and as many handoffs, or all. */
struct found {
	const struct ring_dev **devs;
	unsigned primaries, n;
};

static void found_fill(const struct ring *r, uint32_t part, bool all, struct found *f)
{
	AUTO(free) room = xcalloc(ring_dev_count(r) + 1, sizeof(uint32_t));
	struct ring_handoffs it;
	const struct ring_dev *dev;

	f->devs = xcalloc(ring_dev_count(r) + RING_REPLICAS_MAX, sizeof *f->devs);
	f->n = f->primaries = ring_primaries(r, part, f->devs, RING_REPLICAS_MAX);
	ring_handoffs_start_all(r, part, &it, room);
	while ((all || f->n < 2 * f->primaries) && (dev = ring_handoffs_next(&it)))
		f->devs[f->n++] = dev;
}

static void print_curl(const struct found *f, uint32_t part, const struct target *t, int policy)
{
	CLEANUP(buf_done) struct buf path = BUF(64 * KIB);

	percent_encode(&path, t->account, S("/"));
	if (t->container.n) {
		buf_add_char(&path, '/');
		percent_encode(&path, t->container, S("/"));
	}
	if (t->object.n) {
		buf_add_char(&path, '/');
		percent_encode(&path, t->object, S("/"));
	}
	for (unsigned i = 0; i < f->n; i++) {
		const struct ring_dev *d = f->devs[i];
		bool v6 = strchr(d->ip, ':');

		printf("curl -g -I -XHEAD \"http://%s%s%s:%u/%s/%" PRIu32 "/%s\"", v6 ? "[" : "",
		       d->ip, v6 ? "]" : "", d->port, d->device, part, path.p);
		if (policy >= 0)
			printf(" -H \"X-Backend-Storage-Policy-Index: %d\"", policy);
		printf(" --path-as-is%s\n", i < f->primaries ? "" : " # [Handoff]");
	}
}

static void print_found(const struct found *f, uint32_t part, const char *hash, const char *folder,
			const struct target *t, int policy)
{
	printf("Partition\t%" PRIu32 "\nHash     \t%s\n\n", part, hash ?: "None");
	for (unsigned i = 0; i < f->n; i++)
		printf("Server:Port Device\t%s:%u %s%s\n", f->devs[i]->ip, f->devs[i]->port,
		       f->devs[i]->device, i < f->primaries ? "" : "\t [Handoff]");
	printf("\n\n");
	print_curl(f, part, t, policy);
	printf("\n\nUse your own device location of servers:\nsuch as \"export "
	       "DEVICE=/srv/node\"\n");
	for (unsigned i = 0; i < f->n; i++) {
		printf("ssh %s \"ls -lah ${DEVICE:-/srv/node*}/%s/%s/%" PRIu32, f->devs[i]->ip,
		       f->devs[i]->device, folder, part);
		if (hash)
			printf("/%s/%s", hash + 29, hash);
		printf("\"%s\n", i < f->primaries ? "" : " # [Handoff]");
	}
	printf("\nnote: the folders are those of Swift's storage servers; needletail-objectd packs "
	       "objects into "
	       "volumes.\n");
}

/* The folder on Swift's devices, from the ring's name: objects-1 for object-1.ring.gz. */
static void folder_name(const char *ring_path, char folder[64])
{
	const char *slash = strrchr(ring_path, '/');
	struct str name = str_from(slash ? slash + 1 : ring_path);
	ssize_t dot = str_find(name, S(".ring.gz"));

	name = str_head(name, dot < 0 ? name.n : (size_t)dot);
	if (str_starts(name, S("object-")))
		snprintf(folder, 64, "objects-%.*s", (int)MIN(name.n - 7, (size_t)50), name.p + 7);
	else
		snprintf(folder, 64, "%.*ss", (int)MIN(name.n, (size_t)50), name.p);
}

static int show(const struct ring *r, const struct options *o, const struct names *names,
		const char *folder, const struct target *t)
{
	unsigned char md5[16];
	char hash[33];
	struct found f;
	int policy = names->policy;
	uint64_t index;

	if (policy < 0 && t->object.n && str_starts(str_from(folder), S("objects-")) &&
	    str_to_u64(str_from(folder + 8), &index) == 0)
		policy = (int)index;
	if (o->part >= (int64_t)ring_partitions(r))
		return command_failed("ERROR: the ring has %" PRIu32 " partitions",
				      ring_partitions(r));
	if (t->account.n) {
		ring_hash_path(names->prefix, names->suffix, t->account, t->container, t->object,
			       md5);
		hex_encode(md5, sizeof md5, hash);
		print_quoted("\nAccount  ", t->account);
	}
	if (t->container.n)
		print_quoted("Container", t->container);
	if (t->object.n)
		print_quoted("Object   ", t->object);
	if (t->object.n)
		printf("\n\n");
	uint32_t part = o->part >= 0 ? (uint32_t)o->part : ring_part_of_hash(r, md5);
	found_fill(r, part, o->all, &f);
	print_found(&f, part, o->part < 0 ? hash : NULL, folder, t, policy);
	free(f.devs);
	return EXIT_GOOD;
}

static int run(struct session *s)
{
	AUTO(arena) a = arena_new();
	AUTO(ring) ring = NULL;
	CLEANUP(buf_done) struct buf path = BUF(PATH_MAX);
	struct options o;
	CLEANUP(names_done)
	struct names names = { xcalloc(1, sizeof(struct cluster)), .policy = -1 };
	struct target t;
	struct fault why;
	char folder[64];

	if (options_parse(s, &o) != EXIT_GOOD || names_read(&o, &names) != EXIT_GOOD)
		return EXIT_ERROR;
	int argc = s->argc - optind;
	char **argv = s->argv + optind;
	char name[16];
	if (o.policy) {
		policy_ring_name((unsigned)names.policy, name);
		buf_addf(&path, "%s/%s.ring.gz", o.swift_dir, name);
	} else if (argc > 0) {
		buf_addf(&path, "%s", argv[0]);
	} else {
		return command_usage(&command_nodes);
	}
	argc -= !o.policy;
	argv += !o.policy;
	if (target_parse(a, argc, argv, o.quoted, &t) < 0)
		return command_failed("ERROR: Invalid arguments");
	if (o.part < 0 && !t.account.n)
		return command_failed("ERROR: No target specified");
	if (ring_load(path.p, &ring, &why) < 0)
		return command_failed("ERROR: %s", why.text);
	folder_name(path.p, folder);
	return show(ring, &o, &names, folder, &t);
}

const struct command command_nodes = {
	"nodes",
	COMMAND_ALONE,
	run,
	"ringtool nodes [-a] <ring.gz> <account> [<container> [<object>]]\n"
	"ringtool nodes [-a] <ring.gz> -p <partition>\n"
	"ringtool nodes [-a] -P <policy_name> <account> <container> <object>\n"
	"    Shows the partition, hash and devices of an item (also given as one argument with "
	"slashes), and\n"
	"    commands that ask the devices for it.\n"
	"    -a, --all               all handoffs, not just as many as replicas\n"
	"    -p, --partition PART    devices of a partition\n"
	"    -P, --policy-name NAME  the ring of a storage policy of swift.conf\n"
	"    -d, --swift-dir DIR     where swift.conf and the rings are (/etc/swift)\n"
	"    -Q, --quoted            names are percent-encoded\n"
	"    --swift-conf FILE       swift_hash_path_prefix and _suffix from there, or from a "
	"needletail.conf\n"
	"                            (/etc/needletail/needletail.conf where no swift.conf is)\n"
	"    --hash-prefix, --hash-suffix TEXT   or from here",
};
