/* Fuzz: the JSON bodies of logins, v3 and v2.0. What is accepted has what a login needs. */
#include "proxy/identity/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *doc = json_text_parse(str_of((const char *)data, size));
	struct fault why;
	struct login l;

	if (!doc)
		return 0;
	if (login_parse(doc, &l, &why) == 0) {
		assert(l.by_password || l.by_token || l.by_credential);
		assert(!l.by_password || l.password.p);
		assert(!l.by_password || l.user_id.p || l.user_name.p);
		assert(!l.by_token || l.token.p);
		assert(!l.by_credential || l.credential_secret.p);
	}
	if (login_parse_v2(doc, &l, &why) == 0)
		assert((l.by_password && l.password.p) || (l.by_token && l.token.p));
	json_decref(doc);
	return 0;
}
