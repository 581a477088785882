/* The rest of /v3: what there is to look at. */
#include "proxy/identity/identity.h"

void ident_v3(struct ident_call *c)
{
	if (!ident_need_login(c))
		return;
	if (c->parts == 3 && str_eq(c->part[0], S("users")) && str_eq(c->part[2], S("projects"))) {
		if (c->admin || str_eq(c->part[1], c->session.user))
			ident_respond_list(c, "projects",
					   ident_targets(c, c->part[1], S("project/"),
							 RECORD_PROJECT));
		else
			ident_error(c, 403,
				    "You are not authorized to perform the requested action.");
		return;
	}
	ident_error(c, 404, "The resource could not be found.");
}
