/* Fuzz: the parameters of temporary URLs: signature, expiry, address range (one per line). */
#include "lib/base/base.h"
#include "lib/swift/tempurl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of((const char *)data, size), sig = str_cut(&rest, '\n');
	struct str expires = str_cut(&rest, '\n'), ip = str_cut(&rest, '\n');
	struct tempurl_signature s;
	int64_t t;

	if (tempurl_signature_parse(sig, &s) == 0)
		assert(s.size == digest_size(s.digest) && tempurl_digest_name(s.digest).n > 0);
	if (expires.p)
		(void)tempurl_expires_parse(expires, &t);
	if (rest.p)
		(void)tempurl_ip_in_range(ip, rest);
	return 0;
}
