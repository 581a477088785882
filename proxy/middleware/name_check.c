/* Names that the operator forbids: characters, length, a regular expression.
 * Swift: common/middleware/name_check.py */
#include "lib/base/encode.h"
#include "proxy/middleware/kinds.h"

#include <jansson.h>
#include <regex.h>

struct name_check_conf {
	const char *forbidden_chars, *forbidden_regexp;
	int64_t maximum_length;
};

static struct name_check_conf conf;
static regex_t compiled;
static const struct conf_option options[] = {
	OPT_STR(struct name_check_conf, forbidden_chars, "'\"`<>",
		"Characters that no path may contain."),
	OPT_INT(struct name_check_conf, maximum_length, "255", 1, 65536,
		"Longest path, in decoded bytes."),
	OPT_STR(struct name_check_conf, forbidden_regexp, "/\\./|/\\.\\./|/\\.$|/\\.\\.$",
		"Extended regular expression that no path may match; empty: none."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "name_check",
	.help = "Names that the operator forbids.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

static bool matches_regexp(struct request *req, struct str path)
{
	return conf.forbidden_regexp && *conf.forbidden_regexp &&
	       regexec(&compiled, arena_cstr(req->arena, path), 0, NULL, 0) == 0;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	struct str path = percent_decode(req->arena, req->path);

	for (const char *c = conf.forbidden_chars ? conf.forbidden_chars : ""; *c; c++)
		if (str_chr(path, *c) >= 0) {
			respond_text(
				res, 400,
				"Object/Container/Account name contains forbidden chars from %s",
				conf.forbidden_chars);
			return;
		}
	if (path.n > (size_t)conf.maximum_length) {
		respond_text(
			res, 400,
			"Object/Container/Account name longer than the allowed maximum %" PRId64,
			conf.maximum_length);
	} else if (matches_regexp(req, path)) {
		respond_text(
			res, 400,
			"Object/Container/Account name contains a forbidden substring from regular "
			"expression %s",
			conf.forbidden_regexp);
	} else {
		middleware_next(mw, req, res);
	}
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *info = json_object();

	(void)mw;
	if (conf.forbidden_regexp && *conf.forbidden_regexp) {
		int rc = regcomp(&compiled, conf.forbidden_regexp, REG_EXTENDED | REG_NOSUB);
		char text[128];

		if (rc != 0) {
			regerror(rc, &compiled, text, sizeof text);
			json_decref(info);
			return fault_set(why, -EINVAL, "[name_check] forbidden_regexp: %s", text);
		}
	}
	json_object_set_new(info, "forbidden_chars",
			    json_string(conf.forbidden_chars ? conf.forbidden_chars : ""));
	json_object_set_new(info, "maximum_length", json_integer(conf.maximum_length));
	json_object_set_new(info, "forbidden_regexp",
			    json_string(conf.forbidden_regexp ? conf.forbidden_regexp : ""));
	json_object_set_new(proxy->info, "name_check", info);
	return 0;
}

const struct middleware_kind middleware_name_check = {
	.name = "name_check",
	.section = &section,
	.start = start,
	.handle = handle,
	.optional = true,
};
