/* Rows and infos of databases as another server may send them: what is accepted is canonical,
 * merges with itself to itself, and can be looked at. */
#include "objectd/db/info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_value(enum db_kind kind, struct str value)
{
	CLEANUP(buf_done) struct buf merged = BUF(2 * ROW_VALUE_MAX);
	unsigned char digest[16] = { 0 };

	if (row_value_check(kind, value) < 0)
		return;
	row_value_merge(kind, value, value, &merged);
	assert(str_eq(buf_str(&merged), value));
	AUTO(db_info) info = db_info_new(kind);

	db_info_create(info, S("a"), kind == DB_CONTAINER ? S("c") : S(""), timestamp_of_us(1), 0);
	(void)row_value_live(kind, value);
	(void)row_value_newest(kind, value);
	row_value_digest(kind, S("name"), value, digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf type = BUF(64 * MIB), again = BUF(64 * MIB);
	struct str bytes = str_of((const char *)data, size), swift_bytes, same;
	AUTO(db_info) info = NULL;

	if (size == 0)
		return 0;
	if (db_info_decode(bytes, &info) == 0)
		db_info_encode(&again, info);
	buf_clear(&again);
	row_split_content_type(bytes, &type, &swift_bytes);
	row_split_content_type(buf_str(&type), &again, &same);
	assert(str_eq(buf_str(&type), buf_str(&again)) && !same.p);
	try_value(bytes.p[0] & 1 ? DB_CONTAINER : DB_ACCOUNT, str_skip(bytes, 1));
	return 0;
}
