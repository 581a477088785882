/* dispersion: where replicas of a partition are closer together than they need be. */
#include "ringtool/builder/measure.h"
#include "ringtool/commands/command.h"

#include <getopt.h>
#include <regex.h>

struct report {
	const struct builder *b;
	const struct measure *m;
	regex_t filter;
	bool filtered, verbose;
	double worst;
	char worst_name[RING_HOST_SIZE + RING_DEVICE_SIZE + 32];
};

/* Python's pattern, matched from the beginning, as a POSIX one. */
static int filter_compile(const char *text, regex_t *ret)
{
	CLEANUP(buf_done) struct buf posix = BUF(4096);

	buf_add_lit(&posix, "^(");
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1] == 'd')
			buf_add_lit(&posix, "[0-9]");
		else if (*p == '\\' && p[1] == 'w')
			buf_add_lit(&posix, "[A-Za-z0-9_]");
		else if (*p == '\\' && (p[1] == '-' || p[1] == '/'))
			buf_add_char(&posix, p[1]);
		else if (*p == '\\' && p[1])
			buf_add(&posix, p, 2);
		else
			buf_add_char(&posix, *p);
		p += *p == '\\' && p[1];
	}
	buf_add_char(&posix, ')');
	return buf_failed(&posix) || regcomp(ret, posix.p, REG_EXTENDED | REG_NOSUB) ? -EINVAL : 0;
}

static void node_report(struct report *r, uint32_t node)
{
	const uint64_t *counts = r->m->counts + (size_t)node * r->m->columns;
	unsigned max = plan_spread_max(r->m->plan, node);
	CLEANUP(buf_done) struct buf name = BUF(sizeof r->worst_name - 1);
	uint64_t placed = 0, at_risk = 0;

	for (unsigned i = 1; i < r->m->columns; i++) {
		placed += counts[i] * i;
		at_risk += i > max ? counts[i] * (i - max) : 0;
	}
	plan_name(r->m->plan, r->b, node, &name);
	if (!placed || (r->filtered && regexec(&r->filter, name.p, 0, NULL, 0) != 0))
		return;
	double share = 100.0 * (double)at_risk / (double)placed;
	if (share > r->worst) {
		r->worst = share;
		memcpy(r->worst_name, name.p, name.n + 1);
	}
	if (!r->verbose)
		return;
	printf("%-30s %7" PRIu64 " %6.02f %6u", name.p, placed, share, max);
	for (unsigned i = 0; i < r->m->columns; i++)
		printf(" %7" PRIu64, counts[i]);
	printf("\n");
}

/* Each tier before what is in it. The tree is five deep. */
static void tree_report(struct report *r, uint32_t node)
{
	const struct plan_node *n = &r->m->plan->nodes[node];

	if (node)
		node_report(r, node);
	for (uint32_t i = 0; i < n->child_n; i++)
		tree_report(r, n->child_first + i);
}

static void table_head(const struct report *r)
{
	static const char dashes[] = "------------------------------------------------------------";
	int width = 54 + 8 * (int)r->m->columns;

	for (int line = 0; line < 2; line++) {
		for (int left = width; left > 0; left -= 60)
			printf("%.*s", left, dashes);
		printf("\n");
		if (line == 0) {
			printf("%-30s %7s %6s %6s", "Tier", "Parts", "%", "Max");
			for (unsigned i = 0; i < r->m->columns; i++)
				printf(" %7u", i);
			printf("\n");
		}
	}
}

static int spread_report(struct session *s, struct report *r)
{
	AUTO(plan) plan = NULL;
	struct fault why;

	printf("Dispersion is %.06f, Balance is %.06f, Overload is %0.2f%%\n",
	       builder_dispersion(s->builder), builder_balance(s->builder),
	       s->builder->overload * 100);
	if (plan_new(s->builder, &plan, &why) < 0)
		printf("Required overload is unknown: %s\n", why.text);
	else
		printf("Required overload is %.6f%%\n", plan->overload_needed * 100);
	/* The worst tier is said before the table, so the tree is walked twice. */
	bool verbose = r->verbose;
	r->verbose = false;
	tree_report(r, 0);
	r->verbose = verbose;
	if (r->worst > 0)
		printf("Worst tier is %.06f (%s)\n", r->worst, r->worst_name);
	if (verbose) {
		table_head(r);
		tree_report(r, 0);
	}
	return r->worst > 0 ? EXIT_WARNING : EXIT_GOOD;
}

static int run(struct session *s)
{
	static const struct option options[] = {
		{ "recalculate", no_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct report r = { .b = s->builder };
	int letter;

	optind = 0;
	while ((letter = getopt_long(s->argc, s->argv, "v", options, NULL)) != -1) {
		if (letter == '?')
			return command_usage(&command_dispersion);
		r.verbose = r.verbose || letter == 'v';
	}
	if (!s->builder->cells)
		return command_failed("Specified builder file \"%s\" is not rebalanced yet. Please "
				      "rebalance first.",
				      s->builder_path);
	if (optind < s->argc && filter_compile(s->argv[optind], &r.filter) < 0)
		return command_failed("'%s' is not a regular expression", s->argv[optind]);
	r.filtered = optind < s->argc;
	CLEANUP(measure_done) struct measure m = measure_spread(s->builder);
	r.m = &m;
	int code = spread_report(s, &r);
	if (r.filtered)
		regfree(&r.filter);
	return code;
}

const struct command command_dispersion = {
	"dispersion",
	COMMAND_BUILDER,
	run,
	"ringtool <builder_file> dispersion [<search_filter>] [--verbose] [--recalculate]\n"
	"    Reports how well replicas are kept apart; --verbose shows every tier whose name the "
	"regular\n"
	"    expression fits, for instance \"r\\d+z\\d+$\". Columns: cells in the tier, share of "
	"them that\n"
	"    are too many, most replicas a partition should have there, and how many partitions "
	"have 0, 1,\n"
	"    2, … there. Always computed anew (--recalculate is understood and changes nothing).",
};
