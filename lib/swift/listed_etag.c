/* Splits parameters off the ETags of container rows. */
#include "lib/swift/listed_etag.h"

struct str listed_etag_take(struct str *text, struct str name, char room[LISTED_ETAG_MAX])
{
	struct str rest = *text, part = str_cut(&rest, ';');
	size_t head = part.n;

	if (text->n > LISTED_ETAG_MAX)
		return STR_NONE;
	while ((part = str_cut(&rest, ';')).p) {
		struct str value = str_trim(part), key = str_cut(&value, '=');

		if (!str_ieq(str_trim(key), name) || !value.p) {
			head += 1 + part.n;
			continue;
		}
		memcpy(room, text->p, head);
		if (rest.p)
			memcpy(room + head, rest.p - 1, rest.n + 1);
		*text = str_of(room, head + (rest.p ? rest.n + 1 : 0));
		return str_trim(value);
	}
	return STR_NONE;
}
