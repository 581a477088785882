/* Paths of the public API and of storage servers: decoding, splitting, joining. */
#include "lib/swift/path.h"
#include "lib/base/encode.h"

/* An empty last part is no part: "/v1/a/c/" names the container. */
static struct str absent_if_empty(struct str s)
{
	return s.n ? s : STR_NONE;
}

/* Swift splits the decoded path, so an encoded slash separates as well (swob's path_info). */
int swift_path_parse(struct arena *a, struct str raw, struct swift_path *ret)
{
	struct str path = percent_decode(a, raw), rest;
	struct swift_path p = { .version = STR_NONE };

	if (!str_is_utf8(path) || str_chr(path, 0) >= 0)
		return -EILSEQ;
	if (path.n < 2 || path.p[0] != '/' || path.p[1] == '/')
		return -ENOENT;
	rest = str_skip(path, 1);
	p.version = str_cut(&rest, '/');
	p.account = str_cut(&rest, '/');
	p.container = absent_if_empty(str_cut(&rest, '/'));
	p.object = absent_if_empty(rest);
	if (p.account.n == 0)
		return p.container.p || p.object.p ? -ENOENT : -EDOM;
	if (!str_eq(p.version, S("v1")) && !str_eq(p.version, S("v1.0")))
		return -EINVAL;
	if (p.object.p && !p.container.p)
		return -ENOENT;
	*ret = p;
	return 0;
}

static void add_part(struct buf *to, struct str part, bool quote)
{
	if (!part.p)
		return;
	buf_add_char(to, '/');
	if (quote)
		percent_encode(to, part, S("/"));
	else
		buf_add_str(to, part);
}

static struct str join(struct arena *a, struct str prefix, struct str account, struct str container,
		       struct str object, bool quote)
{
	size_t limit = prefix.n + 3 * (account.n + container.n + object.n + 1);
	CLEANUP(buf_done) struct buf b = BUF(limit);

	buf_add_str(&b, prefix);
	add_part(&b, account, quote);
	add_part(&b, container, quote);
	add_part(&b, object, quote);
	assert(!buf_failed(&b));
	return arena_str(a, buf_str(&b));
}

struct str swift_path_join(struct arena *a, struct str account, struct str container,
			   struct str object)
{
	return join(a, STR_NONE, account, container, object, false);
}

struct str swift_path_quote(struct arena *a, struct str prefix, struct str account,
			    struct str container, struct str object)
{
	return join(a, prefix, account, container, object, true);
}

/* A device becomes a folder's name (Swift's validate_device_partition). */
static bool device_is_sound(struct str device)
{
	return device.n && !str_eq(device, S(".")) && !str_eq(device, S("..")) &&
	       str_chr(device, 0) < 0;
}

int backend_path_parse(struct arena *a, struct str raw, struct backend_path *ret)
{
	struct str path = percent_decode(a, raw), rest = str_skip(path, 1);
	struct backend_path p;
	uint64_t partition;

	if (path.n < 2 || path.p[0] != '/')
		return -EINVAL;
	if (!str_is_utf8(path))
		return -EILSEQ;
	p.device = str_cut(&rest, '/');
	struct str number = str_cut(&rest, '/');

	p.account = str_cut(&rest, '/');
	p.container = absent_if_empty(str_cut(&rest, '/'));
	p.object = absent_if_empty(rest);
	if (!device_is_sound(p.device) || str_to_u64(number, &partition) < 0 ||
	    partition > UINT32_MAX)
		return -EINVAL;
	if (p.account.n == 0 || (p.object.p && !p.container.p))
		return -EINVAL;
	p.partition = (uint32_t)partition;
	*ret = p;
	return 0;
}

struct str backend_path_quote(struct arena *a, struct str device, uint32_t partition,
			      struct str account, struct str container, struct str object)
{
	CLEANUP(buf_done) struct buf b = BUF(3 * device.n + 16);

	buf_add_char(&b, '/');
	percent_encode(&b, device, S("/"));
	buf_add_char(&b, '/');
	buf_add_u64(&b, partition);
	return join(a, buf_str(&b), account, container, object, true);
}
