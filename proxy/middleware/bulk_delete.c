/* Lists of names to delete, and deleting them a few at a time. */
#include "proxy/middleware/bulk_delete.h"
#include "lib/base/encode.h"
#include "proxy/middleware/width.h"

/* ---- the list ---- */

enum { NAME_MAX_MAX = 20000 };  /* so that twice as much fits two bytes */

void bulk_list_init(struct bulk_list *l, unsigned max, size_t name_max)
{
	name_max = MIN(name_max, (size_t)NAME_MAX_MAX);
	*l = (struct bulk_list){ .max = max, .name_max = 2 * name_max, .line_max = 3 * name_max };
	l->names = BUF((size_t)max * (l->name_max + 2));
	l->line = BUF(l->line_max);
}

void bulk_list_done(struct bulk_list *l)
{
	buf_done(&l->names);
	buf_done(&l->line);
}

void bulk_list_clear(struct bulk_list *l)
{
	buf_clear(&l->names);
}

int bulk_list_add(struct bulk_list *l, struct str name)
{
	uint16_t n = (uint16_t)name.n;

	if (name.n > l->name_max)
		return -ENAMETOOLONG;
	if (l->n == l->max)
		return -E2BIG;
	l->n++;
	buf_add(&l->names, &n, sizeof n);
	buf_add_str(&l->names, name);
	return buf_failed(&l->names) ? -E2BIG : 0;
}

static struct str decode(struct str s, char *to)
{
	struct str out = { to, 0 };
	unsigned char byte;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n &&
		    hex_decode(str_of(s.p + i + 1, 2), &byte, 1) == 0) {
			to[out.n++] = (char)byte;
			i += 2;
		} else {
			to[out.n++] = s.p[i];
		}
	}
	return out;
}

/* A line without its end. */
static int add_line(struct bulk_list *l, struct str line)
{
	if (line.n > l->line_max)
		return -ENAMETOOLONG;
	AUTO(chars) text = xmalloc(line.n + 1);

	return bulk_list_add(l, decode(str_trim(line), text));
}

/* What is left of a line whose beginning was kept. */
static int add_rest(struct bulk_list *l, struct str rest)
{
	buf_add_str(&l->line, rest);
	if (buf_failed(&l->line))
		return -ENAMETOOLONG;
	int rc = add_line(l, buf_str(&l->line));

	buf_clear(&l->line);
	return rc;
}

int bulk_list_feed(struct bulk_list *l, struct str bytes)
{
	ssize_t end;
	int rc = 0;

	while (rc == 0 && (end = str_chr(bytes, '\n')) >= 0) {
		struct str line = str_head(bytes, (size_t)end);

		bytes = str_skip(bytes, (size_t)end + 1);
		rc = l->line.n ? add_rest(l, line) : add_line(l, line);
	}
	if (rc < 0)
		return rc;
	buf_add_str(&l->line, bytes);
	return buf_failed(&l->line) ? -ENAMETOOLONG : 0;
}

int bulk_list_end(struct bulk_list *l)
{
	if (str_trim(buf_str(&l->line)).n == 0)
		return 0;
	return add_rest(l, STR_NONE);
}

bool bulk_list_next(const struct bulk_list *l, size_t *at, struct str *ret_name)
{
	uint16_t n;

	if (*at == l->names.n)
		return false;
	assert(*at + sizeof n <= l->names.n);
	memcpy(&n, l->names.p + *at, sizeof n);
	assert(*at + sizeof n + n <= l->names.n);
	*ret_name = str_of(l->names.p + *at + sizeof n, n);
	*at += sizeof n + n;
	return true;
}

bool bulk_name_split(struct str name, struct str *ret_container, struct str *ret_object)
{
	while (str_starts(name, S("/")))
		name = str_skip(name, 1);
	struct str rest = name, container = str_cut(&rest, '/');

	*ret_container = container;
	/* "c/" and "c//" are the container. */
	*ret_object = rest;
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] != '/')
			return true;
	*ret_object = STR_NONE;
	return false;
}

/* ---- deleting ---- */

/* One of the two passes over the list, shared by its workers. */
struct pass {
	struct bulk_delete *d;
	const struct bulk_list *list;
	size_t at;
	bool objects;
	int error;
};

struct request *bulk_subrequest(struct arena *a, struct request *req, enum http_method m,
				struct str container, struct str object, struct str query,
				struct str source)
{
	static const struct str names[] = { STR_INIT("X-Auth-Token"), STR_INIT("X-Storage-Token"),
					    STR_INIT("X-Service-Token") };
	struct request *sub = proxy_subrequest_in(a, req, m, proxy_request(req)->path.account,
						  container, object, query, source);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str value = headers_get(&req->headers, names[i]);

		if (value.p)
			headers_add(&sub->headers, names[i], value);
	}
	return sub;
}

static void failed(struct bulk_delete *d, struct str name, int status)
{
	CLEANUP(buf_done) struct buf quoted = BUF(256 * KIB);

	percent_encode(&quoted, name, S("/"));
	bulk_report_error(d->report, buf_str(&quoted), bulk_status(d->report->arena, status));
	d->failures++;
	d->server_failed |= status / 100 == 5;
}

waits static int send_delete(struct bulk_delete *d, struct str container, struct str object)
{
	AUTO(arena) a = arena_new();
	struct response res;

	middleware_call(d->mw, bulk_subrequest(a, d->req, HTTP_DELETE, container, object, STR_NONE,
					       d->source), &res);
	body_close(res.body);
	return res.status;
}

/* A container's objects may only just have gone; its listing says so in a moment. */
waits static int delete_patiently(struct bulk_delete *d, struct str container, struct str object)
{
	int status = send_delete(d, container, object);
	uint64_t pause = d->retry_ms;

	for (unsigned i = 0; status == 409 && i < d->retries && task_sleep(pause) == 0; i++) {
		status = send_delete(d, container, object);
		pause += pause / 2;
	}
	return status;
}

waits static void delete_one(struct bulk_delete *d, struct str name, struct str container,
			     struct str object)
{
	int status;

	if (!str_is_utf8(name) || str_chr(name, 0) >= 0)
		status = 412;
	else if (container.n == 0)      /* the account itself: not in this way */
		status = 403;
	else
		status = delete_patiently(d, container, object);
	if (status / 100 == 2)
		d->deleted++;
	else if (status == 404)
		d->not_found++;
	else
		failed(d, name, status);
}

waits static void work(void *arg)
{
	struct pass *p = arg;
	struct bulk_delete *d = p->d;
	struct str name, container, object;

	while (p->error == 0 && bulk_list_next(p->list, &p->at, &name)) {
		if (name.n == 0 || bulk_name_split(name, &container, &object) != p->objects)
			continue;
		if (task_cancelled())
			p->error = -ECANCELED;
		else
			delete_one(d, name, container, object);
		if (p->error == 0 && d->failures >= d->failures_max)
			p->error = -EDQUOT;
	}
}

waits static int run_pass(struct bulk_delete *d, const struct bulk_list *l, bool objects)
{
	struct pass p = { .d = d, .list = l, .objects = objects };
	unsigned width = width_take(d->concurrency);
	int rc = 0;

	if (width == 1) {               /* no task, so no stack of its own */
		work(&p);
	} else {
		TASK_GROUP(group);
		for (unsigned i = 0; i < width; i++)
			task_spawn(&group, "bulk delete", work, &p);
		rc = task_group_join(&group);
	}
	width_give(width);
	return rc < 0 ? rc : p.error;
}

int bulk_delete_list(struct bulk_delete *d, const struct bulk_list *l)
{
	int rc = run_pass(d, l, true);

	return rc < 0 ? rc : run_pass(d, l, false);
}

int bulk_delete_objects(struct bulk_delete *d, const struct bulk_list *l,
			struct bulk_list *containers)
{
	struct str name, container, object;
	int rc = run_pass(d, l, true);
	size_t at = 0;

	while (rc == 0 && bulk_list_next(l, &at, &name))
		if (name.n && !bulk_name_split(name, &container, &object))
			rc = bulk_list_add(containers, name);
	return rc;
}

int bulk_delete_containers(struct bulk_delete *d, const struct bulk_list *l)
{
	return run_pass(d, l, false);
}

int bulk_delete_status(const struct bulk_delete *d)
{
	return d->server_failed ? 502 : d->failures ? 400 : 200;
}
