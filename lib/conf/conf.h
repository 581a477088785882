/* The configuration: one file for all programs, read with inih against tables that also print
 * the reference (docs/operate/configuration.md). Each room describes its section as data:
 *
 *	struct slo_conf { int64_t max_manifest_segments; uint64_t max_manifest_size; };
 *	static struct slo_conf slo_conf;
 *	static const struct conf_option slo_options[] = {
 *		OPT_INT(struct slo_conf, max_manifest_segments, "1000", 1, 9999, "Segments of …"),
 *		OPT_SIZE(struct slo_conf, max_manifest_size, "8MiB", 1, 1 << 30, "…"),
 *		OPT_END,
 *	};
 *	const struct conf_section slo_section = { .name = "slo", .help = "…",
 *		.options = slo_options, .into = &slo_conf, .size = sizeof slo_conf };
 *
 * and hands it to conf_add(). conf_load() sets every field: from the file or from the default.
 * It is all or nothing: after an error all structs are as they were. Texts live as long as the
 * process (a reload keeps the old ones), so requests that are under way may go on using them. */
#pragma once
#include "lib/base/base.h"
#include "lib/base/buf.h"
#include "lib/base/fault.h"

enum conf_type {
	CONF_STR,               /* const char *; NULL when absent */
	CONF_BOOL,              /* bool: true 1 yes on t y / false 0 no off f n */
	CONF_INT,               /* int64_t within min..max */
	CONF_DOUBLE,            /* double within min..max */
	CONF_SIZE,              /* uint64_t bytes: B KiB MiB GiB TiB, or k M G T (1000s) */
	CONF_DURATION,          /* uint64_t milliseconds: ms s m h d; bare: seconds */
	CONF_LIST,              /* struct conf_list: comma- or blank-separated words */
	CONF_ENUM,              /* int: index in names */
	CONF_PAIRS,             /* struct conf_pairs: all keys that begin with this one */
};

struct conf_list {
	const struct str *items;        /* each is also NUL-terminated */
	unsigned count;
};

struct conf_pair {
	struct str key, value;          /* the whole key; each is also NUL-terminated */
	unsigned line;
};

struct conf_pairs {
	const struct conf_pair *items;
	unsigned count;
};

struct conf_option {
	const char *key;
	enum conf_type type;
	size_t at;                      /* offset of the field */
	const char *text;               /* default as it would stand in a file; NULL: none */
	const char *help;               /* one or more sentences */
	int64_t min, max;               /* as counted in the field's unit */
	const char *const *names;       /* CONF_ENUM: ended by NULL */
	bool required;
	bool secret;                    /* never printed */
};

/* The offset of a member, checked to be of the type that the option writes. */
#define CONF_AT(T, m, ctype)                                                                      \
	(offsetof(T, m) +                                                                         \
	 0 * sizeof(char[1 - 2 * !__builtin_types_compatible_p(__typeof__(((T *)0)->m), ctype)]))

/* The key is the member's name. T: struct; m: member; text: default; about: help. */
#define OPT_STR(T, m, def, about)                                                            \
	{ .key = #m, .type = CONF_STR, .at = CONF_AT(T, m, const char *), .text = def,       \
	  .help = about }
#define OPT_BOOL(T, m, def, about) \
	{ .key = #m, .type = CONF_BOOL, .at = CONF_AT(T, m, bool), .text = def, .help = about }
#define OPT_INT(T, m, def, lo, hi, about)                                                   \
	{ .key = #m, .type = CONF_INT, .at = CONF_AT(T, m, int64_t), .text = def, .min = lo, \
	  .max = hi, .help = about }
#define OPT_DOUBLE(T, m, def, lo, hi, about)                                                  \
	{ .key = #m, .type = CONF_DOUBLE, .at = CONF_AT(T, m, double), .text = def, .min = lo, \
	  .max = hi, .help = about }
#define OPT_SIZE(T, m, def, lo, hi, about)                                                    \
	{ .key = #m, .type = CONF_SIZE, .at = CONF_AT(T, m, uint64_t), .text = def, .min = lo, \
	  .max = hi, .help = about }
/* lo and hi in milliseconds. */
#define OPT_DURATION(T, m, def, lo, hi, about)                                                    \
	{ .key = #m, .type = CONF_DURATION, .at = CONF_AT(T, m, uint64_t), .text = def, .min = lo, \
	  .max = hi, .help = about }
#define OPT_LIST(T, m, def, about)                                                         \
	{ .key = #m, .type = CONF_LIST, .at = CONF_AT(T, m, struct conf_list), .text = def, \
	  .help = about }
#define OPT_ENUM(T, m, def, words, about)                                                        \
	{ .key = #m, .type = CONF_ENUM, .at = CONF_AT(T, m, int), .text = def, .names = (words), \
	  .help = about }
/* prefix: what the keys begin with, such as "user_". */
#define OPT_PAIRS(T, m, prefix, about) \
	{ .key = prefix, .type = CONF_PAIRS, .at = CONF_AT(T, m, struct conf_pairs), .help = about }
#define OPT_END { .key = NULL }

/* What a section of which there may be several is read into: [storage-policy:0],
 * [storage-policy:1]. Each item is a struct of the section's size whose first member is `struct
 * str name` (what stands behind the colon). */
struct conf_items {
	void *items;
	unsigned count;
};

struct conf_section {
	const char *name;
	const char *help;
	const struct conf_option *options;      /* ended by OPT_END */
	void *into;                     /* the struct; with `named` a struct conf_items */
	size_t size;                    /* of the struct */
	bool named;                     /* [name:…], any number of them */
	bool common;                    /* read by several programs; described once */
	/* Looks at a section that was read (defaults filled in), before anything is committed:
	 * 0, or negative with the reason. May be NULL. */
	int (*check)(void *section, struct fault *why);
};

enum { CONF_SECTIONS_MAX = 96, CONF_FILE_MAX = 4 * MIB, CONF_LINE_MAX = 64 * KIB };

/* What a program reads. Zero it, add sections, load. */
struct conf_spec {
	const struct conf_section *sections[CONF_SECTIONS_MAX];
	unsigned count;
	/* Names of sections that belong to other programs and are passed over, ended by NULL; a
	 * name "x" covers [x] and [x:…]. */
	const char *const *foreign;
	bool foreign_any;               /* any section that is not a misspelt one of ours is */
};

/* The sections that belong to the storage server and to compute, for `foreign` of the proxy. The
 * proxy knows all others, so it is the one that notices a section that nobody reads. */
extern const char *const conf_storage_sections[];

void conf_add(struct conf_spec *spec, const struct conf_section *section);
/* Reads the file into the sections' structs: 0; -ENOENT, -EACCES …, or -EINVAL with a reason
 * such as
 *   /etc/needletail.conf:12: unknown key "wokers" in [proxy]; did you mean "workers"?
 * A path of NULL sets the defaults. Blocks on the disk. */
int conf_load(const struct conf_spec *spec, const char *path, struct fault *why) must_check;
/* The same from memory; name stands for the file in reasons. */
int conf_parse(const struct conf_spec *spec, struct str text, const char *name,
	       struct fault *why) must_check;
/* The reference in Markdown, from the tables. with_common: also the sections that are `common`. */
void conf_reference(const struct conf_spec *spec, bool with_common, struct buf *to);

/* Values as options read them: 0, or -EINVAL / -ERANGE. */
int conf_size_parse(struct str s, uint64_t *ret_bytes);
int conf_duration_parse(struct str s, uint64_t *ret_ms);
