/* The access log: lines in Swift's formats, collected and written together. */
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/log/internal.h"
#include "lib/task/task.h"

#include <unistd.h>

/* LINE_ROOM is more than the longest line: twelve fields of FIELD_MAX bytes, quoted. */
enum { COLLECT_MAX = 64 * KIB, LINE_ROOM = 128 * KIB, FIELD_MAX = 2 * KIB, FLUSH_MS = 500,
       TOKEN_SHOWN = 16 };

static struct {
	int fd;
	struct buf lines;
	struct task *writer; /* NULL: nobody writes later, so lines are written at once */
} A = { .fd = STDOUT_FILENO };

int log_access_open(struct fault *why)
{
	if (!log_now.access || !log_now.dir)
		return 0;
	log_access_flush();
	return log_open_file(".access.log", &A.fd, why);
}

bool log_access_wanted(void)
{
	return log_now.access;
}

void log_access_flush(void)
{
	if (A.lines.n == 0)
		return;
	log_write_all(A.fd, A.lines.p, A.lines.n);
	buf_clear(&A.lines);
}

/* Waits for a first line, then half a second for its company. */
waits static void write_task(void *arg)
{
	(void)arg;
	while (!task_cancelled()) {
		if (A.lines.n == 0) {
			if (task_wait("access lines", 0) == -ECANCELED)
				break;
			continue;
		}
		if (task_sleep(FLUSH_MS) == -ECANCELED)
			break;
		log_access_flush();
	}
	A.writer = NULL;
	log_access_flush();
}

void log_access_start(struct task_group *g)
{
	assert(!A.writer);
	A.writer = task_spawn(g, "access-log", write_task, NULL);
}

/* Room for a line behind those that wait. */
static char *line_begin(void)
{
	if (A.lines.max == 0)
		A.lines = BUF(COLLECT_MAX + LINE_ROOM);
	assert(A.lines.n < COLLECT_MAX);
	char *room = buf_reserve(&A.lines, LINE_ROOM);

	assert(room);
	return room;
}

/* end is behind the line's newline. */
static void line_end(const char *end)
{
	size_t before = A.lines.n, n = (size_t)(end - A.lines.p);

	assert(n > before && n - before <= LINE_ROOM);
	A.lines.n = n;
	A.lines.p[n] = 0;
	if (!A.writer || n >= COLLECT_MAX)
		log_access_flush();
	else if (before == 0)
		task_wake(A.writer);
}

/* What follows writes at p and returns what is behind: a line is the most frequent text of all, and
 * its fields are too small to look each time whether there is room. */

static char *put_str(char *p, struct str s)
{
	return s.n ? mempcpy(p, s.p, s.n) : p;
}
#define PUT(p, literal) mempcpy(p, "" literal, sizeof(literal) - 1)

void log_access_line(struct str line)
{
	if (!log_now.access)
		return;
	char *p = put_str(line_begin(), str_head(line, LINE_ROOM - 1));

	*p++ = '\n';
	line_end(p);
}

static char *put_u64(char *p, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return mempcpy(p, digits + at, sizeof digits - at);
}

static char *put_int(char *p, int64_t v)
{
	if (v < 0)
		*p++ = '-';
	return put_u64(p, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* v in so many digits, zeros in front. */
static char *put_padded(char *p, uint64_t v, int digits)
{
	for (int i = digits - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + digits;
}

/* "%.4f" of seconds. */
static char *put_seconds(char *p, int64_t us)
{
	uint64_t n = ((us < 0 ? 0 - (uint64_t)us : (uint64_t)us) + 50) / 100;

	if (us < 0)
		*p++ = '-';
	p = put_u64(p, n / 10000);
	*p++ = '.';
	return put_padded(p, n % 10000, 4);
}

/* Python's quote(s, ':/{}'). */
static char *put_quoted(char *p, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";
	static const bool plain[256] = {
		['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true,
		['_'] = true, ['.'] = true, ['-'] = true, ['~'] = true,
		[':'] = true, ['/'] = true, ['{'] = true, ['}'] = true,
	};

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (plain[c]) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = digits[c >> 4];
		*p++ = digits[c & 15];
	}
	return p;
}

/* A field as Swift's LogStringFormatter writes it: quoted, "-" when empty; cut, since a client may
 * send any length. */
static char *put_field(char *p, struct str s)
{
	if (s.n == 0)
		return PUT(p, "- ");
	p = put_quoted(p, str_head(s, FIELD_MAX));
	*p++ = ' ';
	return p;
}

static char *put_number(char *p, uint64_t n)
{
	if (n == 0)                     /* falsy for Swift */
		return PUT(p, "- ");
	p = put_u64(p, n);
	*p++ = ' ';
	return p;
}

enum date_form { DATE_SLASHES, DATE_APACHE };

/* Many lines share a second. */
static char *put_date(char *p, int64_t us, enum date_form form)
{
	static time_t known = -1;
	static char texts[2][64];
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (t != known && gmtime_r(&t, &tm)) {
		known = t;
		if (strftime(texts[DATE_SLASHES], sizeof texts[0], "%d/%b/%Y/%H/%M/%S ", &tm) ==
			    0 ||
		    strftime(texts[DATE_APACHE], sizeof texts[1],
			     " - - [%d/%b/%Y:%H:%M:%S +0000] \"", &tm) == 0)
			known = -1;
	}
	return put_str(p, str_from(texts[form]));
}

static char *put_token(char *p, struct str token)
{
	if (token.n <= TOKEN_SHOWN)
		return put_field(p, token);
	p = put_quoted(p, str_head(token, TOKEN_SHOWN));
	return PUT(p, "... ");
}

/* "%.9f" of Python's time.time(). */
static char *put_time(char *p, int64_t us)
{
	p = put_int(p, us / 1000000);
	*p++ = '.';
	p = put_padded(p, (uint64_t)(us % 1000000), 6);
	return PUT(p, "000 ");
}

void log_access(const struct log_access *a)
{
	if (!log_now.access)
		return;
	char *p = line_begin();

	p = put_field(p, a->client_ip);
	p = put_field(p, a->remote_addr);
	p = put_date(p, a->end_us, DATE_SLASHES);
	p = put_field(p, a->method);
	p = put_field(p, a->path);
	p = put_field(p, a->protocol);
	p = put_int(p, a->status);
	*p++ = ' ';
	p = put_field(p, a->referer);
	p = put_field(p, a->user_agent);
	p = put_token(p, a->auth_token);
	p = put_number(p, a->bytes_in);
	p = put_number(p, a->bytes_out);
	p = put_field(p, a->client_etag);
	p = put_field(p, a->trans_id);
	p = put_field(p, a->headers);
	p = put_seconds(p, a->end_us - a->start_us);
	*p++ = ' ';
	p = put_field(p, a->source);
	p = put_field(p, a->log_info);
	p = put_time(p, a->start_us);
	p = put_time(p, a->end_us);
	if (a->policy_index >= 0) {
		p = put_int(p, a->policy_index);
		*p++ = ' ';
	} else {
		p = PUT(p, "- ");
	}
	p = put_field(p, a->access_user_id);
	p[-1] = '\n';
	line_end(p);
}

/* Unquoted as Swift has it, but a quote or control byte must not end the field. */
static char *put_plain(char *p, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";
	struct str cut = str_head(s, FIELD_MAX);

	if (cut.n == 0)
		*p++ = '-';
	for (size_t i = 0; i < cut.n; i++) {
		unsigned char c = (unsigned char)cut.p[i];

		if (c >= 0x20 && c != '"' && c != 0x7f) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = digits[c >> 4];
		*p++ = digits[c & 15];
	}
	return p;
}

/* '{remote_addr} - - [{time}] "{method} {path}" {status} {content_length} "{referer}" "{txn_id}"
 * "{user_agent}" {trans_time} "{additional_info}" {pid} {policy_index}' */
void log_storage(const struct log_storage *s)
{
	if (!log_now.access)
		return;
	char *p = put_plain(line_begin(), s->remote_addr);

	p = put_date(p, s->end_us, DATE_APACHE);
	p = put_plain(p, s->method);
	*p++ = ' ';
	p = put_plain(p, s->path);
	p = PUT(p, "\" ");
	p = put_int(p, s->status);
	*p++ = ' ';
	p = put_plain(p, s->content_length);
	p = PUT(p, " \"");
	p = put_plain(p, s->referer);
	p = PUT(p, "\" \"");
	p = put_plain(p, s->trans_id);
	p = PUT(p, "\" \"");
	p = put_plain(p, s->user_agent);
	p = PUT(p, "\" ");
	p = put_seconds(p, s->end_us - s->start_us);
	p = PUT(p, " \"");
	p = put_plain(p, s->additional_info);
	p = PUT(p, "\" ");
	p = put_int(p, (int)getpid());
	*p++ = ' ';
	if (s->policy_index >= 0)
		p = put_int(p, s->policy_index);
	else
		*p++ = '-';
	*p++ = '\n';
	line_end(p);
}
