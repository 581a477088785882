/* Workloads by name, and the objects that they need. */
#include "tests/bench/load/workload.h"

#include "lib/crypto/digest.h"
#include "tests/bench/load/job.h"
#include "tests/bench/load/simple.h"

#define LINK_KEY "a-key-for-measuring"

enum {
	SMALL = 4 * KIB,
	MEDIUM_SET = 200,        /* objects of 1 MiB and more in a set */
	BIG_SET = 2,
	BIG_REQUESTS = 4,        /* of 16 MiB and more, when not told by -n */
	HUGE_REQUESTS = 2,       /* of 256 MiB and more */
	DELETES = 2000,
	CLEAN_PASSES = 1000,
};

static struct job job_new(struct load *l, enum op op, uint64_t size, const char *container)
{
	struct job j = { .load = l, .op = op, .size = size, .seconds = l->seconds,
			 .limit = l->requests, .conns = l->conns, .set = l->set_size };

	snprintf(j.container, sizeof(j.container), "%s-%s", l->prefix, container);
	snprintf(j.names, sizeof(j.names), "o");
	return j;
}

/* Runs and prints; the number of errors. */
static uint64_t job_measure(struct job *j, const char *name)
{
	AUTO(stats) s = job_run(j);

	stats_print(s, j, name);
	return s->errors;
}

/* Runs unmeasured: for setting up and cleaning. */
static uint64_t job_do(struct job *j)
{
	AUTO(stats) s = job_run(j);

	if (s->errors)
		note(j->load, "%" PRIu64 " errors, first: %s", s->errors, s->first_error);
	return s->errors;
}

static bool set_is_there(const struct job *j)
{
	struct load *l = j->load;
	char name[80], path[2 * KIB];

	if (!l->plain)
		return container_count(l, j->container) >= j->set;
	job_name(j, j->set - 1, name, sizeof(name));
	snprintf(path, sizeof(path), "%s/%s/%s", l->account, j->container, name);
	CLEANUP(reply_done) struct reply r = simple_request(l, "HEAD", path, "");

	return r.status == 200;
}

/* Makes the objects 0 … j->set - 1 unless they are there. */
static void set_make(const struct job *j)
{
	struct load *l = j->load;
	struct job make = *j;

	container_make(l, j->container);
	if (set_is_there(j))
		return;
	note(l, "making %ld objects of %" PRIu64 " bytes in %s", j->set, j->size, j->container);
	make.op = OP_PUT;
	make.limit = j->set;
	make.conns = j->size >= BODY_BIG ? 1 : l->prep_conns;
	if (job_do(&make) > 0)
		die("could not make the objects in %s", j->container);
}

static uint64_t parse_size(const char *text, char **end)
{
	uint64_t size = strtoull(text, end, 10);

	switch (**end) {
	case 'k': (*end)++; return size * KIB;
	case 'm': (*end)++; return size * MIB;
	case 'g': (*end)++; return size * GIB;
	default: return size;
	}
}

/* putSIZE[xN] and getSIZE[xN]. */
static uint64_t sized(struct load *l, const char *name)
{
	bool put = name[0] == 'p';
	char *end;
	uint64_t size = parse_size(name + 3, &end), conns = 0;
	struct job j = job_new(l, put ? OP_PUT : OP_GET, size, "");

	snprintf(j.container, sizeof(j.container), "%s-%.*s", l->prefix, (int)(end - name), name);
	if (size >= BODY_BIG)
		j.conns = 1;
	if (*end == 'x' && str_to_u64(str_from(end + 1), &conns) == 0 && conns > 0)
		j.conns = (int)MIN(conns, 65536UL);
	else if (*end)
		die("no such workload: %s", name);
	if (put) {
		if (size >= BODY_BIG && !j.limit)
			j.limit = size >= 256 * MIB ? HUGE_REQUESTS : BIG_REQUESTS;
		snprintf(j.names, sizeof(j.names), "p-%s-", l->run_id);
		container_make(l, j.container);
	} else {
		if (size >= MIB)
			j.set = MIN(j.set, size >= BODY_BIG ? BIG_SET : MEDIUM_SET);
		if (size >= 256 * MIB)
			j.set = 1;
		set_make(&j);
	}
	return job_measure(&j, name);
}

static uint64_t small(struct load *l, const char *name, enum op op)
{
	struct job j = job_new(l, op, SMALL, "get4k");

	set_make(&j);
	return job_measure(&j, name);
}

static uint64_t links(struct load *l, const char *name)
{
	struct job j = job_new(l, OP_TEMPURL, SMALL, "get4k");
	CLEANUP(reply_done) struct reply r = simple_request(
		l, "POST", l->account, "X-Account-Meta-Temp-URL-Key: " LINK_KEY "\r\n");

	if (r.status / 100 != 2)
		die("setting the key of temporary URLs answered %d", r.status);
	j.link_key = LINK_KEY;
	set_make(&j);
	return job_measure(&j, name);
}

static uint64_t open_to_all(struct load *l, const char *name)
{
	struct job j = job_new(l, OP_GET, SMALL, "get4k");
	char path[2 * KIB];

	set_make(&j);
	snprintf(path, sizeof(path), "%s/%s", l->account, j.container);
	CLEANUP(reply_done) struct reply r =
		simple_request(l, "POST", path, "X-Container-Read: .r:*\r\n");

	if (r.status / 100 != 2)
		die("opening %s answered %d", j.container, r.status);
	j.anonymous = true;
	return job_measure(&j, name);
}

static uint64_t deletes(struct load *l, const char *name)
{
	struct job j = job_new(l, OP_PUT, SMALL, "delete");

	j.limit = l->requests ? l->requests : MAX(l->set_size, DELETES);
	j.conns = l->prep_conns;
	snprintf(j.names, sizeof(j.names), "d-%s-", l->run_id);
	container_make(l, j.container);
	note(l, "making %ld objects to delete", j.limit);
	if (job_do(&j) > 0)
		die("could not make the objects to delete");
	j.op = OP_DELETE;
	j.conns = l->conns;
	return job_measure(&j, name);
}

static uint64_t listings(struct load *l, const char *name, enum op op)
{
	CLEANUP(buf_done) struct buf all = BUF(1 * GIB);
	char container[64], line[80];

	snprintf(container, sizeof(container), "list%ld", l->list_objects);
	struct job j = job_new(l, op, 0, container);

	j.set = l->list_objects;
	set_make(&j);
	for (long i = 0; i < j.set; i++) {
		job_name(&j, i, line, sizeof(line));
		buf_addf(&all, "%s\n", line);
	}
	j.listing = buf_str(&all);
	return job_measure(&j, name);
}

static uint64_t logins(struct load *l, const char *name)
{
	struct job j = job_new(l, OP_LOGIN, 0, "");

	return job_measure(&j, name);
}

/* The MD5 speed of one core, which bounds what a PUT of one stream can reach. */
static uint64_t md5_speed(struct load *l, const char *name)
{
	AUTO(digest) d = digest_new(DIGEST_MD5);
	struct str s = body_at(0, 0);
	uint64_t start = now_us(), bytes = 0;
	unsigned char md5[MD5_SIZE];

	while (now_us() - start < (uint64_t)(l->seconds * 1e6)) {
		digest_add(d, s.p, s.n);
		bytes += s.n;
	}
	digest_final(d, md5);
	printf("{\"label\":\"%s\",\"workload\":\"%s\",\"mb_s\":%.2f,\"errors\":0}\n", l->label,
	       name, (double)bytes / (double)(now_us() - start));
	return 0;
}

/* One pass over a container: deletes up to 10,000 objects; how many there were. */
static long clean_pass(struct load *l, const char *container)
{
	CLEANUP(reply_done) struct reply r = names_page(l, container, "", S(""));
	struct str rest = r.body, line;
	struct job j = job_new(l, (enum op)JOB_PATHS, 0, "");
	char **paths = xcalloc(10000, sizeof(*paths));
	long n = 0;

	while (r.status == 200 && n < 10000 && (line = str_cut(&rest, '\n')).p && line.n > 0)
		if (asprintf(&paths[n], "%s/%s/%.*s", l->account, container, STR(line)) > 0)
			n++;
	j.limit = n;
	j.conns = l->prep_conns;
	j.paths = paths;
	j.tolerates_404 = true;
	if (n > 0)
		job_do(&j);
	for (long i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
	return n;
}

void clean(struct load *l)
{
	char query[128], path[2 * KIB], container[300];
	long total = 0, containers = 0;

	snprintf(query, sizeof(query), "&prefix=%s-", l->prefix);
	CLEANUP(reply_done) struct reply r = names_page(l, "", query, S(""));
	struct str rest = r.body, line;

	while (r.status == 200 && (line = str_cut(&rest, '\n')).p && line.n > 0) {
		long n;

		snprintf(container, sizeof(container), "%.*s", STR(line));
		for (int i = 0; i < CLEAN_PASSES && (n = clean_pass(l, container)) > 0; i++)
			total += n;
		snprintf(path, sizeof(path), "%s/%s", l->account, container);
		CLEANUP(reply_done) struct reply gone = simple_request(l, "DELETE", path, "");

		if (gone.status / 100 != 2)
			note(l, "deleting container %s answered %d", container, gone.status);
		containers++;
	}
	note(l, "deleted %ld objects in %ld containers", total, containers);
}

uint64_t workload_run(struct load *l, const char *name)
{
	static const struct {
		const char *name;
		uint64_t (*run)(struct load *l, const char *name, enum op op);
		enum op op;
	} by_op[] = {
		{ "head", small, OP_HEAD },
		{ "mixed", small, (enum op)JOB_MIXED },
		{ "list", listings, OP_LIST },
		{ "listjson", listings, OP_LISTJSON },
	};
	static const struct {
		const char *name;
		uint64_t (*run)(struct load *l, const char *name);
	} others[] = {
		{ "delete", deletes },
		{ "tempurl", links },
		{ "getpublic", open_to_all },
		{ "login", logins },
		{ "md5", md5_speed },
	};

	if ((str_starts(str_from(name), S("put")) || str_starts(str_from(name), S("get"))) &&
	    name[3] >= '0' && name[3] <= '9')
		return sized(l, name);
	for (size_t i = 0; i < ARRAY_LEN(by_op); i++)
		if (strcmp(name, by_op[i].name) == 0)
			return by_op[i].run(l, name, by_op[i].op);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(name, others[i].name) == 0)
			return others[i].run(l, name);
	if (strcmp(name, "idle") == 0 || strcmp(name, "mute") == 0)
		return idle_run(l, name[0] == 'm');
	if (strcmp(name, "clean") != 0)
		die("no such workload: %s", name);
	clean(l);
	return 0;
}
