/* Recognizes disk images: qcow2, vmdk, vhd, vhdx, vdi, iso, else raw.
 * QEMU: docs/interop/qcow2.txt, block/{vmdk,vpc,vdi}.c; ECMA-119 for iso. */
#include "compute/image/inspect.h"

void inspect_init(struct inspect *in)
{
	*in = (struct inspect){ .head = NULL };
}

void inspect_done(struct inspect *in)
{
	free(in->head);
	in->head = NULL;
}

void inspect_add(struct inspect *in, struct str bytes)
{
	size_t n = MIN(bytes.n, (size_t)INSPECT_HEAD - in->head_n);

	if (!in->head && bytes.n)
		in->head = xmalloc(INSPECT_HEAD);
	if (n)
		memcpy(in->head + in->head_n, bytes.p, n);
	in->head_n += n;
	in->size += bytes.n;
	if (bytes.n >= INSPECT_TAIL) {
		memcpy(in->tail, bytes.p + bytes.n - INSPECT_TAIL, INSPECT_TAIL);
	} else if (bytes.n) {
		memmove(in->tail, in->tail + bytes.n, INSPECT_TAIL - bytes.n);
		memcpy(in->tail + INSPECT_TAIL - bytes.n, bytes.p, bytes.n);
	}
}

/* ---- numbers at a place, 0 behind the end ---- */

static uint64_t number(const unsigned char *p, unsigned bytes, bool big)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[big ? i : bytes - 1 - i];
	return v;
}

static uint64_t big(const struct inspect *in, size_t at, unsigned bytes)
{
	return at + bytes <= in->head_n ? number(in->head + at, bytes, true) : 0;
}

static uint64_t little(const struct inspect *in, size_t at, unsigned bytes)
{
	return at + bytes <= in->head_n ? number(in->head + at, bytes, false) : 0;
}

static bool has(const struct inspect *in, size_t at, struct str magic)
{
	return at + magic.n <= in->head_n && memcmp(in->head + at, magic.p, magic.n) == 0;
}

static int64_t size_or_unknown(uint64_t v)
{
	return v <= (uint64_t)INT64_MAX ? (int64_t)v : -1;
}

/* ---- qcow2 ---- */

enum {
	QCOW2_DIRTY = 1, QCOW2_CORRUPT = 2, QCOW2_DATA_FILE = 4, QCOW2_COMPRESSION = 8,
	QCOW2_EXTENDED_L2 = 16,
	QCOW2_KNOWN = QCOW2_DIRTY | QCOW2_COMPRESSION | QCOW2_EXTENDED_L2,
	QCOW2_RAW_EXTERNAL = 2,         /* autoclear */
	QCOW2_V2_HEADER = 72, QCOW2_V3_HEADER = 104,
};

static int qcow2_extensions(const struct inspect *in, size_t at, size_t end, struct fault *why)
{
	enum { EXT_END = 0, EXT_BACKING = 0xE2792ACA, EXT_DATA_FILE = 0x44415441 };

	while (at + 8 <= end) {
		uint64_t type = big(in, at, 4), n = big(in, at + 4, 4);

		if (type == EXT_END)
			return 0;
		if (type == (uint32_t)EXT_BACKING)
			return fault_set(why, -EPERM, "qcow2 image has a backing file");
		if (type == EXT_DATA_FILE)
			return fault_set(why, -EPERM, "qcow2 image has an external data file");
		if (n > end)
			return fault_set(why, -EPERM, "qcow2 header extension is too long");
		at += 8 + (n + 7) / 8 * 8;
	}
	return 0;
}

static int qcow2_features(const struct inspect *in, size_t *ret_header, struct fault *why)
{
	uint64_t incompatible = big(in, 72, 8), autoclear = big(in, 88, 8);

	if (in->head_n < QCOW2_V3_HEADER)
		return fault_set(why, -EPERM, "qcow2 header is cut off");
	if (incompatible & QCOW2_DATA_FILE || autoclear & QCOW2_RAW_EXTERNAL)
		return fault_set(why, -EPERM, "qcow2 image has an external data file");
	if (incompatible & ~(uint64_t)QCOW2_KNOWN)
		return fault_set(why, -EPERM, "qcow2 image has unknown features or is corrupt");
	*ret_header = big(in, 100, 4);
	return 0;
}

static int qcow2(const struct inspect *in, struct inspect_result *ret, struct fault *why)
{
	uint64_t version = big(in, 4, 4), cluster_bits = big(in, 20, 4), size = big(in, 24, 8);
	size_t header = QCOW2_V2_HEADER;
	int rc = 0;

	if (in->head_n < QCOW2_V2_HEADER)
		return fault_set(why, -EPERM, "qcow2 header is cut off");
	if (version != 2 && version != 3)
		return fault_set(why, -EPERM, "qcow image is of version %" PRIu64, version);
	if (big(in, 8, 8) != 0 || big(in, 16, 4) != 0)
		return fault_set(why, -EPERM, "qcow2 image has a backing file");
	if (cluster_bits < 9 || cluster_bits > 21 || size > INT64_MAX)
		return fault_set(why, -EPERM, "qcow2 header makes no sense");
	if (version == 3)
		rc = qcow2_features(in, &header, why);
	if (rc < 0)
		return rc;
	if (header < QCOW2_V2_HEADER || header > 1ULL << cluster_bits)
		return fault_set(why, -EPERM, "qcow2 header makes no sense");
	rc = qcow2_extensions(in, header, MIN(in->head_n, (size_t)1 << cluster_bits), why);
	if (rc == 0)
		*ret = (struct inspect_result){ "qcow2", (int64_t)size };
	return rc;
}

/* ---- vmdk ---- */

/* The value behind key= of a line of the descriptor, without quotes; absent when there is none. */
static struct str descriptor_value(struct str text, struct str key)
{
	struct str line;

	while ((line = str_cut(&text, '\n')).p) {
		struct str value = str_trim(line), name = str_trim(str_cut(&value, '='));

		if (!value.p || !str_ieq(name, key))
			continue;
		value = str_trim(value);
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = str_of(value.p + 1, value.n - 2);
		return value;
	}
	return STR_NONE;
}

static int vmdk_sparse(const struct inspect *in, struct inspect_result *ret, struct fault *why)
{
	enum { SECTOR = 512, SECTORS_MAX = 1 << 30 };
	uint64_t capacity = little(in, 12, 8), at = little(in, 28, 8), n = little(in, 36, 8);

	if (at == 0 || n == 0)
		return fault_set(why, -EPERM, "vmdk image has no descriptor");
	if (at > SECTORS_MAX || n > SECTORS_MAX || (at + n) * SECTOR > INSPECT_HEAD)
		return fault_set(why, -EPERM, "vmdk descriptor is not at the beginning");
	if (in->head_n < (at + n) * SECTOR)
		return fault_set(why, -EPERM, "vmdk descriptor is cut off");
	struct str text = str_of((const char *)in->head + at * SECTOR, n * SECTOR);
	const char *end = memchr(text.p, 0, text.n);

	if (end)
		text.n = (size_t)(end - text.p);
	struct str type = descriptor_value(text, S("createType"));
	struct str parent = descriptor_value(text, S("parentCID"));

	if (!str_eq(type, S("monolithicSparse")) && !str_eq(type, S("streamOptimized")))
		return fault_set(why, -EPERM, "vmdk image is of type \"%.*s\"", STR(type));
	if ((parent.p && !str_ieq(parent, S("ffffffff"))) ||
	    descriptor_value(text, S("parentFileNameHint")).p)
		return fault_set(why, -EPERM, "vmdk image has a parent");
	*ret = (struct inspect_result){
		"vmdk", capacity < (uint64_t)INT64_MAX / SECTOR ? (int64_t)(capacity * SECTOR) : -1
	};
	return 0;
}

/* A descriptor in plain text names the files with the data: comments, then version=. */
static bool is_vmdk_text(const struct inspect *in)
{
	struct str text = str_of((const char *)in->head, in->head_n), line;

	if (in->head_n == 0 || in->head[0] != '#')
		return false;
	while ((line = str_cut(&text, '\n')).p) {
		line = str_trim(line);
		if (str_istarts(line, S("# Disk DescriptorFile")) ||
		    str_istarts(line, S("version=")))
			return true;
		if (line.n && line.p[0] != '#')
			return false;
	}
	return false;
}

/* ---- the others ---- */

static int vhd(const unsigned char *footer, struct inspect_result *ret, struct fault *why)
{
	enum { DIFFERENCING = 4 };

	if (number(footer + 60, 4, true) == DIFFERENCING)
		return fault_set(why, -EPERM, "vhd image has a parent");
	*ret = (struct inspect_result){ "vhd", size_or_unknown(number(footer + 48, 8, true)) };
	return 0;
}

static int vdi(const struct inspect *in, struct inspect_result *ret, struct fault *why)
{
	enum { DYNAMIC = 1, FIXED = 2 };
	uint64_t type = little(in, 0x4c, 4);

	if (type != DYNAMIC && type != FIXED)
		return fault_set(why, -EPERM, "vdi image has a parent or is of an unknown type");
	*ret = (struct inspect_result){ "vdi", size_or_unknown(little(in, 0x170, 8)) };
	return 0;
}

/* The primary volume descriptor: blocks at 80, their size at 128. */
static void iso(const struct inspect *in, struct inspect_result *ret)
{
	enum { PVD = 32768 };
	uint64_t blocks = little(in, PVD + 80, 4), bytes = little(in, PVD + 128, 2);

	*ret = (struct inspect_result){ "iso", in->head[PVD] == 1 && blocks && bytes ?
						       (int64_t)(blocks * bytes) : -1 };
}

int inspect_end(const struct inspect *in, bool at_end, struct inspect_result *ret,
		struct fault *why)
{
	bool has_tail = at_end && in->size >= INSPECT_TAIL;

	*ret = (struct inspect_result){ "raw", at_end ? size_or_unknown(in->size) : -1 };
	if (has(in, 0, S("QFI\xfb")))
		return qcow2(in, ret, why);
	if (has(in, 0, S("KDMV")))
		return vmdk_sparse(in, ret, why);
	if (has(in, 0, S("COWD")) || is_vmdk_text(in))
		return fault_set(why, -EPERM, "vmdk image may have its data in other files");
	if (has(in, 0, str_of("QED\0", 4)))
		return fault_set(why, -EPERM, "qed images are not supported");
	if (has(in, 0, S("conectix")) && in->head_n >= INSPECT_TAIL)
		return vhd(in->head, ret, why);
	if (has_tail && memcmp(in->tail, "conectix", 8) == 0)
		return vhd(in->tail, ret, why);
	if (has(in, 0, S("vhdxfile")))
		*ret = (struct inspect_result){ "vhdx", -1 };
	else if (little(in, 0x40, 4) == 0xbeda107f)
		return vdi(in, ret, why);
	else if (has(in, 32769, S("CD001")))
		iso(in, ret);
	return 0;
}

int inspect_match(struct str disk_format, struct str container_format,
		  const struct inspect_result *found, bool strict, struct fault *why)
{
	static const char *const known[] = { "qcow2", "vmdk", "vhd", "vhdx", "vdi", "iso" };
	struct str format = str_from(found->format);
	bool declared = false, raw = str_eq(format, S("raw"));

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		declared |= str_eq(disk_format, str_from(known[i]));
	/* Others, and what is packed, are not looked into. An iso is a disk as well as it is. */
	if ((!declared && !str_eq(disk_format, S("raw"))) || !str_eq(container_format, S("bare")) ||
	    str_eq(format, disk_format) ||
	    (str_eq(disk_format, S("raw")) && str_eq(format, S("iso"))) || (raw && !strict))
		return 0;
	return fault_set(why, -EMEDIUMTYPE, "Image content is %s, which does not match disk_format "
					    "%.*s", found->format, STR(disk_format));
}
