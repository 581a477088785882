/* One item of a listing, for the files of this folder. */
#pragma once
#include "proxy/listing/raw.h"

struct item {
	struct raw_row row;             /* texts stand behind the struct */
	bool subdir;                    /* only the name counts */
};
