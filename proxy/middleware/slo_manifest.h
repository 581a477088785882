/* Manifests of static large objects: as a client sends them, as they are stored, and compact in
 * memory. Nothing here waits. Swift: parse_and_validate_input and get_or_head_response in
 * common/middleware/slo.py */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "proxy/middleware/slo_pack.h"

/* Manifests that contain manifests, at most so deep. */
enum { SLO_DEPTH_MAX = 10 };

/* Some bytes of an object, or bytes that stand in the manifest. */
struct slo_segment {
	struct str name; /* "/container/object"; absent for data */
	struct str hash; /* its ETag; absent for data */
	struct str data; /* raw bytes; absent for objects */
	uint64_t bytes; /* of the whole object */
	uint64_t first, length; /* what of it is the segment */
	bool ranged; /* "range" stands in the manifest */
	bool sub_slo; /* the object is a manifest itself */
};

/* In its own arena. */
struct slo_manifest {
	struct arena *arena;
	struct slo_segment *v;
	unsigned n;
};
void slo_manifest_free(struct slo_manifest *m);
DEFINE_AUTO(slo_manifest, struct slo_manifest *, slo_manifest_free);

/* Reads a stored manifest: 0 or -EBADMSG. */
must_check int slo_manifest_parse(struct str json, struct slo_manifest **ret);
/* Bytes of the whole; -EOVERFLOW when that is no sensible number. */
must_check int slo_manifest_size(const struct slo_manifest *m, uint64_t *ret);
/* What a client would have sent for it (?format=raw): Python's json.dumps(sort_keys=True). */
void slo_manifest_raw(const struct slo_manifest *m, struct buf *to);

/* A walk over the segments that make the bytes first..first+length-1 of a manifest. */
struct slo_walk {
	const struct slo_manifest *m;
	unsigned at;
	uint64_t skip; /* bytes to pass over, counted from segment `at` */
	uint64_t left; /* bytes still to be made */
};
/* The next segment and which bytes of its object are wanted: 1; 0 at the end; -EIO when the
 * manifest ends before the bytes do. */
must_check int slo_walk_next(struct slo_walk *w, const struct slo_segment **ret,
			     uint64_t *ret_first, uint64_t *ret_length);

/* ---- a stored manifest, a piece at a time ---- */

/* Gives one entry after another of a text that comes in pieces. */
struct slo_reader {
	struct buf text;                /* of an entry that is not complete */
	struct arena *scratch;          /* of the last segment, where there is no other arena */
	uint64_t offset;                /* of what was not taken yet, in the whole text */
	unsigned depth;
	bool quoted, escaped, begun, ended;
};
/* To read from this offset on: the text's begin, or the end of an entry. */
void slo_reader_init(struct slo_reader *r, uint64_t offset);
void slo_reader_done(struct slo_reader *r);
/* Takes bytes from the front: 1 with a segment; 0 when more bytes are needed, or r->ended; or
 * -EBADMSG. Its texts are in the arena, or with NULL valid until the next call and as long as what
 * bytes pointed to. */
must_check int slo_reader_next(struct slo_reader *r, struct str *bytes, struct arena *a,
			       struct slo_segment *ret);

/* Adds up segments: how many, their bytes, the ETag of all, and where one of them is. */
struct slo_sum {
	struct digest *md5;
	uint64_t n, size;
	uint64_t part;                  /* whose place is wanted, counted from 1; 0: none */
	uint64_t part_first, part_length;
};
void slo_sum_init(struct slo_sum *sum, uint64_t part);
void slo_sum_done(struct slo_sum *sum);
/* 0, or -EOVERFLOW when that is no sensible number. */
must_check int slo_sum_add(struct slo_sum *sum, const struct slo_segment *s);
/* As hex with a NUL (33 bytes); once. */
void slo_sum_etag(struct slo_sum *sum, char *text);

/* ---- what a client sends ---- */

/* Reads and checks a client's manifest as its bytes come in. What is wrong is known at its end. */
struct slo_inputs {
	struct slo_pack pack;           /* of its entries: path or data, etag, range ("bytes=…",
					 * well-formed, one), size as promised */
	unsigned n, objects;            /* entries, and those with a path */
	/* slo_input.c's own: */
	uint64_t objects_max;
	struct str self;
	struct buf text, errors;
	unsigned data, depth, braces, commas;
	enum { SLO_INPUT_BEFORE, SLO_INPUT_LIST, SLO_INPUT_AFTER, SLO_INPUT_OTHER,
	       SLO_INPUT_BAD } state;
	bool quoted, escaped, last;
};
/* self is the "container/object" that it is for, and outlives it. Of more than objects_max objects,
 * or with errors, entries are counted but not kept. */
void slo_inputs_init(struct slo_inputs *in, struct str self, uint64_t objects_max);
void slo_inputs_done(struct slo_inputs *in);
void slo_inputs_feed(struct slo_inputs *in, struct str bytes);
/* The end of it: 0, or with the text of the 400 (in the arena) -EINVAL or, when it is no JSON list,
 * -EBADMSG. */
must_check int slo_inputs_end(struct slo_inputs *in, struct arena *a, struct str *ret_errors);
