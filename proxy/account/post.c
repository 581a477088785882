/* POST of an account: metadata; makes it where that is configured. Swift: POST in
 * proxy/controllers/account.py. */
#include "proxy/account/account.h"

void account_post(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);

	if (app_check_name(req, res, SWIFT_ACCOUNT) < 0 ||
	    metadata_check(&p->proxy->conf->limits, SWIFT_ACCOUNT, req, res) < 0)
		return;
	account_write(req, HTTP_POST, true, res);
	if (res->status == 404 && p->proxy->conf->account_autocreate &&
	    account_autocreate(req, p->path.account) == 0)
		account_write(req, HTTP_POST, true, res);
	account_show_acl(req, res);
}
