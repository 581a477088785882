/* lib/conf: what is read, what is refused and with which words. */
#include "lib/conf/conf.h"

#include <setjmp.h>
#include <cmocka.h>

struct web_conf {
	const char *ip, *cert;
	int64_t port, workers;
	bool verbose;
	uint64_t body_max, timeout;
	double ratio;
	struct conf_list methods;
	int order;
	struct conf_pairs users;
};

static const char *const orders[] = { "shuffle", "timing", NULL };
static const struct conf_option web_options[] = {
	OPT_STR(struct web_conf, ip, "127.0.0.1", "Address."),
	OPT_STR(struct web_conf, cert, NULL, "Certificate | key."),
	OPT_INT(struct web_conf, port, "8080", 1, 65535, "Port."),
	OPT_INT(struct web_conf, workers, "2", 1, 512, "Processes."),
	OPT_BOOL(struct web_conf, verbose, "no", "Says more."),
	OPT_SIZE(struct web_conf, body_max, "64KiB", 1, 5LL << 30, "Bytes."),
	OPT_DURATION(struct web_conf, timeout, "60s", 1, 3600000, "Patience."),
	OPT_DOUBLE(struct web_conf, ratio, "0.5", 0, 1, "Share."),
	OPT_LIST(struct web_conf, methods, "GET, HEAD", "Methods."),
	OPT_ENUM(struct web_conf, order, "shuffle", orders, "Order."),
	OPT_PAIRS(struct web_conf, users, "user_", "Users."),
	OPT_END,
};

struct policy_conf {
	struct str name;
	const char *label;
	bool is_default;
};

static const struct conf_option policy_options[] = {
	{ .key = "name", .type = CONF_STR, .at = CONF_AT(struct policy_conf, label, const char *),
	  .help = "Name.", .required = true },
	{ .key = "default", .type = CONF_BOOL, .at = CONF_AT(struct policy_conf, is_default, bool),
	  .text = "no", .help = "Default." },
	OPT_END,
};

static int check_web(void *section, struct fault *why)
{
	const struct web_conf *c = section;

	return c->port == 13 ? fault_set(why, -EINVAL, "port 13 brings bad luck") : 0;
}

static struct web_conf web;
static struct conf_items policies;
static const struct conf_section web_section = { .name = "web", .help = "The front.",
						 .options = web_options, .into = &web,
						 .size = sizeof web, .check = check_web };
static const struct conf_section policy_section = { .name = "storage-policy",
						    .options = policy_options,
						    .into = &policies,
						    .named = true,
						    .common = true,
						    .size = sizeof(struct policy_conf) };
static const char *const others[] = { "objectd", "auditor", NULL };

static int parse(const char *text, struct fault *why)
{
	struct conf_spec spec = { .foreign = others };

	conf_add(&spec, &web_section);
	conf_add(&spec, &policy_section);
	conf_add(&spec, &web_section);          /* once is enough */
	assert_int_equal(spec.count, 2);
	return conf_parse(&spec, str_from(text), "n.conf", why);
}

static void good(const char *text)
{
	struct fault why = { "" };

	if (parse(text, &why) < 0)
		fail_msg("%s", why.text);
}

static void refused(const char *text, const char *reason)
{
	struct fault why = { "" };

	assert_int_equal(parse(text, &why), -EINVAL);
	assert_string_equal(why.text, reason);
}

static void defaults(void **state)
{
	(void)state;
	good("");
	assert_string_equal(web.ip, "127.0.0.1");
	assert_null(web.cert);
	assert_int_equal(web.port, 8080);
	assert_int_equal(web.body_max, 65536);
	assert_int_equal(web.timeout, 60000);
	assert_false(web.verbose);
	assert_int_equal(web.methods.count, 2);
	assert_string_equal(web.methods.items[1].p, "HEAD");
	assert_int_equal(web.users.count, 0);
	assert_int_equal(policies.count, 0);
}

static void values(void **state)
{
	(void)state;
	good("# a comment\n[web]\nip = ::1 ; why\ncert = a b.pem\nport=1\nverbose = Yes\n"
	     "body_max = 5 GiB\ntimeout = 1.5\nratio = 1\nmethods = PUT\n\tPOST,  DELETE\n"
	     "order = TIMING\nuser_a_b = key .admin\nuser_c_d=x\nuser_e_f = y\n"
	     "[storage-policy:0]\nname = gold\ndefault = on\n[storage-policy:7]\r\nname = "
	     "silver\r\n"
	     "[objectd]\nanything = goes\n[auditor:x]\nhere = too\n");
	assert_string_equal(web.ip, "::1");
	assert_string_equal(web.cert, "a b.pem");
	assert_int_equal(web.port, 1);
	assert_true(web.verbose);
	assert_int_equal(web.body_max, 5 * GIB);
	assert_int_equal(web.timeout, 1500);
	assert_true(web.ratio == 1);
	assert_int_equal(web.methods.count, 3);
	assert_string_equal(web.methods.items[2].p, "DELETE");
	assert_int_equal(web.order, 1);
	assert_int_equal(web.users.count, 3);
	assert_string_equal(web.users.items[0].key.p, "user_a_b");
	assert_string_equal(web.users.items[0].value.p, "key .admin");
	assert_int_equal(web.users.items[2].line, 15);
	assert_int_equal(policies.count, 2);
	const struct policy_conf *p = policies.items;

	assert_string_equal(p[1].name.p, "7");
	assert_string_equal(p[1].label, "silver");
	assert_true(p[0].is_default && !p[1].is_default);
}

static void misspelt(void **state)
{
	(void)state;
	refused("[web]\nwokers = 2\n",
		"n.conf:2: unknown key \"wokers\" in [web]; did you mean \"workers\"?");
	refused("[web]\nquantum = 2\n", "n.conf:2: unknown key \"quantum\" in [web]");
	refused("\n[wbe]\n", "n.conf:2: unknown section [wbe]; did you mean [web]?");
	refused("[objectdd]\n", "n.conf:1: unknown section [objectdd]; did you mean [objectd]?");
	refused("[something]\n", "n.conf:1: unknown section [something]");
	refused("[storage-policy]\n",
		"n.conf:1: [storage-policy] needs a name: write [storage-policy:NAME]");
	refused("[web:1]\n", "n.conf:1: [web:1] takes no name: write [web]");
}

static void bad_values(void **state)
{
	(void)state;
	refused("[web]\nport = 0\n", "n.conf:2: port = 0 is out of range: 1 to 65535");
	refused("[web]\nport = many\n",
		"n.conf:2: bad value \"many\" for port: a whole number is wanted");
	refused("[web]\nbody_max = 64 kb\n",
		"n.conf:2: bad unit in body_max = 64 kb: use B, KiB, MiB, "
		"GiB, TiB (1024s) or k, M, G, T (1000s)");
	refused("[web]\nbody_max = 6GiB\n",
		"n.conf:2: body_max = 6GiB is out of range: 1 B to 5 GiB");
	refused("[web]\ntimeout = 5min\n",
		"n.conf:2: bad unit in timeout = 5min: use ms, s, m, h or d");
	refused("[web]\ntimeout = 2h\n", "n.conf:2: timeout = 2h is out of range: 1 ms to 1 h");
	refused("[web]\nverbose = maybe\n",
		"n.conf:2: bad value \"maybe\" for verbose: yes or no is wanted");
	refused("[web]\norder = size\n",
		"n.conf:2: bad value \"size\" for order: shuffle or timing is wanted");
	refused("[web]\nratio = 2\n", "n.conf:2: ratio = 2 is out of range: 0 to 1");
	refused("[web]\nport = 13\n", "n.conf:1: [web]: port 13 brings bad luck");
	refused("[storage-policy:1]\ndefault = no\n", "n.conf:1: [storage-policy] needs name");
}

static void bad_shape(void **state)
{
	(void)state;
	refused("port = 1\n", "n.conf:1: \"port\" stands before any [section]");
	refused("[web]\nport\n", "n.conf:2: this is neither [section] nor key = value");
	refused("[web\nport = 1\n", "n.conf:1: this is neither [section] nor key = value");
	refused("[web]\nport = 1\n  ip = 2\n", "n.conf:3: a line that begins with a blank "
					       "continues the one before, but port is no list");
	refused("[web]\nport = 1\nport = 2\n", "n.conf:3: port is set twice, first in line 2");
	refused("[web]\nuser_a = 1\nuser_a = 2\n",
		"n.conf:3: user_a is set twice, first in line 2");
	refused("[web]\n[web]\n", "n.conf:2: section [web] stands twice, first in line 1");
	struct conf_spec spec = { .count = 0 };
	struct fault why;

	assert_int_equal(conf_parse(&spec, S("[a]\0"), "n.conf", &why), -EINVAL);
	assert_string_equal(why.text, "n.conf: this is no text file");
}

static void long_lines(void **state)
{
	char *text = xmalloc(2 * CONF_LINE_MAX);
	struct fault why;

	(void)state;
	memset(text, 'x', 2 * CONF_LINE_MAX);
	memcpy(text, "[web]\nip = ", 11);
	text[40000] = 0;
	good(text);
	assert_int_equal(strlen(web.ip), 40000 - 11);
	text[40000] = 'x';
	text[2 * CONF_LINE_MAX - 1] = 0;
	assert_int_equal(parse(text, &why), -EINVAL);
	assert_string_equal(why.text, "n.conf:2: the line is longer than 65534 bytes");
	free(text);
}

static void all_or_nothing(void **state)
{
	struct fault why;

	(void)state;
	good("[web]\nport = 77\nip = 10.0.0.1\n[storage-policy:3]\nname = x\n");
	assert_int_equal(parse("[web]\nport = 78\nip = 10.0.0.2\nworkers = 0\n", &why), -EINVAL);
	assert_int_equal(web.port, 77);
	assert_string_equal(web.ip, "10.0.0.1");
	assert_int_equal(policies.count, 1);
	const char *before = web.ip;

	good("[web]\nip = 10.0.0.3\n");
	assert_string_equal(before, "10.0.0.1");
	assert_int_equal(web.port, 8080);
	assert_int_equal(policies.count, 0);
}

static void foreign_any(void **state)
{
	struct conf_spec spec = { .foreign_any = true };
	struct fault why;

	(void)state;
	conf_add(&spec, &web_section);
	assert_int_equal(conf_parse(&spec, S("[tempurl]\na = b\n"), "n", &why), 0);
	assert_int_equal(conf_parse(&spec, S("[wep]\na = b\n"), "n", &why), -EINVAL);
	assert_string_equal(why.text, "n:1: unknown section [wep]; did you mean [web]?");
}

static void files(void **state)
{
	struct conf_spec spec = { .count = 0 };
	struct fault why;

	(void)state;
	assert_int_equal(conf_load(&spec, "/nonexistent/n.conf", &why), -ENOENT);
	assert_string_equal(why.text, "/nonexistent/n.conf: No such file or directory");
	assert_int_equal(conf_load(&spec, "/", &why), -EISDIR);
	assert_int_equal(conf_load(&spec, NULL, &why), 0);
	assert_int_equal(conf_load(&spec, "/dev/zero", &why), -EFBIG);
}

static void units(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(conf_size_parse(S("4k"), &v), 0);
	assert_int_equal(v, 4000);
	assert_int_equal(conf_size_parse(S("1.5 MiB"), &v), 0);
	assert_int_equal(v, 1572864);
	assert_int_equal(conf_size_parse(S("1e3"), &v), -EINVAL);
	assert_int_equal(conf_size_parse(S("-1"), &v), -EINVAL);
	assert_int_equal(conf_size_parse(S(""), &v), -EINVAL);
	assert_int_equal(conf_size_parse(S("99999999999T"), &v), -ERANGE);
	assert_int_equal(conf_duration_parse(S("0.5"), &v), 0);
	assert_int_equal(v, 500);
	assert_int_equal(conf_duration_parse(S("2d"), &v), 0);
	assert_int_equal(v, 172800000);
}

static void reference(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF(64 * KIB);
	struct conf_spec spec = { .count = 0 };

	(void)state;
	conf_add(&spec, &web_section);
	conf_add(&spec, &policy_section);
	conf_reference(&spec, false, &text);
	assert_non_null(strstr(
		text.p, "\n## [web]\n\nThe front.\n\n| key | value | default | meaning |\n"));
	assert_non_null(strstr(text.p, "| `port` | number, 1 to 65535 | `8080` | Port. |\n"));
	assert_non_null(strstr(text.p, "| `body_max` | size, 1 B to 5 GiB | `64KiB` | Bytes. |\n"));
	assert_non_null(strstr(text.p, "| `cert` | text | | Certificate \\| key. |\n"));
	assert_non_null(
		strstr(text.p, "| `order` | one of shuffle or timing | `shuffle` | Order. |\n"));
	assert_non_null(strstr(text.p, "| `user_…` | text | | Users. |\n"));
	assert_null(strstr(text.p, "storage-policy"));
	conf_reference(&spec, true, &text);
	assert_non_null(strstr(text.p, "## [storage-policy:…]"));
	assert_non_null(strstr(text.p, "| `name` | text | must be given | Name. |\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),       cmocka_unit_test(values),
		cmocka_unit_test(misspelt),       cmocka_unit_test(bad_values),
		cmocka_unit_test(bad_shape),      cmocka_unit_test(long_lines),
		cmocka_unit_test(all_or_nothing), cmocka_unit_test(foreign_any),
		cmocka_unit_test(files),          cmocka_unit_test(units),
		cmocka_unit_test(reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
