/* What a connection asks for next. */
#include "tests/bench/load/conn.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

enum { PAGE = 1000, LINK_LIFE_S = 3600 };

static const char *const verbs[OP_COUNT] = {
	[OP_PUT] = "PUT", [OP_GET] = "GET", [OP_HEAD] = "HEAD", [OP_DELETE] = "DELETE",
	[OP_LIST] = "GET", [OP_LISTJSON] = "GET", [OP_LOGIN] = "GET", [OP_TEMPURL] = "GET",
};

static uint64_t random_below(struct conn *c, uint64_t n)
{
	c->rng ^= c->rng << 13;
	c->rng ^= c->rng >> 7;
	c->rng ^= c->rng << 17;
	return c->rng % n;
}

void job_name(const struct job *j, long number, char *name, size_t size)
{
	snprintf(name, size, "%s%010ld", j->names, number);
}

static void path_of(const struct conn *c, char *path, size_t size)
{
	char name[80];

	job_name(c->job, c->number, name, sizeof(name));
	snprintf(path, size, "%s/%s/%s", c->job->load->account, c->job->container, name);
}

/* 60 % GET, 20 % PUT, 10 % HEAD, 10 % DELETE of what this connection has put. */
static void mixed_next(struct conn *c, char *path, size_t size)
{
	struct load *l = c->job->load;
	uint64_t r = random_below(c, 100);

	c->op = r < 60 ? OP_GET : r < 80 ? OP_PUT : r < 90 ? OP_HEAD : OP_DELETE;
	if (c->op == OP_DELETE && c->mixed_deleted >= c->mixed_put)
		c->op = OP_GET;
	if (c->op == OP_GET || c->op == OP_HEAD) {
		c->number = (long)random_below(c, (uint64_t)c->job->set);
		path_of(c, path, size);
		return;
	}
	c->number = (long)(c->op == OP_PUT ? c->mixed_put : c->mixed_deleted);
	snprintf(path, size, "%s/%s/m-%s-%d-%ld", l->account, c->job->container, l->run_id, c->id,
		 c->number);
}

static void listing_next(struct conn *c, char *path, size_t size)
{
	struct job *j = c->job;
	long pages = MAX(j->set / PAGE, 1);
	char marker[80] = "";

	c->number = (long)random_below(c, (uint64_t)pages) * PAGE;
	if (c->number > 0)
		job_name(j, c->number - 1, marker, sizeof(marker));
	snprintf(path, size, "%s/%s?limit=%d%s%s%s", j->load->account, j->container, PAGE,
		 c->op == OP_LISTJSON ? "&format=json" : "", *marker ? "&marker=" : "", marker);
}

static void link_next(struct conn *c, char *path, size_t size)
{
	const struct job *j = c->job;
	struct str digest = str_from(j->load->digest);
	enum digest_kind kind = str_eq(digest, S("sha1")) ? DIGEST_SHA1 :
				str_eq(digest, S("sha512")) ? DIGEST_SHA512 : DIGEST_SHA256;
	unsigned char mac[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1], message[1200];
	int64_t expires = clock_wall_s() + LINK_LIFE_S;

	c->number = (long)random_below(c, (uint64_t)j->set);
	path_of(c, path, size);
	int n = snprintf(message, sizeof(message), "GET\n%" PRId64 "\n%s", expires, path);

	hmac_of(kind, str_from(j->link_key), str_of(message, (size_t)n), mac);
	hex_encode(mac, digest_size(kind), hex);
	n = (int)strlen(path);
	snprintf(path + n, size - (size_t)n, "?temp_url_sig=%s&temp_url_expires=%" PRId64, hex,
		 expires);
}

static void path_next(struct conn *c, long turn, char *path, size_t size)
{
	struct job *j = c->job;

	switch ((int)j->op) {
	case OP_PUT:
	case OP_DELETE:
		c->number = turn;
		return path_of(c, path, size);
	case OP_GET:
	case OP_HEAD:
		c->number = (long)random_below(c, (uint64_t)j->set);
		return path_of(c, path, size);
	case OP_LIST:
	case OP_LISTJSON:
		return listing_next(c, path, size);
	case OP_LOGIN:
		snprintf(path, size, "/auth/v1.0");
		return;
	case OP_TEMPURL:
		return link_next(c, path, size);
	case JOB_MIXED:
		return mixed_next(c, path, size);
	case JOB_PATHS:
		c->op = OP_DELETE;
		snprintf(path, size, "%s", j->paths[turn]);
		return;
	default:
		unreachable("every kind of job is above");
	}
}

static void headers_of(const struct conn *c, struct buf *to)
{
	const struct load *l = c->job->load;

	buf_addf(to, "Host: %s:%d\r\n", l->host, l->port);
	if (c->op == OP_LOGIN)
		buf_addf(to, "X-Auth-User: %s\r\nX-Auth-Key: %s\r\n", l->user, l->key);
	else if (c->op != OP_TEMPURL && !c->job->anonymous && l->token[0])
		buf_addf(to, "X-Auth-Token: %s\r\n", l->given_token ? l->given_token : l->token);
	if (c->op == OP_PUT)
		buf_addf(to, "Content-Length: %" PRIu64 "\r\n"
			 "Content-Type: application/octet-stream\r\n", c->put_size);
	buf_add_lit(to, "\r\n");
}

bool request_next(struct conn *c)
{
	struct job *j = c->job;
	long turn = j->next;
	char path[2 * KIB];
	CLEANUP(buf_done) struct buf request = BUF(sizeof(c->request));

	if (j->limit ? turn >= j->limit : now_us() >= j->end_us)
		return false;
	j->next++;
	c->op = j->op;
	path_next(c, turn, path, sizeof(path));
	c->variant = body_variant(c->number, j->size);
	c->put_size = c->op == OP_PUT ? j->size : 0;
	c->put_sent = 0;
	c->request_sent = 0;
	c->retried = false;
	buf_addf(&request, "%s %s HTTP/1.1\r\n", verbs[c->op], path);
	headers_of(c, &request);
	if (buf_failed(&request))
		die("the request is too long: %s", path);
	memcpy(c->request, request.p, request.n);
	c->request_n = request.n;
	return true;
}
