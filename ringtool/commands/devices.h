/* How commands name devices: swift-ring-builder's search grammar and its options.
 * Swift: common/ring/utils.py (parse_search_value, parse_add_value, parse_args). */
#pragma once
#include "ringtool/commands/command.h"

enum dev_field {
	DEV_ID = 1,
	DEV_REGION = 2,
	DEV_ZONE = 4,
	DEV_IP = 8,
	DEV_PORT = 16,
	DEV_REPLICATION_IP = 32,
	DEV_REPLICATION_PORT = 64,
	DEV_DEVICE = 128,
	DEV_WEIGHT = 256,
	DEV_META = 512,
};

/* Some fields of a device: to look for, or to set. meta is borrowed. */
struct dev_fields {
	unsigned set;                   /* of enum dev_field */
	struct ring_dev dev;
};

/* The options of a command, and what is left when they are taken away. */
struct dev_options {
	struct dev_fields match, change;
	bool yes;
	int argc;
	char **argv;
};

extern const char *const dev_grammar;

/* Parses options; EXIT_GOOD, or EXIT_ERROR after saying why. */
int dev_options_parse(struct session *s, struct dev_options *ret);
/* "d1r2z3-1.2.3.4:6200R5.6.7.8:6200/sdb1_meta": any part, in that order. */
int dev_search_parse(const char *text, struct dev_fields *ret, struct fault *why) must_check;
/* The same without d, r and z: what set_info changes. */
int dev_change_parse(const char *text, struct dev_fields *ret, struct fault *why) must_check;
/* "r1z1-127.0.0.1:6200[R127.0.0.1:6300]/sda[_meta]". */
int dev_add_parse(const char *text, struct dev_fields *ret, struct fault *why) must_check;
/* An address or host name in its one spelling. */
int dev_address_parse(struct str text, bool hosts, char to[RING_HOST_SIZE],
		      struct fault *why) must_check;

/* The devices that fit: an array that the caller frees, and its length. */
struct builder_dev **dev_search(const struct builder *b, const struct dev_fields *match,
				unsigned *ret_n);
/* The devices that the arguments or options of a command name together, each as often as it fits;
 * EXIT_ERROR after saying why. */
int dev_search_args(struct session *s, const struct command *c, struct dev_options *o,
		    struct builder_dev ***ret, unsigned *ret_n);
/* Refuses none, asks the person at the terminal about several. */
int dev_confirm(struct builder_dev **devs, unsigned n, const struct dev_options *o,
		const char *question, const char *abort_text);
/* d0r1z1-127.0.0.1:6200R127.0.0.1:6200/sda_"meta" */
void dev_format(const struct ring_dev *d, struct buf *to);
/* For set_weight, set_region, set_zone: their arguments are pairs of a search and a value, or
 * options and one value. apply returns 0, or an error with its reason. */
int dev_set_each(struct session *s, const struct command *c, const char *what,
		 int (*apply)(struct session *s, struct builder_dev *d, const char *value,
			      struct fault *why));
