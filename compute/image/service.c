/* The image service as the daemon starts and stops it. */
#include "compute/image/data.h"
#include "compute/image/sweep.h"

static bool address(struct daemon_address *ret)
{
	*ret = (struct daemon_address){ .ip = image_conf.bind_ip,
					.port = (unsigned)image_conf.bind_port,
					.set_by = "[image] bind_port" };
	return image_conf.enabled;
}

static char *container(const char *suffix)
{
	CLEANUP(buf_done) struct buf b = BUF(1 * KIB);

	buf_addf(&b, "%s%s", image_conf.container, suffix);
	return buf_take(&b);
}

static struct records *records_of(struct compute *c, const char *suffix)
{
	AUTO(chars) name = container(suffix);

	return records_new(c->store, name);
}

waits static int start(struct compute *c, void **ret_state, struct fault *why)
{
	(void)why;
	if (!image_conf.enabled)
		return 0;
	struct image_state *s = xcalloc(1, sizeof *s);

	s->compute = c;
	s->images = records_of(c, "");
	s->tasks = records_of(c, "-tasks");
	s->namespaces = records_of(c, "-metadefs");
	s->data = str_from(container("-data"));
	uuid_make(s->run);
	list_init(&s->late);
	*ret_state = s;
	task_spawn(&c->background, "image sweep", image_sweep, s);
	task_spawn(&c->background, "late segments", image_late_task, s);
	return 0;
}

waits static void stop(void *state)
{
	struct image_state *s = state;

	if (!s)
		return;
	image_late_done(s);
	records_free(s->images);
	records_free(s->tasks);
	records_free(s->namespaces);
	free((char *)s->data.p);
	free(s);
}

static const struct conf_section *const sections[] = { &image_section, NULL };

const struct service image_service = {
	.name = "image",
	.sections = sections,
	.ready = image_conf_ready,
	.address = address,
	.api = &image_api,
	.start = start,
	.stop = stop,
};
