/* What the container verbs share. Swift: proxy/controllers/container.py. */
#pragma once
#include "proxy/app.h"

waits void container_get(struct request *req, struct response *res);
waits void container_put(struct request *req, struct response *res);
waits void container_post(struct request *req, struct response *res);
waits void container_delete(struct request *req, struct response *res);

/* Names, ended by an absent one, that a client may set besides metadata. */
extern const struct str container_headers[];

/* The account is there: 0; else the answer is filled (404, 503). Hidden accounts always are. */
waits must_check int container_check_account(struct request *req, struct response *res);
/* Cleans X-Container-Read and -Write and checks the metadata: 0, or -EINVAL (400 is filled). Drops
 * what only owners may set when the request is not an owner's. */
int container_check_headers(struct request *req, struct response *res) must_check;
/* Each request tells some of the account's devices that the container changed. */
void container_account_updates(struct request *req, struct headers *sets, unsigned n);
