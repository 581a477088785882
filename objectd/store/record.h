/* The record: what volumes are made of. Pure functions from bytes to fields and back; nothing here
 * reads or writes files. docs/store-format.md has the picture. */
#pragma once
#include "lib/base/base.h"
#include "lib/swift/timestamp.h"

enum record_kind {
	RECORD_DATA = 1, /* an object: metadata and all its bytes */
	RECORD_LARGE, /* an object whose bytes are in large/; aux[0] is the file's id */
	RECORD_META, /* a POST's metadata; aux is the timestamp of the data it is for */
	RECORD_TOMBSTONE,
	RECORD_ROWS, /* puts and deletes of rows only */
	RECORD_FORGET, /* the object up to that timestamp is not ours any more */
	RECORD_DAMAGED, /* the same, because its bytes were quarantined */
	RECORD_KINDS
};

enum {
	RECORD_ALIGN = 8,
	RECORD_FIXED = 64,              /* bytes of the part every record has */
	RECORD_BLOCK = 64 * KIB,        /* data bytes under one CRC */
	RECORD_HEAD_MAX = 17 * MIB,
	RECORD_NAME_MAX = 8 * KIB,
	RECORD_META_MAX = MIB,
	RECORD_ROWS_MAX = 16 * MIB,
	RECORD_DATA_MAX = 16 * MIB,
	VOLUME_HEADER = 64,
};

struct record {
	enum record_kind kind;
	uint16_t policy;
	uint64_t at;                    /* where in the volume */
	uint64_t batch, batch_at;       /* which commit wrote it, and where that begins */
	struct timestamp ts;
	uint64_t size;                  /* of the object */
	int64_t delete_at;
	uint64_t aux[2];
	unsigned char hash[16];
	struct str name, meta, rows;
	const unsigned char *crcs;      /* four bytes for each block of data */
	uint32_t data_len;              /* bytes of data in this record */
	uint32_t head_len, len;         /* both a multiple of RECORD_ALIGN */
};

static inline size_t record_blocks(uint64_t data_len)
{
	return (size_t)((data_len + RECORD_BLOCK - 1) / RECORD_BLOCK);
}

/* Fills in head_len and len from the other fields. */
void record_measure(struct record *r);
/* Writes head_len bytes: everything but place, batch and CRC. r->crcs may be NULL: computed from
 * data. */
void record_write(const struct record *r, const void *data, char *head);
/* The last step, when r->at, batch and batch_at are known. salt is the volume's. */
void record_seal(char *head, const struct record *r, uint32_t salt);

/* Reads the fixed part (n >= RECORD_FIXED) and fills in the lengths only: 0, or -EBADMSG when no
 * record begins here. Nothing is verified. */
must_check int record_measure_bytes(const void *p, size_t n, struct record *ret);
/* Verifies and reads the head of a record that should stand at offset at. n bytes are there: 0,
 * -ENODATA (head_len bytes are needed: ret->head_len), or -EBADMSG. Views point into p. */
must_check int record_parse(const void *p, size_t n, uint32_t salt, uint64_t at,
			    struct record *ret);
/* Whether the bytes of block number i are what was written. */
bool record_block_ok(const unsigned char *crcs, size_t i, const void *p, size_t n);

/* The rows of a record: one change after the other. 1 with a change (value absent: delete), 0 at
 * the end, -EBADMSG. *rest moves on. */
must_check int rows_next(struct str *rest, struct str *ret_key, struct str *ret_value);
/* Bytes that one change takes, and writing it. */
size_t rows_change_size(struct str key, struct str value);
char *rows_change_write(char *to, struct str key, struct str value);

/* The first bytes of every volume. */
struct volume_header {
	uint32_t id, salt;
	unsigned char store[16];
};
void volume_header_write(const struct volume_header *h, char to[VOLUME_HEADER]);
/* 0, -EBADMSG, or -EPROTONOSUPPORT for a newer format. */
must_check int volume_header_parse(const char from[VOLUME_HEADER], struct volume_header *ret);

/* Little-endian numbers. */
static inline void put_u16(void *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void put_u32(void *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void put_u64(void *p, uint64_t v) { memcpy(p, &v, sizeof v); }
static inline uint16_t get_u16(const void *p) { uint16_t v; memcpy(&v, p, sizeof v); return v; }
static inline uint32_t get_u32(const void *p) { uint32_t v; memcpy(&v, p, sizeof v); return v; }
static inline uint64_t get_u64(const void *p) { uint64_t v; memcpy(&v, p, sizeof v); return v; }
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

/* Numbers in one to ten bytes, seven bits each, lowest first. */
enum { VARINT_MAX = 10 };
size_t varint_size(uint64_t v);
char *varint_write(char *to, uint64_t v);
/* Cuts one off *rest: 0 or -EBADMSG. */
must_check int varint_read(struct str *rest, uint64_t *ret);
