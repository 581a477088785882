/* The [image] section. */
#include "compute/image/image.h"

struct image_conf image_conf;

#define T struct image_conf

enum { DAY_MS = 24 * 3600 * 1000, NUMBER_MAX = 1000000 };

static const struct conf_option options[] = {
	OPT_BOOL(T, enabled, "yes", "Whether this host answers for images."),
	OPT_STR(T, bind_ip, "127.0.0.1", "Address to listen on; 0.0.0.0 or :: for all."),
	OPT_INT(T, bind_port, "9292", 1, 65535, "Port to listen on."),
	OPT_STR(T, container, "images",
		"The container of the records; bytes, tasks and metadata definitions are in those "
		"of this name with -data, -tasks and -metadefs behind it."),
	OPT_LIST(T, disk_formats, "ami, ari, aki, vhd, vhdx, vmdk, raw, qcow2, vdi, ploop, iso",
		 "What disk_format may be."),
	OPT_LIST(T, container_formats, "ami, ari, aki, bare, ovf, ova, docker, compressed",
		 "What container_format may be."),
	OPT_LIST(T, web_download_hosts, NULL,
		 "Hosts, as they stand in the URL with or without a port, that the import method "
		 "web-download may read from; none: the method is off."),
	OPT_SIZE(T, image_size_cap, "1TiB", 1, INT64_MAX, "Bytes of one image."),
	OPT_SIZE(T, project_quota, "0", 0, INT64_MAX,
		 "Bytes of all images of a project; 0: no limit."),
	OPT_SIZE(T, segment_size, "1GiB", MIB, 5LL << 30,
		 "Larger images are static large objects with segments of this size, where the "
		 "store has those."),
	OPT_INT(T, property_quota, "128", 0, 10000, "Free properties of one image."),
	OPT_INT(T, tag_quota, "128", 0, 10000, "Tags of one image."),
	OPT_INT(T, member_quota, "128", 0, 10000, "Members of one image."),
	OPT_INT(T, limit_default, "25", 1, NUMBER_MAX, "Images of a listing that names no limit."),
	OPT_INT(T, limit_max, "1000", 1, NUMBER_MAX, "Images of any listing."),
	OPT_BOOL(T, require_format_match, "no",
		 "Refuse images whose bytes are not of their disk_format. Without it only those "
		 "are refused that are of another known format."),
	OPT_DURATION(T, task_life, "48h", 1000, 365LL * DAY_MS, "How long tasks are kept."),
	OPT_DURATION(T, sweep_interval, "10m", 100, DAY_MS,
		     "How often it is looked for what uploads and deletions that broke off have "
		     "left behind."),
	OPT_DURATION(T, orphan_age, "1h", 0, 365LL * DAY_MS,
		     "Objects of that age which belong to no image are removed then."),
	OPT_END,
};

const struct conf_section image_section = {
	.name = "image",
	.help = "The image service (Glance v2) of needletail-compute.",
	.options = options,
	.into = &image_conf,
	.size = sizeof image_conf,
};

int image_conf_ready(struct fault *why)
{
	if (image_conf.limit_default > image_conf.limit_max)
		return fault_set(why, -EINVAL, "[image] limit_default is more than limit_max");
	if (strchr(image_conf.container, '/') || !image_conf.container[0] ||
	    strlen(image_conf.container) > 200)
		return fault_set(why, -EINVAL, "[image] container is not a container's name");
	return 0;
}
