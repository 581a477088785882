/* The configuration reference in Markdown, from the same tables that read the file. */
#include "lib/conf/internal.h"

static const char *const kinds[] = {
	[CONF_STR] = "text",      [CONF_BOOL] = "yes or no", [CONF_INT] = "number",
	[CONF_DOUBLE] = "number", [CONF_SIZE] = "size",      [CONF_DURATION] = "duration",
	[CONF_LIST] = "list",     [CONF_ENUM] = "one of",    [CONF_PAIRS] = "text",
};

/* "|" would end the cell. */
static void add_cell(struct buf *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_add_char(to, '\\');
		buf_add_char(to, *text);
	}
}

static void add_option(const struct conf_option *o, struct buf *to)
{
	CLEANUP(buf_done) struct buf range = BUF(4096);
	bool ranged = o->type == CONF_INT || o->type == CONF_DOUBLE || o->type == CONF_SIZE ||
		      o->type == CONF_DURATION;

	buf_addf(to, "| `%s%s` | %s", o->key, o->type == CONF_PAIRS ? "…" : "", kinds[o->type]);
	if (ranged || o->type == CONF_ENUM) {
		conf_value_range(o, &range);
		buf_addf(to, "%s%s", ranged ? ", " : " ", range.p);
	}
	if (o->required)
		buf_add_lit(to, " | must be given | ");
	else if (o->text && *o->text)
		buf_addf(to, " | `%s` | ", o->text);
	else
		buf_add_lit(to, " | | ");
	add_cell(to, o->help);
	buf_add_lit(to, " |\n");
}

void conf_reference(const struct conf_spec *spec, bool with_common, struct buf *to)
{
	for (unsigned i = 0; i < spec->count; i++) {
		const struct conf_section *s = spec->sections[i];

		if (s->common && !with_common)
			continue;
		buf_addf(to, "\n## [%s%s]\n\n", s->name, s->named ? ":…" : "");
		if (s->help)
			buf_addf(to, "%s\n\n", s->help);
		if (!s->options[0].key)
			continue;
		buf_add_lit(to, "| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
		for (const struct conf_option *o = s->options; o->key; o++)
			add_option(o, to);
	}
}
