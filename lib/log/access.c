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

/* After a line was appended: it begins at `before`. */
static void line_added(size_t before)
{
	assert(!buf_failed(&A.lines));
	if (!A.writer || A.lines.n >= COLLECT_MAX)
		log_access_flush();
	else if (before == 0)
		task_wake(A.writer);
}

static size_t line_begin(void)
{
	if (A.lines.max == 0)
		A.lines = BUF(COLLECT_MAX + LINE_ROOM);
	assert(A.lines.n < COLLECT_MAX);
	return A.lines.n;
}

void log_access_line(struct str line)
{
	if (!log_now.access)
		return;
	size_t before = line_begin();

	buf_add_str(&A.lines, str_head(line, LINE_ROOM - 1));
	buf_add_char(&A.lines, '\n');
	line_added(before);
}

/* Python's quote(s, ':/{}'). */
static void add_quoted(struct str s)
{
	static const char digits[] = "0123456789ABCDEF";
	static bool plain[256];
	char *to = buf_reserve(&A.lines, 3 * s.n);
	size_t n = 0;

	if (!plain['a'])
		for (int c = 0; c < 128; c++)
			plain[c] =
				c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					    "0123456789_.-~:/{}",
					    c);
	assert(to);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (plain[c]) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '%';
		to[n++] = digits[c >> 4];
		to[n++] = digits[c & 15];
	}
	A.lines.n += n;
	A.lines.p[A.lines.n] = 0;
}

/* A field as Swift's LogStringFormatter writes it: quoted, "-" when empty; cut, since a client may
 * send any length. */
static void add_field(struct str s)
{
	if (s.n == 0) {
		buf_add_lit(&A.lines, "- ");
		return;
	}
	add_quoted(str_head(s, FIELD_MAX));
	buf_add_char(&A.lines, ' ');
}

static void add_number(uint64_t n)
{
	if (n == 0) {                   /* falsy for Swift */
		buf_add_lit(&A.lines, "- ");
		return;
	}
	buf_add_u64(&A.lines, n);
	buf_add_char(&A.lines, ' ');
}

enum date_form { DATE_SLASHES, DATE_APACHE };

/* Many lines share a second. */
static void add_date(int64_t us, enum date_form form)
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
	buf_add(&A.lines, texts[form], strlen(texts[form]));
}

static void add_token(struct str token)
{
	if (token.n <= TOKEN_SHOWN) {
		add_field(token);
		return;
	}
	add_quoted(str_head(token, TOKEN_SHOWN));
	buf_add_lit(&A.lines, "... ");
}

/* "%.9f" of Python's time.time(). */
static void add_time(int64_t us)
{
	buf_addf(&A.lines, "%" PRId64 ".%06d000 ", us / 1000000, (int)(us % 1000000));
}

void log_access(const struct log_access *a)
{
	if (!log_now.access)
		return;
	size_t before = line_begin();

	add_field(a->client_ip);
	add_field(a->remote_addr);
	add_date(a->end_us, DATE_SLASHES);
	add_field(a->method);
	add_field(a->path);
	add_field(a->protocol);
	buf_addf(&A.lines, "%d ", a->status);
	add_field(a->referer);
	add_field(a->user_agent);
	add_token(a->auth_token);
	add_number(a->bytes_in);
	add_number(a->bytes_out);
	add_field(a->client_etag);
	add_field(a->trans_id);
	add_field(a->headers);
	buf_addf(&A.lines, "%.4f ", (double)(a->end_us - a->start_us) / 1e6);
	add_field(a->source);
	add_field(a->log_info);
	add_time(a->start_us);
	add_time(a->end_us);
	if (a->policy_index >= 0)
		buf_addf(&A.lines, "%d ", a->policy_index);
	else
		buf_add_lit(&A.lines, "- ");
	add_field(a->access_user_id);
	A.lines.p[A.lines.n - 1] = '\n';
	line_added(before);
}

/* Unquoted as Swift has it, but a quote or control byte must not end the field. */
static void add_plain(struct str s)
{
	struct str cut = str_head(s, FIELD_MAX);

	if (cut.n == 0) {
		buf_add_char(&A.lines, '-');
		return;
	}
	for (size_t i = 0; i < cut.n; i++) {
		unsigned char c = (unsigned char)cut.p[i];

		if (c < 0x20 || c == '"' || c == 0x7f)
			buf_addf(&A.lines, "%%%02X", c);
		else
			buf_add_char(&A.lines, (char)c);
	}
}

/* '{remote_addr} - - [{time}] "{method} {path}" {status} {content_length} "{referer}" "{txn_id}"
 * "{user_agent}" {trans_time} "{additional_info}" {pid} {policy_index}' */
void log_storage(const struct log_storage *s)
{
	if (!log_now.access)
		return;
	size_t before = line_begin();

	add_plain(s->remote_addr);
	add_date(s->end_us, DATE_APACHE);
	add_plain(s->method);
	buf_add_char(&A.lines, ' ');
	add_plain(s->path);
	buf_addf(&A.lines, "\" %d ", s->status);
	add_plain(s->content_length);
	buf_add_lit(&A.lines, " \"");
	add_plain(s->referer);
	buf_add_lit(&A.lines, "\" \"");
	add_plain(s->trans_id);
	buf_add_lit(&A.lines, "\" \"");
	add_plain(s->user_agent);
	buf_addf(&A.lines, "\" %.4f \"", (double)(s->end_us - s->start_us) / 1e6);
	add_plain(s->additional_info);
	buf_addf(&A.lines, "\" %d ", (int)getpid());
	if (s->policy_index >= 0)
		buf_addf(&A.lines, "%d\n", s->policy_index);
	else
		buf_add_lit(&A.lines, "-\n");
	line_added(before);
}
