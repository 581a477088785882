/* The parts of /v3 behind a login: each answers and returns true when the path is its own. */
#pragma once
#include "proxy/identity/identity.h"

waits bool ident_crud(struct ident_call *c);            /* crud.c */
waits bool ident_grants(struct ident_call *c);          /* grants.c */
waits bool ident_members(struct ident_call *c);         /* members.c */
waits bool ident_implications(struct ident_call *c);    /* implications.c */
waits bool ident_credentials(struct ident_call *c);     /* credentials.c */
