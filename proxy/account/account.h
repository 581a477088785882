/* What the account verbs share. Swift: proxy/controllers/account.py. */
#pragma once
#include "proxy/app.h"

waits void account_get(struct request *req, struct response *res);
waits void account_put(struct request *req, struct response *res);
waits void account_post(struct request *req, struct response *res);
waits void account_delete(struct request *req, struct response *res);

/* Makes the account, because something is written into it: 0, or -EHOSTDOWN. */
waits must_check int account_autocreate(struct request *req, struct str account);
/* The stored ACL as the header that owners see; everybody else loses what only owners see. */
void account_show_acl(const struct request *req, struct response *res);
/* One request per replica with the same headers: POST, PUT and DELETE. transfer: with the client's
 * metadata. */
waits void account_write(struct request *req, enum http_method m, bool transfer,
			 struct response *res);
