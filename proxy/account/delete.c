/* DELETE of an account, where management is allowed. Swift: DELETE
 * in proxy/controllers/account.py. */
#include "proxy/account/account.h"

void account_delete(struct request *req, struct response *res)
{
	/* A query means that some middleware should have had it (bulk-delete): better safe. */
	if (req->query.n) {
		respond_status(res, 400);
		return;
	}
	account_write(req, HTTP_DELETE, false, res);
}
