/* Messages for the operator: one line, one write. */
#include "lib/log/internal.h"
#include "lib/base/clock.h"
#include "lib/task/task.h"

#include <fcntl.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8 * KIB, REPEATS_KNOWN = 64, REPEATS_MAX = 10, REPEATS_MS = 10000 };

const char *const log_level_names[] = { "error", "warn", "info", "debug", NULL };
enum log_level log_level_now = LOG_LEVEL_INFO;
struct log_options log_now = { .program = "needletail", .level = LOG_LEVEL_INFO };

/* How often a format was used lately. */
struct repeat {
	const char *fmt;
	uint64_t since_ms;
	unsigned n, held;
	enum log_level level;
};

static struct {
	int fd;
	const char *worker;
	struct repeat repeats[REPEATS_KNOWN];
} L = { .fd = STDERR_FILENO };

void log_write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t wrote = write(fd, p, n);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return;
		p += wrote;
		n -= (size_t)wrote;
	}
}

int log_open_file(const char *suffix, int *fd, struct fault *why)
{
	char path[1024];

	if ((size_t)snprintf(path, sizeof path, "%s/%s%s", log_now.dir, log_now.program, suffix) >=
	    sizeof path)
		return fault_set(why, -ENAMETOOLONG, "%s: the path is too long", path);
	int made = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (made < 0)
		return fault_set(why, -errno, "cannot open the log %s: %s", path, strerror(errno));
	if (*fd > STDERR_FILENO)
		close(*fd);
	*fd = made;
	return 0;
}

int log_open(const struct log_options *o, struct fault *why)
{
	log_now = *o;
	log_level_now = o->level;
	return log_reopen(why);
}

int log_reopen(struct fault *why)
{
	int rc = log_now.dir ? log_open_file(".log", &L.fd, why) : 0;

	return rc < 0 ? rc : log_access_open(why);
}

void log_set_worker(const char *name)
{
	L.worker = name;
}

void log_set_level(enum log_level level)
{
	log_level_now = level;
}

int log_fd(void)
{
	return L.fd;
}

/* Newlines and other control bytes would let a client forge lines. */
static size_t add_escaped(char *to, size_t room, const char *from)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *from && n + 4 < room; from++) {
		unsigned char c = (unsigned char)*from;

		if (c >= 0x20 && c != 0x7f) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '\\';
		to[n++] = 'x';
		to[n++] = hex[c >> 4];
		to[n++] = hex[c & 15];
	}
	return n;
}

static size_t add_head(char *line, size_t room, enum log_level level)
{
	struct task *t = task_self();
	const char *id = t ? task_trans_id() : "";
	char when[ISO_DATE_SIZE];

	clock_iso_us(clock_wall_us(), when);
	int n = snprintf(line, room, "%s %s %s[%s%s%d] %s%s%s%s", when, log_level_names[level],
			 log_now.program, L.worker ? L.worker : "", L.worker ? " " : "",
			 (int)getpid(), id, *id ? " " : "", t ? task_name(t) : "", t ? ": " : "");

	return MIN((size_t)MAX(n, 0), room - 1);
}

static void write_line(enum log_level level, const char *text)
{
	char line[LINE_MAX_BYTES / 4];
	size_t n = add_head(line, sizeof line - 1, level), long_n = strlen(text);

	if (n + 4 * long_n + 8 < sizeof line) {
		n += add_escaped(line + n, sizeof line - n - 1, text);
		line[n++] = '\n';
		log_write_all(L.fd, line, n);
		return;
	}
	/* Long ones are rare: not on the stack of a task. */
	char *longer = xmalloc(LINE_MAX_BYTES);

	memcpy(longer, line, n);
	n += add_escaped(longer + n, LINE_MAX_BYTES - n - 1, text);
	longer[n++] = '\n';
	log_write_all(L.fd, longer, n);
	free(longer);
}

/* Says how many lines of a format were held back. */
static void tell_held(struct repeat *r)
{
	char text[512];

	if (r->held == 0)
		return;
	snprintf(text, sizeof text, "held back %u more like: %.400s", r->held, r->fmt);
	r->held = 0;
	write_line(r->level, text);
}

void log_tell_held(void)
{
	uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < REPEATS_KNOWN; i++)
		if (now - L.repeats[i].since_ms >= REPEATS_MS)
			tell_held(&L.repeats[i]);
}

/* Formats are string literals: the address says which line of the source it is. */
static bool may_write(const char *fmt, enum log_level level)
{
	struct repeat *r = &L.repeats[((uintptr_t)fmt >> 3) % REPEATS_KNOWN];
	uint64_t now = clock_mono_ms();

	if (r->fmt != fmt || now - r->since_ms >= REPEATS_MS) {
		tell_held(r);
		*r = (struct repeat){ .fmt = fmt, .since_ms = now, .level = level };
	}
	if (r->n++ < REPEATS_MAX)
		return true;
	r->held++;
	return false;
}

static void logv(enum log_level level, const char *fmt, va_list ap) printf_like(2, 0);
static void logv(enum log_level level, const char *fmt, va_list ap)
{
	char text[1024], *longer = NULL;
	va_list again;

	if (level > log_level_now || (level < LOG_LEVEL_DEBUG && !may_write(fmt, level)))
		return;
	int saved = errno;

	va_copy(again, ap);
	int n = vsnprintf(text, sizeof text, fmt, ap);

	if (n >= (int)sizeof text) {
		size_t size = MIN((size_t)n + 1, (size_t)LINE_MAX_BYTES);

		longer = xmalloc(size);
		vsnprintf(longer, size, fmt, again);
	}
	va_end(again);
	write_line(level, longer ? longer : text);
	free(longer);
	errno = saved;
}

#define LOG_FUNCTION(name, level)               \
	void name(const char *fmt, ...)         \
	{                                       \
		va_list ap;                     \
						\
		va_start(ap, fmt);              \
		logv(level, fmt, ap);           \
		va_end(ap);                     \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug_line, LOG_LEVEL_DEBUG)
