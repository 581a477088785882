/* /v3 behind a login: who answers which path. */
#include "proxy/identity/v3.h"

void ident_v3(struct ident_call *c)
{
	if (!ident_need_login(c))
		return;
	if (!ident_limits(c) && !ident_crud(c) && !ident_grants(c) && !ident_members(c) &&
	    !ident_implications(c) && !ident_credentials(c) && !ident_project_tags(c) &&
	    !ident_trusts(c) && !ident_endpoint_filter(c) && !ident_access_rules(c) &&
	    !ident_ec2(c))
		ident_error(c, 404, "The resource could not be found.");
}
