/* The header of a qcow2 file: how large its disk is, and whether it opens other files. */
#include "compute/machine/internal.h"

enum { HEADER_MIN = 72, VERSION_3_MIN = 104, BIT_DATA_FILE = 1 << 2 };

static uint64_t number(struct str head, size_t at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)head.p[at + i];
	return v;
}

int qcow2_check(struct str head, uint64_t *ret_virtual, struct fault *why)
{
	if (head.n < HEADER_MIN || memcmp(head.p, "QFI\xfb", 4) != 0)
		return fault_set(why, -EBADMSG, "The image is not in the format qcow2");
	uint64_t version = number(head, 4, 4);

	if (version < 2 || version > 3 || (version == 3 && head.n < VERSION_3_MIN))
		return fault_set(why, -EBADMSG, "The image is of an unknown version of qcow2");
	if (number(head, 8, 8) != 0)
		return fault_set(why, -EBADMSG, "The image has a backing file");
	if (version == 3 && (number(head, 72, 8) & BIT_DATA_FILE))
		return fault_set(why, -EBADMSG, "The image has an external data file");
	*ret_virtual = number(head, 24, 8);
	return 0;
}
