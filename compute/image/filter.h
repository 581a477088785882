/* Which images a listing shows, and in which order: the query of GET /v2/images. */
#pragma once
#include "compute/image/image.h"

enum { SORT_KEYS_MAX = 8 };

struct image_filter {
	const struct api_pair *tests;   /* all that are not below, in order */
	unsigned n;
	struct str visibility;          /* absent: the default view */
	struct str member_status;
	bool hidden;
	struct {
		struct str key;
		bool descending;
	} sort[SORT_KEYS_MAX];
	unsigned sorts;
	struct str marker;
	uint64_t limit;
};

/* 0, or -EINVAL with the reason. */
must_check int filter_parse(struct api_call *c, struct image_filter *ret, struct fault *why);
/* Whether the caller's listing has the image. */
bool filter_matches(const struct image_filter *f, const struct caller *who, const json_t *doc);
/* A document with what it is sorted by, looked up once. */
struct sort_item {
	json_t *doc;
	const json_t *keys[SORT_KEYS_MAX + 1];  /* the last one in use is the id */
};
struct sort_item filter_sort_item(const struct image_filter *f, json_t *doc);
/* <0, 0, >0. */
int filter_compare(const struct image_filter *f, const struct sort_item *a,
		   const struct sort_item *b);
/* One value of a test against what it stands for: "in:a,b", "gt:5" and their kin. 0, or -EINVAL
 * when the operator or its value is not understood. */
must_check int filter_test_text(struct arena *a, struct str test, struct str value, bool *ret);
must_check int filter_test_time(struct str test, int64_t us, bool *ret);
