/* Every middleware there is, one file each; proxy/pipeline.c orders them. */
#pragma once
#include "proxy/middleware/middleware.h"

extern const struct middleware_kind middleware_catch_errors;
/* Gives a request its transaction id and the answer the headers that carry it. */
void catch_errors_identify(struct request *req, struct response *res);
extern const struct middleware_kind middleware_gatekeeper;
extern const struct middleware_kind middleware_healthcheck;
extern const struct middleware_kind middleware_listing_formats;
extern const struct middleware_kind middleware_proxy_logging;
extern const struct middleware_kind middleware_tempurl;
extern const struct middleware_kind middleware_tempauth;
extern const struct middleware_kind middleware_copy;
extern const struct middleware_kind middleware_container_quotas;
extern const struct middleware_kind middleware_account_quotas;
extern const struct middleware_kind middleware_crossdomain;
extern const struct middleware_kind middleware_name_check;
extern const struct middleware_kind middleware_read_only;
extern const struct middleware_kind middleware_etag_quoter;
extern const struct middleware_kind middleware_domain_remap;
extern const struct middleware_kind middleware_ratelimit;
extern const struct middleware_kind middleware_slo;
extern const struct middleware_kind middleware_dlo;
extern const struct middleware_kind middleware_versioned_writes;
extern const struct middleware_kind middleware_object_versioning;
extern const struct middleware_kind middleware_symlink;
extern const struct middleware_kind middleware_bulk;
extern const struct middleware_kind middleware_recursive_delete;
extern const struct middleware_kind middleware_formpost;
extern const struct middleware_kind middleware_keystone;
extern const struct middleware_kind middleware_staticweb;
