/* web-download: reads an image by HTTP from a host that the operator allows. Redirects are not
 * followed: they could lead anywhere. */
#include "compute/image/web.h"
#include "compute/call.h"
#include "compute/image/data.h"
#include "compute/image/task.h"
#include "lib/http/url.h"
#include "lib/log/log.h"

struct download {
	struct image_state *state;
	struct arena *arena;
	struct str id, uri, prefix, task;
	struct fault why;
	json_t *facts;
};

int web_allowed(struct str uri)
{
	struct url u;

	if (url_parse(uri, &u) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < image_conf.web_download_hosts.count; i++) {
		struct str allowed = image_conf.web_download_hosts.items[i];
		ssize_t colon = str_rchr(allowed, ':');
		bool with_port = colon > 0 && colon > str_rchr(allowed, ']');
		uint64_t port = u.port;

		if (with_port && str_to_u64(str_skip(allowed, (size_t)colon + 1), &port) < 0)
			continue;
		if (with_port)
			allowed = str_head(allowed, (size_t)colon);
		if (str_starts(allowed, S("[")) && str_ends(allowed, S("]")))
			allowed = str_head(str_skip(allowed, 1), allowed.n - 2);
		if (str_ieq(allowed, u.host) && port == u.port)
			return 0;
	}
	return -EPERM;
}

static int finish(void *arg, json_t *doc)
{
	struct download *d = arg;

	if (!image_upload_is(doc, d->prefix) || image_has_status(doc, "deleted"))
		return -ENOENT;
	image_activate(doc, d->facts);
	return 1;
}

/* From the answer to the store. */
waits static int take_body(struct download *d, struct response *res)
{
	struct image_state *s = d->state;
	struct upload_wish w = { .prefix = d->prefix, .length = res->content_length };
	struct upload_result result;
	AUTO(json_text) doc = NULL;
	int rc = records_get(s->images, d->arena, d->id, &doc);

	if (rc == 0)
		rc = image_room(s, d->arena, json_str(doc, "owner"), d->id, w.length,
				&w.size_max);
	if (rc < 0)
		return rc;
	w.disk_format = json_str(doc, "disk_format");
	w.container_format = json_str(doc, "container_format");
	rc = upload_run(s, d->arena, res->body, &w, &result, &d->why);
	if (rc < 0)
		return rc;
	AUTO(json_text) facts = image_upload_facts(&result, d->prefix);

	d->facts = facts;
	return records_change(s->images, d->arena, d->id, finish, d, NULL);
}

waits static int fetch(struct download *d)
{
	const struct call call = { .method = S("GET"), .url = d->uri };
	AUTO(exchange) x = NULL;
	struct response res = { .body = NULL };
	int status = call_open(d->state->compute->http, d->arena, &call, &res, &x);

	if (status < 0)
		return fault_set(&d->why, status, "The URI cannot be read: %s", strerror(-status));
	int rc = status == 200 ? take_body(d, &res) :
				 fault_set(&d->why, -EIO, "The URI answers with status %d",
					   status);

	body_close(res.body);
	return rc;
}

waits static void run(void *arg)
{
	struct download *d = arg;
	int rc = fetch(d);

	if (rc < 0) {
		if (!d->why.text[0])
			fault_set(&d->why, rc, "The import failed: %s", strerror(-rc));
		if (rc != -ECANCELED && image_abandon(d->state, d->id, d->prefix) < 0)
			log_warn("image %.*s: its import cannot be undone now, ignoring",
				 STR(d->id));
	}
	if (rc != -ECANCELED)
		task_end(d->state, d->task, rc < 0 ? d->why.text : NULL);
	arena_free(d->arena);
}

void web_download(struct api_call *c, struct str uri, struct str prefix, struct str task)
{
	struct arena *a = arena_new();
	struct download *d = arena_zalloc(a, sizeof *d);

	d->state = image_state(c);
	d->arena = a;
	d->id = arena_str(a, c->arg[0]);
	d->uri = arena_str(a, uri);
	d->prefix = arena_str(a, prefix);
	d->task = arena_str(a, task);
	task_spawn(&c->compute->background, "web-download", run, d);
}
