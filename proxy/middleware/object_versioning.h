/* What the files of object versioning share. Swift: versioned_writes/object_versioning.py */
#pragma once
#include "proxy/middleware/versions_copy.h"

#define VERSION_ID S("X-Object-Version-Id")
#define VERSIONS_TAG S("OV")
#define VERSIONS_MISSING                                                                   \
	"The versions container does not exist. You may want to re-enable object versioning."

/* The container of a request, as far as versions are concerned. */
struct versioned {
	struct versions_copy copy;
	struct str account, container, object;
	struct str versions;            /* where old versions are; absent: never was versioned */
	bool enabled;
};

/* Objects: every verb, with and without ?version-id. */
waits void versioned_object(struct versioned *v, struct response *res);
waits void versioned_object_id(struct versioned *v, struct str id, struct response *res);
/* GET and HEAD of a container: what its versions use, and rows that are links to them. */
waits void versioned_container_read(struct versioned *v, struct response *res);
/* GET of an account: bytes of hidden containers count with those they belong to. */
waits void versioned_account_list(struct versioned *v, struct response *res);
