/* Configuration files: any text is read or refused with a reason, and nothing changes
 * when refused. */
#include "lib/conf/conf.h"

struct conf {
	const char *text;
	int64_t number;
	bool flag;
	uint64_t size, duration;
	double ratio;
	struct conf_list list;
	int kind;
	struct conf_pairs pairs;
};

struct item {
	struct str name;
	int64_t number;
};

static const char *const kinds[] = { "one", "two", NULL };
static const struct conf_option options[] = {
	OPT_STR(struct conf, text, "x", ""),
	OPT_INT(struct conf, number, "5", -10, 10, ""),
	OPT_BOOL(struct conf, flag, "no", ""),
	OPT_SIZE(struct conf, size, "1MiB", 0, 1LL << 40, ""),
	OPT_DURATION(struct conf, duration, "1s", 0, 86400000, ""),
	OPT_DOUBLE(struct conf, ratio, "0.5", 0, 1, ""),
	OPT_LIST(struct conf, list, "a b", ""),
	OPT_ENUM(struct conf, kind, "one", kinds, ""),
	OPT_PAIRS(struct conf, pairs, "user_", ""),
	OPT_END,
};
static const struct conf_option item_options[] = {
	OPT_INT(struct item, number, "5", -10, 10, ""),
	OPT_END,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf conf;
	static struct conf_items items;
	static const struct conf_section section = { .name = "a", .options = options, .into = &conf,
						     .size = sizeof conf };
	static const struct conf_section named = { .name = "b",
						   .options = item_options,
						   .into = &items,
						   .size = sizeof(struct item),
						   .named = true };
	static const char *const foreign[] = { "c", NULL };
	struct conf_spec spec = { .foreign = foreign };
	struct conf before = conf;
	struct fault why = { "" };

	if (size > 16 * KIB)
		return 0;
	conf_add(&spec, &section);
	conf_add(&spec, &named);
	if (conf_parse(&spec, str_of((const char *)data, size), "f", &why) < 0) {
		assert(memcmp(&conf, &before, sizeof conf) == 0 && why.text[0]);
		return 0;
	}
	assert(conf.number >= -10 && conf.number <= 10 && conf.ratio >= 0 && conf.ratio <= 1);
	for (unsigned i = 0; i < conf.list.count; i++)
		assert(conf.list.items[i].n == strlen(conf.list.items[i].p));
	return 0;
}
