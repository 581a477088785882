/* What all parts of the load generator share: where the server is, how hard to press it, and the
 * bodies that are sent and expected. One process presses one server from one thread. */
#pragma once
#include "lib/base/base.h"

#include <sys/socket.h>

struct load {
	/* As told on the command line. */
	const char *host, *user, *key, *label, *prefix;
	const char *plain;       /* no login and no MD5 ETags: a path that stands for the account */
	const char *idle_path;   /* what an idle connection asks for once */
	const char *digest;      /* of temporary URLs: sha1, sha256, sha512 */
	const char *given_token; /* to send instead of the one that the login gave, or NULL */
	int port, conns, prep_conns;
	double seconds, warm_s, timeout_s;
	long requests;           /* stop after this many; 0: by the clock */
	long set_size, list_objects;
	bool quiet;
	/* Found out. */
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char token[2048], account[1024], run_id[24];
};

/* Prints to stderr and ends the process with status 2. */
__attribute__((noreturn)) void die(const char *fmt, ...) printf_like(1, 2);
/* Prints to stderr unless the user wants quiet. */
void note(const struct load *l, const char *fmt, ...) printf_like(2, 3);
uint64_t now_us(void);

/* Bodies: 1 MiB of pseudo-random bytes, repeated, beginning at one of BODY_VARIANTS places that
 * follows from the object's number; so a body that belongs to another object is noticed, and
 * comparing costs a memcmp. Bodies of BODY_BIG bytes and more are all variant 0. */
enum { BODY_VARIANTS = 64, BODY_BIG = 16 * MIB };
void body_init(void);
unsigned body_variant(long number, uint64_t size);
/* The bytes from offset on, as far as they lie in one piece; the caller cuts at the size. */
struct str body_at(unsigned variant, uint64_t offset);
bool body_matches(unsigned variant, uint64_t offset, struct str s);
/* Lower-case hex MD5 of the whole body; computed once per size and variant. */
const char *body_etag(unsigned variant, uint64_t size);
