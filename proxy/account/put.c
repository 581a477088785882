/* PUT of an account, where management is allowed. Swift: PUT in proxy/controllers/account.py. */
#include "proxy/account/account.h"

void account_put(struct request *req, struct response *res)
{
	const struct proxy_conf *conf = proxy_request(req)->proxy->conf;

	if (metadata_check(&conf->limits, SWIFT_ACCOUNT, req, res) < 0 ||
	    app_check_name(req, res, SWIFT_ACCOUNT) < 0)
		return;
	account_write(req, HTTP_PUT, true, res);
	account_show_acl(req, res);
}
