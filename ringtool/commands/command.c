/* What the commands share: saying why, saving, parsing numbers. */
#include "ringtool/commands/command.h"

#include <math.h>
#include <sys/stat.h>

int command_usage(const struct command *c)
{
	printf("%s\n", c->usage);
	return EXIT_ERROR;
}

int command_failed(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stdout, fmt, ap);
	va_end(ap);
	putchar('\n');
	return EXIT_ERROR;
}

/* The path of a copy in the folder backups beside a file, which is made. */
static int backup_path(const struct session *s, const char *path, struct buf *to, struct fault *why)
{
	ssize_t slash = str_rchr(str_from(path), '/');
	struct str dir = slash < 0 ? S(".") : str_of(path, (size_t)slash);

	buf_addf(to, "%.*s/backups", STR(dir));
	if (mkdir(to->p, 0755) < 0 && errno != EEXIST)
		return fault_set(why, -errno, "%s: %s", to->p, strerror(errno));
	buf_addf(to, "/%" PRId64 ".%s", s->now, path + slash + 1);
	return 0;
}

static int save_bytes(const struct session *s, const char *path, struct str bytes, bool backup)
{
	CLEANUP(buf_done) struct buf copy = BUF(PATH_MAX);
	struct fault why;

	if (backup &&
	    (backup_path(s, path, &copy, &why) < 0 || ring_file_replace(copy.p, bytes, &why) < 0))
		return command_failed("%s", why.text);
	if (ring_file_replace(path, bytes, &why) < 0)
		return command_failed("%s", why.text);
	return EXIT_GOOD;
}

static int builder_write(struct session *s, bool backup)
{
	CLEANUP(buf_done) struct buf text = BUF(8 * GIB);

	builder_format(s->builder, &text);
	return save_bytes(s, s->builder_path, buf_str(&text), backup);
}

int session_save(struct session *s) { return builder_write(s, false); }
int session_save_backup(struct session *s) { return builder_write(s, true); }

int session_write_ring(struct session *s, unsigned format, unsigned id_bytes)
{
	CLEANUP(buf_done) struct buf bytes = BUF(8 * GIB);
	struct ring_dev **devs;
	struct ring_image image = builder_image(s->builder, &devs);
	struct fault why;
	int err = ring_pack(&image, format, id_bytes, &bytes, &why);

	free(devs);
	if (err)
		return command_failed("%s", why.text);
	return save_bytes(s, s->ring_path, buf_str(&bytes), true);
}

int parse_unsigned(const char *text, unsigned low, unsigned high, unsigned *ret)
{
	uint64_t n;

	if (str_to_u64(str_from(text), &n) < 0 || n < low || n > high)
		return -EINVAL;
	*ret = (unsigned)n;
	return 0;
}

int parse_double(const char *text, double *ret)
{
	double d;

	if (str_to_double(str_from(text), &d) < 0 || isnan(d) || isinf(d))
		return -EINVAL;
	*ret = d;
	return 0;
}

void format_hours(int64_t seconds, char text[32])
{
	int64_t days = seconds / 86400;
	int n = 0;

	if (days)
		n = snprintf(text, 32, "%" PRId64 " day%s, ", days, days == 1 ? "" : "s");
	snprintf(text + n, (size_t)(32 - n), "%d:%02d:%02d", (int)(seconds % 86400 / 3600),
		 (int)(seconds / 60 % 60), (int)(seconds % 60));
}
