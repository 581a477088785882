/* Finding the route of a request. */
#pragma once
#include "compute/api/api.h"

struct api_match {
	const struct api_route *route;  /* NULL: 404, or 405 when allowed has something */
	struct str allowed;             /* methods of this path, "GET, PUT" */
	struct str arg[API_ARGS_MAX];
	unsigned args;
};
/* Looks for the request's path (still encoded) and method. A slash at the end is overlooked, unless
 * it stands where a name would: "/images/" is an image without a name, which is not there. HEAD is
 * answered where GET is. */
void route_find(const struct api_route *routes, struct arena *a, enum http_method method,
		struct str path, struct api_match *ret);
