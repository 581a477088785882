/* load: presses a server that speaks the Swift API over HTTP/1.1, checks every answer, and prints
 * one line of JSON per workload. Needs nothing of the server but the protocol, so it measures peers
 * too. */
#include "tests/bench/load/load.h"

#include "lib/base/clock.h"
#include "tests/bench/load/simple.h"
#include "tests/bench/load/workload.h"

#include <getopt.h>
#include <netdb.h>
#include <unistd.h>

static const char usage_text[] =
"usage: load [option …] workload …\n"
"workloads:\n"
"  putSIZE[xN]  PUT of new names; SIZE: 4k 64k 1m 1g …; N connections (16m and more: 1)\n"
"  getSIZE[xN]  GET of random members of a set that is made first\n"
"  head mixed   HEAD; 60 % GET, 20 % PUT, 10 % HEAD, 10 % DELETE; of 4 KiB objects\n"
"  delete       DELETE of 4 KiB objects made first, each once\n"
"  list         1,000 names of a container of --list-objects, a random page, as text\n"
"  listjson     the same as JSON\n"
"  tempurl      GET of 4 KiB objects by temporary URLs\n"
"  getpublic    GET of the same objects without a token; anybody may read them from then on\n"
"  login        v1 authentication\n"
"  idle mute    connections (-c) that ask once and hold still (-d) / say nothing\n"
"  md5          no server: the MD5 speed of one core\n"
"  clean        deletes what all of these made\n"
"options:\n"
"  -H host  -p port  -u user  -k key    127.0.0.1 8080 test:tester testing\n"
"  -c N     connections (32)            -d S   seconds (10)\n"
"  -w S     warm-up seconds (0)         -n N   stop after N requests instead\n"
"  -s N     objects in a set (1000)     -C text  containers begin with this (load)\n"
"  -l text  label of the lines          -q     no notes on stderr\n"
"  --list-objects N (10000)  --prep-conns N (16)  --timeout S (60)\n"
"  --plain PATH   no login, no ETags: PATH stands for the account (a WebDAV server)\n"
"  --idle-path PATH (/healthcheck)  --digest sha1|sha256|sha512 (sha256)\n"
"  --token T      this token instead of the one of v1 authentication\n"
"Every status, length, ETag and body is checked; the exit status is 1 if anything was wrong.\n";

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "load: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(2);
}

void note(const struct load *l, const char *fmt, ...)
{
	va_list ap;

	if (l->quiet)
		return;
	va_start(ap, fmt);
	fprintf(stderr, "load: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
}

uint64_t now_us(void)
{
	return clock_mono_ns() / 1000;
}

static long number(const char *text, long least)
{
	uint64_t v;

	if (str_to_u64(str_from(text), &v) < 0 || v > INT32_MAX || (long)v < least)
		die("bad number: %s", text);
	return (long)v;
}

static double duration(const char *text)
{
	double v;

	if (str_to_double(str_from(text), &v) < 0 || v < 0 || v > 1e6)
		die("bad number of seconds: %s", text);
	return v;
}

enum { LONG_LIST_OBJECTS = 256, LONG_PREP_CONNS, LONG_TIMEOUT, LONG_PLAIN, LONG_IDLE_PATH,
       LONG_DIGEST, LONG_TOKEN };

static const struct option long_options[] = {
	{ "list-objects", required_argument, NULL, LONG_LIST_OBJECTS },
	{ "prep-conns", required_argument, NULL, LONG_PREP_CONNS },
	{ "timeout", required_argument, NULL, LONG_TIMEOUT },
	{ "plain", required_argument, NULL, LONG_PLAIN },
	{ "idle-path", required_argument, NULL, LONG_IDLE_PATH },
	{ "digest", required_argument, NULL, LONG_DIGEST },
	{ "token", required_argument, NULL, LONG_TOKEN },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void option_take(struct load *l, int option, const char *value)
{
	switch (option) {
	case 'H': l->host = value; break;
	case 'p': l->port = (int)number(value, 1); break;
	case 'u': l->user = value; break;
	case 'k': l->key = value; break;
	case 'c': l->conns = (int)number(value, 1); break;
	case 'd': l->seconds = duration(value); break;
	case 'w': l->warm_s = duration(value); break;
	case 'n': l->requests = number(value, 1); break;
	case 's': l->set_size = number(value, 1); break;
	case 'C': l->prefix = value; break;
	case 'l': l->label = value; break;
	case 'q': l->quiet = true; break;
	case LONG_LIST_OBJECTS: l->list_objects = number(value, 1); break;
	case LONG_PREP_CONNS: l->prep_conns = (int)number(value, 1); break;
	case LONG_TIMEOUT: l->timeout_s = duration(value); break;
	case LONG_PLAIN: l->plain = value; break;
	case LONG_IDLE_PATH: l->idle_path = value; break;
	case LONG_DIGEST: l->digest = value; break;
	case LONG_TOKEN: l->given_token = value; break;
	case 'h': fputs(usage_text, stdout); exit(0);
	default: fputs(usage_text, stderr); exit(2);
	}
}

static void resolve(struct load *l)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char port[16];

	snprintf(port, sizeof(port), "%d", l->port);
	if (getaddrinfo(l->host, port, &hints, &found) != 0)
		die("cannot resolve %s", l->host);
	memcpy(&l->addr, found->ai_addr, found->ai_addrlen);
	l->addr_len = found->ai_addrlen;
	freeaddrinfo(found);
}

static bool needs_login(const char *workload)
{
	return strcmp(workload, "md5") != 0 && strcmp(workload, "idle") != 0 &&
	       strcmp(workload, "mute") != 0;
}

int main(int argc, char **argv)
{
	struct load l = {
		.host = "127.0.0.1", .port = 8080, .user = "test:tester", .key = "testing",
		.label = "", .prefix = "load", .idle_path = "/healthcheck", .digest = "sha256",
		.conns = 32, .prep_conns = 16, .seconds = 10, .timeout_s = 60, .set_size = 1000,
		.list_objects = 10000,
	};
	uint64_t errors = 0;
	int option;

	while ((option = getopt_long(argc, argv, "H:p:u:k:c:d:w:n:s:C:l:qh", long_options,
				     NULL)) != -1)
		option_take(&l, option, optarg);
	if (optind == argc)
		die("no workload given (-h for help)");
	snprintf(l.run_id, sizeof(l.run_id), "%" PRIx64 "%x", (uint64_t)clock_wall_s(),
		 (unsigned)getpid() & 0xffff);
	resolve(&l);
	body_init();
	for (int i = optind; i < argc; i++) {
		if (l.plain)
			snprintf(l.account, sizeof(l.account), "%s", l.plain);
		else if (!l.token[0] && needs_login(argv[i]))
			simple_login(&l);
		errors += workload_run(&l, argv[i]);
	}
	return errors != 0;
}
