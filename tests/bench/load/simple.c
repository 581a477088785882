/* Blocking requests, one connection each: for setting up, not for measuring. */
#include "tests/bench/load/simple.h"

#include "lib/base/encode.h"

#include <sys/time.h>
#include <unistd.h>

#define REPLY_MAX (64 * MIB)

void reply_done(struct reply *r)
{
	buf_done(&r->memory);
}

struct str header_get(struct str head, struct str name)
{
	struct str line;

	str_cut(&head, '\n');
	while ((line = str_cut(&head, '\n')).p)
		if (line.n > name.n && line.p[name.n] == ':' &&
		    str_ieq(str_head(line, name.n), name))
			return str_trim(str_skip(line, name.n + 1));
	return STR_NONE;
}

static int simple_connect(const struct load *l)
{
	struct timeval tv = { .tv_sec = (time_t)l->timeout_s };
	int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    connect(fd, (const struct sockaddr *)&l->addr, l->addr_len) < 0)
		die("connecting to %s:%d: %s", l->host, l->port, strerror(errno));
	return fd;
}

/* Whether all of the response is there; servers may ignore "Connection: close". */
static bool is_complete(struct str all, const char *method)
{
	ssize_t end = str_find(all, S("\r\n\r\n"));
	uint64_t length = 0;

	if (end < 0 || all.n < 12)
		return false;
	struct str head = str_head(all, (size_t)end + 2);
	struct str status = str_of(all.p + 9, 3);

	if (strcmp(method, "HEAD") == 0 || str_eq(status, S("204")))
		return true;
	if (str_to_u64(header_get(head, S("Content-Length")), &length) == 0)
		return all.n >= (size_t)end + 4 + length;
	return str_ieq(header_get(head, S("Transfer-Encoding")), S("chunked")) &&
	       str_ends(all, S("\r\n0\r\n\r\n"));
}

/* Joins the chunks in place. */
static struct str dechunk(struct str s)
{
	char *from = (char *)s.p, *to = from, *end = from + s.n;

	while (from < end) {
		char *line_end = memchr(from, '\n', (size_t)(end - from));
		size_t size = 0;

		for (; line_end && from < line_end; from++) {
			int digit = *from <= '9' ? *from - '0' : (*from | 0x20) - 'a' + 10;

			if (digit < 0 || digit > 15)
				break;
			size = size * 16 + (size_t)digit;
		}
		if (!line_end || size == 0 || size > (size_t)(end - line_end - 1))
			break;
		memmove(to, line_end + 1, size);
		to += size;
		from = line_end + 1 + size + 2;
	}
	return str_of(s.p, (size_t)(to - s.p));
}

static void reply_parse(struct reply *r, const char *method, const char *path)
{
	struct str all = buf_str(&r->memory);
	ssize_t end = str_find(all, S("\r\n\r\n"));
	uint64_t status = 0;

	if (end < 0 || !str_starts(all, S("HTTP/1.")) ||
	    str_to_u64(str_of(all.p + 9, 3), &status) < 0)
		die("%s %s: no HTTP response", method, path);
	r->status = (int)status;
	r->head = str_head(all, (size_t)end + 2);
	r->body = str_skip(all, (size_t)end + 4);
	if (str_ieq(header_get(r->head, S("Transfer-Encoding")), S("chunked")))
		r->body = dechunk(r->body);
}

struct reply simple_request(struct load *l, const char *method, const char *path,
			    const char *headers)
{
	struct reply r = { .memory = BUF(REPLY_MAX) };
	CLEANUP(buf_done) struct buf request = BUF(64 * KIB);
	int fd = simple_connect(l);

	buf_addf(&request, "%s %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n%s", method,
		 path, l->host, l->port, headers);
	if (l->token[0])
		buf_addf(&request, "X-Auth-Token: %s\r\n", l->token);
	buf_add_lit(&request, "Content-Length: 0\r\n\r\n");
	if (buf_failed(&request) || write(fd, request.p, request.n) != (ssize_t)request.n)
		die("%s %s: cannot send", method, path);
	while (!is_complete(buf_str(&r.memory), method)) {
		char *room = buf_reserve(&r.memory, 256 * KIB);
		ssize_t n = room ? read(fd, room, 256 * KIB) : -1;

		if (n <= 0)
			break;
		r.memory.n += (size_t)n;
	}
	close(fd);
	reply_parse(&r, method, path);
	return r;
}

void simple_login(struct load *l)
{
	char headers[1024];

	l->token[0] = '\0';
	snprintf(headers, sizeof(headers), "X-Auth-User: %s\r\nX-Auth-Key: %s\r\n", l->user,
		 l->key);
	CLEANUP(reply_done) struct reply r = simple_request(l, "GET", "/auth/v1.0", headers);
	struct str token = header_get(r.head, S("X-Auth-Token"));
	struct str url = header_get(r.head, S("X-Storage-Url"));

	if (r.status / 100 != 2 || !token.p || !url.p || token.n >= sizeof(l->token))
		die("login as %s answered %d", l->user, r.status);
	ssize_t at = str_find(url, S("://"));

	url = str_skip(url, at < 0 ? 0 : (size_t)at + 3);
	at = str_chr(url, '/');
	if (at < 0)
		die("X-Storage-Url without a path");
	url = str_skip(url, (size_t)at);
	snprintf(l->token, sizeof(l->token), "%.*s", STR(token));
	snprintf(l->account, sizeof(l->account), "%.*s", STR(url));
}

void container_make(struct load *l, const char *name)
{
	char path[2048];

	if (l->plain)
		return;
	snprintf(path, sizeof(path), "%s/%s", l->account, name);
	CLEANUP(reply_done) struct reply r = simple_request(l, "PUT", path, "");

	if (r.status / 100 != 2)
		die("making container %s answered %d", name, r.status);
}

struct reply names_page(struct load *l, const char *container, const char *query,
			struct str marker)
{
	CLEANUP(buf_done) struct buf path = BUF(8 * KIB);

	buf_addf(&path, "%s%s%s?limit=10000%s&marker=", l->account, *container ? "/" : "",
		 container, query);
	percent_encode(&path, marker, S(""));
	return simple_request(l, "GET", path.p, "");
}

long container_count(struct load *l, const char *name)
{
	CLEANUP(buf_done) struct buf marker = BUF(2 * KIB);
	long n = 0;

	for (;;) {
		CLEANUP(reply_done) struct reply r = names_page(l, name, "", buf_str(&marker));
		struct str rest = r.body, line;

		if (r.status / 100 != 2)
			die("listing container %s answered %d", name, r.status);
		if (r.body.n == 0)
			return n;
		while ((line = str_cut(&rest, '\n')).p && line.n > 0) {
			buf_clear(&marker);
			buf_add_str(&marker, line);
			n++;
		}
	}
}
