/* Reading the configuration file: sections and keys against the tables, everything or nothing. */
#include "lib/base/list.h"
#include "lib/conf/internal.h"

#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>
#include <unistd.h>

/* What stood in the file for one option. */
struct setting {
	struct str text;
	unsigned line;                  /* 0: nothing */
};

/* One section of the file, or one that was not there and has its defaults. */
struct instance {
	struct list node;
	const struct conf_section *section;
	struct str name;                /* behind the colon */
	unsigned line;
	struct setting *settings;       /* one per option */
	void *into;
};

struct reader {
	const struct conf_spec *spec;
	const char *file;
	struct str rest;
	unsigned line;                  /* that was read last */
	bool indented;                  /* it began with a blank: inih continues the value before */
	struct list instances;
	struct instance *current;
	bool foreign;                   /* in a section that is not ours */
	const struct conf_option *last;
	struct arena *arena;
	int rc;
	unsigned rc_line;
	struct fault *why;
};

/* Texts of what was loaded, kept for as long as the process lives. */
static struct kept {
	struct kept *next;
	struct arena *arena;
} *kept;

const char *const conf_storage_sections[] = {
	"objectd", "device", "updater", "replicator", "auditor",
	"expirer", "reaper", "reconciler", "compute",
	"image", "server", "scheduler", "machine", "network", NULL,
};

void conf_add(struct conf_spec *spec, const struct conf_section *section)
{
	for (unsigned i = 0; i < spec->count; i++)
		if (spec->sections[i] == section)
			return;
	assert(spec->count < CONF_SECTIONS_MAX && section->name && section->into && section->size);
	spec->sections[spec->count++] = section;
}

/* Keeps the first reason. */
static int fail(struct reader *r, unsigned line, const char *fmt, ...) printf_like(3, 4);
static int fail(struct reader *r, unsigned line, const char *fmt, ...)
{
	struct fault text;
	va_list ap;

	if (r->rc < 0)
		return r->rc;
	va_start(ap, fmt);
	vsnprintf(text.text, sizeof text.text, fmt, ap);
	va_end(ap);
	r->rc_line = line;
	r->rc = line ? fault_set(r->why, -EINVAL, "%s:%u: %s", r->file, line, text.text) :
		       fault_set(r->why, -EINVAL, "%s: %s", r->file, text.text);
	return r->rc;
}

static unsigned option_count(const struct conf_section *s)
{
	unsigned n = 0;

	while (s->options[n].key)
		n++;
	return n;
}

static struct instance *instance_new(struct reader *r, const struct conf_section *s,
				     struct str name)
{
	struct instance *in = arena_zalloc(r->arena, sizeof *in);

	in->section = s;
	in->name = arena_str(r->arena, name);
	in->line = r->line;
	in->settings = arena_zalloc(r->arena, (option_count(s) + 1) * sizeof *in->settings);
	in->into = arena_zalloc(r->arena, s->size);
	list_append(&r->instances, &in->node);
	return in;
}

/* A misspelling is near: about a third of the letters differ, or two are swapped. */
static void consider(struct str typed, const char *known, unsigned *distance, const char **nearest)
{
	unsigned d = str_distance(typed, str_from(known));

	if (d < *distance && d <= MAX((unsigned)typed.n / 3, 1u) + 1) {
		*distance = d;
		*nearest = known;
	}
}

static const char *nearest_section(const struct conf_spec *spec, struct str typed, unsigned within)
{
	const char *nearest = NULL;
	unsigned distance = within + 1;

	for (unsigned i = 0; i < spec->count; i++)
		consider(typed, spec->sections[i]->name, &distance, &nearest);
	for (unsigned i = 0; spec->foreign && spec->foreign[i]; i++)
		consider(typed, spec->foreign[i], &distance, &nearest);
	return nearest;
}

static const struct conf_section *find_section(const struct conf_spec *spec, struct str base,
					       bool named)
{
	for (unsigned i = 0; i < spec->count; i++)
		if (str_eq(base, str_from(spec->sections[i]->name)) &&
		    spec->sections[i]->named == named)
			return spec->sections[i];
	return NULL;
}

static bool is_foreign(const struct conf_spec *spec, struct str base)
{
	for (unsigned i = 0; spec->foreign && spec->foreign[i]; i++)
		if (str_eq(base, str_from(spec->foreign[i])))
			return true;
	return spec->foreign_any && !nearest_section(spec, base, 1);
}

static void unknown_section(struct reader *r, struct str whole, struct str base, bool named)
{
	const struct conf_section *other = find_section(r->spec, base, !named);
	const char *nearest = nearest_section(r->spec, base, 255);

	if (other && named)
		fail(r, r->line, "[%.*s] takes no name: write [%s]", STR(whole), other->name);
	else if (other)
		fail(r, r->line, "[%.*s] needs a name: write [%s:NAME]", STR(whole), other->name);
	else if (nearest)
		fail(r, r->line, "unknown section [%.*s]; did you mean [%s]?", STR(whole), nearest);
	else
		fail(r, r->line, "unknown section [%.*s]", STR(whole));
}

static void enter_section(struct reader *r, struct str whole)
{
	struct str name = whole, base = str_cut(&name, ':');
	const struct conf_section *s = find_section(r->spec, base, name.p != NULL);

	r->current = NULL;
	r->last = NULL;
	r->foreign = !s && is_foreign(r->spec, base);
	if (r->foreign)
		return;
	if (!s || (s->named && str_trim(name).n == 0))
		return unknown_section(r, whole, base, name.p && name.n);
	name = str_trim(name);
	list_for(n, &r->instances) {
		struct instance *in = list_entry(n, struct instance, node);

		if (in->section == s && str_eq(in->name, name)) {
			fail(r, r->line, "section [%.*s] stands twice, first in line %u",
			     STR(whole), in->line);
			return;
		}
	}
	r->current = instance_new(r, s, name);
}

/* inih asks for a line (as fgets). Lines are counted and section names taken here: inih neither
 * tells its handler the line nor keeps more than 49 bytes of a name. */
static char *read_line(char *to, int size, void *stream)
{
	struct reader *r = stream;
	size_t n = 0;

	if (r->rest.n == 0 || r->rc < 0)
		return NULL;
	ssize_t end = str_chr(r->rest, '\n');

	n = end < 0 ? r->rest.n : (size_t)end + 1;
	r->line++;
	if (n >= (size_t)size) {
		fail(r, r->line, "the line is longer than %d bytes", CONF_LINE_MAX - 2);
		return NULL;
	}
	memcpy(to, r->rest.p, n);
	to[n] = 0;
	r->rest = str_skip(r->rest, n);
	r->indented = to[0] == ' ' || to[0] == '\t';
	if (to[0] == '[') {
		struct str inside = str_skip(str_of(to, n), 1);
		ssize_t close = str_chr(inside, ']');

		if (close >= 0)
			enter_section(r, str_trim(str_head(inside, (size_t)close)));
	}
	return to;
}

static const struct conf_option *find_option(const struct conf_section *s, struct str key)
{
	for (const struct conf_option *o = s->options; o->key; o++) {
		struct str known = str_from(o->key);

		if (o->type == CONF_PAIRS ? key.n > known.n && str_starts(key, known)
					  : str_eq(key, known))
			return o;
	}
	return NULL;
}

static void unknown_key(struct reader *r, struct str key)
{
	const struct conf_section *s = r->current->section;
	const char *nearest = NULL;
	unsigned distance = UINT_MAX;

	for (const struct conf_option *o = s->options; o->key; o++)
		consider(key, o->key, &distance, &nearest);
	if (nearest)
		fail(r, r->line, "unknown key \"%.*s\" in [%s]; did you mean \"%s\"?", STR(key),
		     s->name, nearest);
	else
		fail(r, r->line, "unknown key \"%.*s\" in [%s]", STR(key), s->name);
}

static void add_pair(struct reader *r, const struct conf_option *o, struct str key,
		     struct str value)
{
	struct conf_pairs *pairs = (void *)((char *)r->current->into + o->at);
	unsigned n = pairs->count;

	for (unsigned i = 0; i < n; i++)
		if (str_eq(pairs->items[i].key, key)) {
			fail(r, r->line, "%.*s is set twice, first in line %u", STR(key),
			     pairs->items[i].line);
			return;
		}
	struct conf_pair *items = (struct conf_pair *)pairs->items;

	if ((n & (n - 1)) == 0) {       /* a power of two: full */
		items = arena_alloc(r->arena, (size_t)MAX(2 * n, 1u) * sizeof *items);
		if (n)
			memcpy(items, pairs->items, n * sizeof *items);
	}
	items[n] = (struct conf_pair){ .key = arena_str(r->arena, key),
				       .value = arena_str(r->arena, value), .line = r->line };
	*pairs = (struct conf_pairs){ .items = items, .count = n + 1 };
}

static void continue_value(struct reader *r, struct str value)
{
	const struct conf_option *o = r->last;

	if (!o || o->type != CONF_LIST) {
		fail(r, r->line, "a line that begins with a blank continues the one before%s%s%s",
		     o ? ", but " : "", o ? o->key : "", o ? " is no list" : "");
		return;
	}
	struct setting *set = &r->current->settings[o - r->current->section->options];

	set->text = arena_printf(r->arena, "%.*s\n%.*s", STR(set->text), STR(value));
}

static int on_pair(void *user, const char *section, const char *key_text, const char *value_text)
{
	struct reader *r = user;
	struct str key = str_from(key_text), value = str_from(value_text);

	(void)section;
	if (r->rc < 0 || r->foreign)
		return 1;
	if (!r->current) {
		fail(r, r->line, "\"%.*s\" stands before any [section]", STR(key));
		return 0;
	}
	if (r->indented) {
		continue_value(r, value);
		return r->rc == 0;
	}
	const struct conf_option *o = r->last = find_option(r->current->section, key);

	if (!o) {
		unknown_key(r, key);
	} else if (o->type == CONF_PAIRS) {
		add_pair(r, o, key, value);
	} else {
		struct setting *set = &r->current->settings[o - r->current->section->options];

		if (set->line)
			fail(r, r->line, "%s is set twice, first in line %u", o->key, set->line);
		*set = (struct setting){ .text = arena_str(r->arena, value), .line = r->line };
	}
	return r->rc == 0;
}

static void read_text(struct reader *r, struct str text)
{
	if (text.n && memchr(text.p, 0, text.n)) {
		fail(r, 0, "this is no text file");
		return;
	}
	ini_max_line = CONF_LINE_MAX;
	ini_use_stack = false;
	ini_initial_alloc = CONF_LINE_MAX;
	r->rest = text;
	int line = ini_parse_stream(read_line, r, on_pair, r);

	if (line > 0 && (r->rc == 0 || (unsigned)line < r->rc_line)) {
		r->rc = 0;
		fail(r, (unsigned)line, "this is neither [section] nor key = value");
	}
}

/* Values into the struct of one section; an empty value stands for "none" or the default. */
static void fill(struct reader *r, struct instance *in)
{
	const struct conf_section *s = in->section;
	struct fault why;

	for (unsigned i = 0; s->options[i].key && r->rc == 0; i++) {
		const struct conf_option *o = &s->options[i];
		struct setting *set = &in->settings[i];

		if (o->type == CONF_PAIRS)
			continue;
		if (set->line && set->text.n) {
			if (conf_value_set(r->arena, o, set->text, in->into, &why) < 0)
				fail(r, set->line, "%s", why.text);
		} else if (o->text &&
			   !(set->line && (o->type == CONF_STR || o->type == CONF_LIST))) {
			if (conf_value_set(r->arena, o, str_from(o->text), in->into, &why) < 0)
				unreachable("the default of an option must be a good value");
		} else {
			conf_value_none(o, in->into);
			if (o->required)
				fail(r, in->line, "[%s] needs %s", s->name, o->key);
		}
	}
	if (s->named)
		*(struct str *)in->into = in->name;
	if (r->rc == 0 && s->check && s->check(in->into, &why) < 0)
		fail(r, in->line, "[%s%s%.*s]: %s", s->name, in->name.n ? ":" : "", STR(in->name),
		     why.text);
}

static void add_missing(struct reader *r)
{
	r->line = 0;
	for (unsigned i = 0; i < r->spec->count; i++) {
		bool found = r->spec->sections[i]->named;

		list_for(n, &r->instances)
			found |= list_entry(n, struct instance, node)->section ==
				 r->spec->sections[i];
		if (!found)
			instance_new(r, r->spec->sections[i], STR_NONE);
	}
}

static void commit_named(struct reader *r, const struct conf_section *s)
{
	struct conf_items all = { 0 };

	list_for(n, &r->instances)
		all.count += list_entry(n, struct instance, node)->section == s;
	all.items = arena_alloc(r->arena, (all.count + 1) * s->size);
	unsigned i = 0;

	list_for(n, &r->instances) {
		struct instance *in = list_entry(n, struct instance, node);

		if (in->section == s)
			memcpy((char *)all.items + i++ * s->size, in->into, s->size);
	}
	memcpy(s->into, &all, sizeof all);
}

static void commit(struct reader *r)
{
	list_for(n, &r->instances) {
		struct instance *in = list_entry(n, struct instance, node);

		if (!in->section->named)
			memcpy(in->section->into, in->into, in->section->size);
	}
	for (unsigned i = 0; i < r->spec->count; i++)
		if (r->spec->sections[i]->named)
			commit_named(r, r->spec->sections[i]);
	struct kept *k = xmalloc(sizeof *k);

	*k = (struct kept){ .next = kept, .arena = TAKE(r->arena) };
	kept = k;
}

int conf_parse(const struct conf_spec *spec, struct str text, const char *name, struct fault *why)
{
	AUTO(arena) arena = arena_new();
	struct reader r = { .spec = spec, .file = name, .arena = arena, .why = why };

	list_init(&r.instances);
	read_text(&r, text);
	add_missing(&r);
	list_for(n, &r.instances)
		if (r.rc == 0)
			fill(&r, list_entry(n, struct instance, node));
	if (r.rc < 0)
		return r.rc;
	commit(&r);
	arena = r.arena;
	return 0;
}

static int read_file(const char *path, struct buf *to, struct fault *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	ssize_t n = 0;

	if (fd < 0)
		return fault_set(why, -errno, "%s: %s", path, strerror(errno));
	do {
		char *room = buf_reserve(to, 64 * KIB);

		if (!room) {
			rc = fault_set(why, -EFBIG, "%s: the file is larger than %d bytes", path,
				       CONF_FILE_MAX - 64 * KIB);
			break;
		}
		n = read(fd, room, 64 * KIB);
		if (n < 0)
			rc = fault_set(why, -errno, "%s: %s", path, strerror(errno));
		else
			to->n += (size_t)n;
	} while (n > 0);
	close(fd);
	return rc;
}

int conf_load(const struct conf_spec *spec, const char *path, struct fault *why)
{
	CLEANUP(buf_done) struct buf text = BUF(CONF_FILE_MAX);

	if (path) {
		int rc = read_file(path, &text, why);

		if (rc < 0)
			return rc;
	}
	return conf_parse(spec, buf_str(&text), path ? path : "(defaults)", why);
}
