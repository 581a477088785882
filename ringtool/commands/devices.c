/* Names of devices on the command line. */
#include "ringtool/commands/devices.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <getopt.h>

const char *const dev_grammar =
	"The <search-value> can be of the form:\n"
	"    d<device_id>r<region>z<zone>-<ip>:<port>R<r_ip>:<r_port>/<device_name>_<meta>\n"
	"Any part is optional, but you must include at least one part. Examples:\n"
	"    d74              Matches the device id 74\n"
	"    r4               Matches devices in region 4\n"
	"    z1-1.2.3.4       Matches devices in zone 1 with the ip 1.2.3.4\n"
	"    :5678            Matches devices that use port 5678\n"
	"    R5.6.7.8         Matches devices that use replication ip 5.6.7.8\n"
	"    /sdb1            Matches devices with the device name sdb1\n"
	"    _shiny           Matches devices with shiny in the meta data\n"
	"    z1-[::1]:5678    Matches devices in zone 1 with ip ::1 and port 5678";

static bool is_hostname(struct str s)
{
	struct str rest = str_ends(s, S(".")) ? str_head(s, s.n - 1) : s, label;

	if (s.n == 0 || s.n > 255)
		return false;
	while ((label = str_cut(&rest, '.')).p) {
		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!isalnum((unsigned char)label.p[i]) && label.p[i] != '-')
				return false;
	}
	return true;
}

int dev_address_parse(struct str text, bool hosts, char to[RING_HOST_SIZE], struct fault *why)
{
	struct str s = text;
	bool brackets = str_starts(s, S("[")) && str_ends(s, S("]"));
	char name[RING_HOST_SIZE];
	unsigned char address[16];

	if (brackets)
		s = str_of(s.p + 1, s.n - 2);
	if (s.n >= sizeof name)
		return fault_set(why, -EINVAL, "Invalid address %.*s", STR(text));
	for (size_t i = 0; i < s.n; i++)
		name[i] = (char)tolower((unsigned char)s.p[i]);
	name[s.n] = 0;
	if (inet_pton(AF_INET6, name, address) == 1) {
		inet_ntop(AF_INET6, address, to, RING_HOST_SIZE);
		return 0;
	}
	if (inet_pton(AF_INET, name, address) != 1 &&
	    (brackets || !hosts || !is_hostname(str_from(name))))
		return fault_set(why, -EINVAL, "Invalid %s %.*s", hosts ? "address" : "ip",
				 STR(text));
	memcpy(to, name, s.n + 1);
	return 0;
}

/* The decimal number behind a letter, if the text goes on with that letter. */
static int number_cut(struct str *s, char letter, unsigned max, unsigned field, unsigned *set,
		      unsigned *ret, struct fault *why)
{
	size_t n = 1;
	uint64_t v;

	if (s->n == 0 || s->p[0] != letter)
		return 0;
	while (n < s->n && isdigit((unsigned char)s->p[n]))
		n++;
	if (str_to_u64(str_of(s->p + 1, n - 1), &v) < 0 || v > max)
		return fault_set(why, -EINVAL, "Invalid number behind '%c': %.*s", letter, STR(*s));
	*s = str_skip(*s, n);
	*set |= field;
	*ret = (unsigned)v;
	return 0;
}

/* An address at the beginning: digits and dots, or anything in brackets. */
static int address_cut(struct str *s, unsigned field, unsigned *set, char *to, struct fault *why)
{
	size_t n = 0;

	if (s->n > 0 && isdigit((unsigned char)s->p[0])) {
		while (n < s->n && (isdigit((unsigned char)s->p[n]) || s->p[n] == '.'))
			n++;
	} else if (s->n > 0 && s->p[0] == '[') {
		ssize_t end = str_chr(*s, ']');

		n = end < 0 ? s->n : (size_t)end + 1;
	}
	if (n == 0)
		return 0;
	*set |= field;
	int err = dev_address_parse(str_head(*s, n), false, to, why);
	*s = str_skip(*s, n);
	return err;
}

/* [ip][:port][R[ip][:port]][/device][_meta] */
static int tail_parse(struct str s, struct dev_fields *f, struct fault *why)
{
	int err = address_cut(&s, DEV_IP, &f->set, f->dev.ip, why);

	err = err ?: number_cut(&s, ':', 65535, DEV_PORT, &f->set, &f->dev.port, why);
	if (!err && str_starts(s, S("R"))) {
		s = str_skip(s, 1);
		err = address_cut(&s, DEV_REPLICATION_IP, &f->set, f->dev.replication_ip, why);
		err = err ?: number_cut(&s, ':', 65535, DEV_REPLICATION_PORT, &f->set,
					&f->dev.replication_port, why);
	}
	if (err)
		return err;
	if (str_starts(s, S("/"))) {
		ssize_t end = str_chr(s, '_');
		struct str name = str_skip(str_head(s, end < 0 ? s.n : (size_t)end), 1);

		if (name.n >= sizeof f->dev.device)
			return fault_set(why, -EINVAL, "Invalid device name: longer than %zu bytes",
					 sizeof f->dev.device - 1);
		memcpy(f->dev.device, name.p, name.n);
		f->dev.device[name.n] = 0;
		f->set |= DEV_DEVICE;
		s = str_skip(s, name.n + 1);
	}
	if (str_starts(s, S("_"))) {
		f->dev.meta = (char *)s.p + 1;
		f->set |= DEV_META;
		s = str_skip(s, s.n);
	}
	return s.n ? fault_set(why, -EINVAL, "unexpected %.*s", STR(s)) : 0;
}

int dev_search_parse(const char *text, struct dev_fields *ret, struct fault *why)
{
	struct dev_fields f = { 0 };
	struct str s = str_from(text);
	struct fault cause = { "" };
	unsigned id = 0;
	int err = number_cut(&s, 'd', RING_DEVICES_MAX, DEV_ID, &f.set, &id, &cause);

	err = err ?: number_cut(&s, 'r', INT32_MAX, DEV_REGION, &f.set, &f.dev.region, &cause);
	err = err ?: number_cut(&s, 'z', INT32_MAX, DEV_ZONE, &f.set, &f.dev.zone, &cause);
	f.dev.id = (int)id;
	if (str_starts(s, S("-")))
		s = str_skip(s, 1);
	err = err ?: tail_parse(s, &f, &cause);
	if (err)
		return fault_set(why, err, "Invalid <search-value>: '%s': %s", text, cause.text);
	*ret = f;
	return 0;
}

int dev_change_parse(const char *text, struct dev_fields *ret, struct fault *why)
{
	struct dev_fields f = { 0 };
	struct fault cause = { "" };

	if (tail_parse(str_from(text), &f, &cause) < 0 || !f.set)
		return fault_set(why, -EINVAL, "Invalid set info change value: '%s' %s", text,
				 cause.text);
	*ret = f;
	return 0;
}

/* ip:port up to the 'R' or '/' behind it; brackets may be missing around IPv6. */
static int endpoint_cut(struct str *s, char ip[RING_HOST_SIZE], unsigned *ret_port,
			struct fault *why)
{
	size_t n = 0;
	uint64_t port;

	while (n < s->n && s->p[n] != 'R' && s->p[n] != '/')
		n++;
	struct str address = str_head(*s, n);
	ssize_t colon = str_rchr(address, ':');
	if (colon < 0 || str_to_u64(str_skip(address, (size_t)colon + 1), &port) < 0 ||
	    port > 65535)
		return fault_set(why, -EINVAL, "Invalid port in add value");
	*s = str_skip(*s, n);
	*ret_port = (unsigned)port;
	return dev_address_parse(str_head(address, (size_t)colon), false, ip, why);
}

int dev_add_parse(const char *text, struct dev_fields *ret, struct fault *why)
{
	struct dev_fields f = { .dev.id = -1, .dev.region = 1 };
	struct str s = str_from(text);
	int err = number_cut(&s, 'r', INT32_MAX, DEV_REGION, &f.set, &f.dev.region, why);

	err = err ?: number_cut(&s, 'z', INT32_MAX, DEV_ZONE, &f.set, &f.dev.zone, why);
	if (err)
		return err;
	if (!(f.set & DEV_ZONE) || !str_starts(s, S("-")))
		return fault_set(why, -EINVAL, "Invalid add value: %s", text);
	s = str_skip(s, 1);
	err = endpoint_cut(&s, f.dev.ip, &f.dev.port, why);
	if (err)
		return err;
	if (str_starts(s, S("R"))) {
		s = str_skip(s, 1);
		err = endpoint_cut(&s, f.dev.replication_ip, &f.dev.replication_port, why);
	} else {
		memcpy(f.dev.replication_ip, f.dev.ip, sizeof f.dev.ip);
		f.dev.replication_port = f.dev.port;
	}
	if (!err && !str_starts(s, S("/")))
		return fault_set(why, -EINVAL, "Invalid add value: %s", text);
	err = err ?: tail_parse(s, &f, why);
	if (!err)
		*ret = f;
	return err;
}

static bool fits(const struct dev_fields *m, const struct ring_dev *d)
{
	return !(((m->set & DEV_ID) && d->id != m->dev.id) ||
		 ((m->set & DEV_REGION) && d->region != m->dev.region) ||
		 ((m->set & DEV_ZONE) && d->zone != m->dev.zone) ||
		 ((m->set & DEV_IP) && strcmp(d->ip, m->dev.ip)) ||
		 ((m->set & DEV_PORT) && d->port != m->dev.port) ||
		 ((m->set & DEV_REPLICATION_IP) &&
		  strcmp(d->replication_ip, m->dev.replication_ip)) ||
		 ((m->set & DEV_REPLICATION_PORT) &&
		  d->replication_port != m->dev.replication_port) ||
		 ((m->set & DEV_DEVICE) && strcmp(d->device, m->dev.device)) ||
		 ((m->set & DEV_WEIGHT) && d->weight != m->dev.weight) ||
		 ((m->set & DEV_META) && !strstr(d->meta, m->dev.meta ?: "")));
}

struct builder_dev **dev_search(const struct builder *b, const struct dev_fields *match,
				unsigned *ret_n)
{
	struct builder_dev **found = xcalloc(b->devs_n + 1, sizeof *found);
	unsigned n = 0;

	builder_for_dev(d, b)
		if (fits(match, &d->dev))
			found[n++] = d;
	*ret_n = n;
	return found;
}

enum { CHANGE = 0x100 };        /* an option that sets instead of searching */

static const struct option options[] = {
	{ "id", required_argument, NULL, 'u' },
	{ "region", required_argument, NULL, 'r' },
	{ "zone", required_argument, NULL, 'z' },
	{ "ip", required_argument, NULL, 'i' },
	{ "port", required_argument, NULL, 'p' },
	{ "replication-ip", required_argument, NULL, 'j' },
	{ "replication-port", required_argument, NULL, 'q' },
	{ "device", required_argument, NULL, 'd' },
	{ "weight", required_argument, NULL, 'w' },
	{ "meta", required_argument, NULL, 'm' },
	{ "change-ip", required_argument, NULL, 'I' },
	{ "change-port", required_argument, NULL, 'P' },
	{ "change-replication-ip", required_argument, NULL, 'J' },
	{ "change-replication-port", required_argument, NULL, 'Q' },
	{ "change-device", required_argument, NULL, 'D' },
	{ "change-meta", required_argument, NULL, 'M' },
	{ "yes", no_argument, NULL, 'y' },
	{ NULL, 0, NULL, 0 },
};

/* One option's value into the fields. */
static int field_set(struct dev_fields *f, int letter, const char *value, struct fault *why)
{
	int err = 0;
	unsigned id = 0;

	switch (letter) {
	case 'u':
		err = parse_unsigned(value, 0, RING_DEVICES_MAX, &id);
		f->dev.id = (int)id;
		f->set |= DEV_ID;
		break;
	case 'r':
		err = parse_unsigned(value, 0, INT32_MAX, &f->dev.region);
		f->set |= DEV_REGION;
		break;
	case 'z':
		err = parse_unsigned(value, 0, INT32_MAX, &f->dev.zone);
		f->set |= DEV_ZONE;
		break;
	case 'i':
		f->set |= DEV_IP;
		return dev_address_parse(str_from(value), true, f->dev.ip, why);
	case 'p':
		err = parse_unsigned(value, 0, 65535, &f->dev.port);
		f->set |= DEV_PORT;
		break;
	case 'j':
		f->set |= DEV_REPLICATION_IP;
		return dev_address_parse(str_from(value), true, f->dev.replication_ip, why);
	case 'q':
		err = parse_unsigned(value, 0, 65535, &f->dev.replication_port);
		f->set |= DEV_REPLICATION_PORT;
		break;
	case 'd':
		if (strlen(value) >= sizeof f->dev.device)
			return fault_set(why, -EINVAL, "Invalid device name: longer than %zu bytes",
					 sizeof f->dev.device - 1);
		memcpy(f->dev.device, value, strlen(value) + 1);
		f->set |= DEV_DEVICE;
		break;
	case 'w':
		err = parse_double(value, &f->dev.weight);
		f->set |= DEV_WEIGHT;
		break;
	default:
		f->dev.meta = (char *)value;
		f->set |= DEV_META;
	}
	return err ? fault_set(why, err, "option -%c: invalid value: '%s'", letter, value) : 0;
}

int dev_options_parse(struct session *s, struct dev_options *ret)
{
	static const char changes[] = "IPJQDM", plain[] = "ipjqdm";
	struct fault why;
	int letter;

	*ret = (struct dev_options){ 0 };
	optind = 0;
	while ((letter = getopt_long(s->argc, s->argv, "u:r:z:i:p:j:q:d:w:m:I:P:J:Q:D:M:y", options,
				     NULL)) != -1) {
		const char *change = letter == '?' ? NULL : strchr(changes, letter);

		if (letter == '?')
			return EXIT_ERROR;
		if (letter == 'y') {
			ret->yes = true;
			continue;
		}
		int err = change ? field_set(&ret->change, plain[change - changes], optarg, &why)
				 : field_set(&ret->match, letter, optarg, &why);
		if (err)
			return command_failed("%s", why.text);
	}
	ret->argc = s->argc - optind;
	ret->argv = s->argv + optind;
	return EXIT_GOOD;
}

int dev_search_args(struct session *s, const struct command *c, struct dev_options *o,
		    struct builder_dev ***ret, unsigned *ret_n)
{
	AUTO(free) all_room = NULL;
	struct fault why;
	unsigned n = 0;

	if (dev_options_parse(s, o) != EXIT_GOOD)
		return EXIT_ERROR;
	if (o->argc > 0 ? o->match.set != 0 : o->match.set == 0)
		return command_usage(c), printf("\n%s\n", dev_grammar), EXIT_ERROR;
	for (int i = 0; i < MAX(o->argc, 1); i++) {
		struct dev_fields match = o->match;
		unsigned found_n;

		if (o->argc > 0 && dev_search_parse(o->argv[i], &match, &why) < 0)
			return command_failed("%s", why.text);
		AUTO(free) found = dev_search(s->builder, &match, &found_n);
		all_room = xreallocarray(all_room, n + found_n + 1, sizeof(struct builder_dev *));
		memcpy((struct builder_dev **)all_room + n, found,
		       found_n * sizeof(struct builder_dev *));
		n += found_n;
	}
	*ret = TAKE(all_room);
	*ret_n = n;
	return EXIT_GOOD;
}

void dev_format(const struct ring_dev *d, struct buf *to)
{
	const char *open = strchr(d->ip, ':') ? "[" : "", *close = *open ? "]" : "";
	const char *open_r = strchr(d->replication_ip, ':') ? "[" : "",
		   *close_r = *open_r ? "]" : "";

	buf_addf(to, "d%dr%uz%u-%s%s%s:%uR%s%s%s:%u/%s_\"%s\"", d->id, d->region, d->zone, open,
		 d->ip, close, d->port, open_r, d->replication_ip, close_r, d->replication_port,
		 d->device, d->meta ?: "");
}

int dev_confirm(struct builder_dev **devs, unsigned n, const struct dev_options *o,
		const char *question, const char *abort_text)
{
	char answer[8] = "";

	if (n == 0)
		return command_failed(
			"Search value matched 0 devices.\nThe on-disk ring builder is unchanged.");
	if (n == 1)
		return EXIT_GOOD;
	printf("Matched more than one device:\n");
	for (unsigned i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf text = BUF(16 * KIB);

		dev_format(&devs[i]->dev, &text);
		printf("    %s\n", text.p);
	}
	if (o->yes)
		return EXIT_GOOD;
	printf("Are you sure you want to %s these %u devices? (y/N) ", question, n);
	fflush(stdout);
	if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "y\n") != 0)
		return command_failed("%s", abort_text);
	return EXIT_GOOD;
}

static int set_found(struct session *s, const struct dev_fields *match, const struct dev_options *o,
		     const char *what, const char *value,
		     int (*apply)(struct session *s, struct builder_dev *d, const char *value,
				  struct fault *why))
{
	char question[64];
	struct fault why;
	unsigned n;
	AUTO(free) room = dev_search(s->builder, match, &n);
	struct builder_dev **devs = room;

	snprintf(question, sizeof question, "update the %s for", what);
	if (dev_confirm(devs, n, o, question, "Aborting device modifications") != EXIT_GOOD)
		return EXIT_ERROR;
	for (unsigned i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf text = BUF(16 * KIB);

		if (apply(s, devs[i], value, &why) < 0)
			return command_failed("%s", why.text);
		dev_format(&devs[i]->dev, &text);
		printf("%s %s set to %s\n", text.p, what, value);
	}
	return EXIT_GOOD;
}

int dev_set_each(struct session *s, const struct command *c, const char *what,
		 int (*apply)(struct session *s, struct builder_dev *d, const char *value,
			      struct fault *why))
{
	struct dev_options o;
	struct dev_fields match;
	struct fault why;

	if (dev_options_parse(s, &o) != EXIT_GOOD)
		return EXIT_ERROR;
	if (o.match.set ? o.argc != 1 : o.argc == 0 || o.argc % 2 != 0)
		return command_usage(c), printf("\n%s\n", dev_grammar), EXIT_ERROR;
	if (o.match.set && set_found(s, &o.match, &o, what, o.argv[0], apply) != EXIT_GOOD)
		return EXIT_ERROR;
	for (int i = 0; !o.match.set && i < o.argc; i += 2) {
		if (dev_search_parse(o.argv[i], &match, &why) < 0)
			return command_failed("%s", why.text);
		if (set_found(s, &match, &o, what, o.argv[i + 1], apply) != EXIT_GOOD)
			return EXIT_ERROR;
	}
	return session_save(s);
}
