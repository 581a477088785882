/* Prints for people what explain found. */
#include "ringtool/commands/explain.h"

static void print_place(const json_t *dev)
{
	char at[2 * RING_HOST_SIZE];

	snprintf(at, sizeof at, "%s:%lld/%s", text_in(dev, "ip"), number_in(dev, "port"),
		 text_in(dev, "device"));
	printf("  %-8s  %-24s  r%lldz%lld  ", text_in(dev, "place"), at, number_in(dev, "region"),
	       number_in(dev, "zone"));
}

static void print_object(const json_t *has)
{
	const json_t *metadata = json_object_get(has, "metadata");

	printf("%s %s", text_in(has, "state"), text_in(has, "timestamp"));
	if (strcmp(text_in(has, "timestamp"), text_in(has, "metadata_timestamp")) &&
	    json_object_get(has, "metadata_timestamp"))
		printf(", metadata %s", text_in(has, "metadata_timestamp"));
	if (json_object_get(has, "size"))
		printf(", %lld bytes", number_in(has, "size"));
	if (*text_in(metadata, "ETag"))
		printf(", ETag %s", text_in(metadata, "ETag"));
	if (json_object_get(has, "delete_at"))
		printf(", expires at %lld", number_in(has, "delete_at"));
	if (json_object_get(has, "error"))
		printf(", %s", text_in(has, "error"));
	printf("\n");
}

static void print_rows(const json_t *has)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(has, "rows"), i, row) {
		printf("%44s row: ", "");
		if (json_object_get(row, "put_timestamp"))      /* of a container, in an account */
			printf("%s, %lld objects, %lld bytes\n",
			       json_is_true(json_object_get(row, "deleted")) ? "deleted" : "listed",
			       number_in(row, "objects"), number_in(row, "bytes"));
		else if (json_is_true(json_object_get(row, "deleted")))
			printf("policy %lld, deleted %s\n", number_in(row, "policy"),
			       text_in(row, "timestamp"));
		else
			printf("policy %lld, %s, %lld bytes, %s\n", number_in(row, "policy"),
			       text_in(row, "timestamp"), number_in(row, "size"),
			       text_in(row, "etag"));
	}
}

static void print_database(const json_t *has)
{
	printf("%s %s", json_is_true(json_object_get(has, "deleted")) ? "deleted" : "there",
	       json_is_true(json_object_get(has, "deleted")) ? text_in(has, "delete_timestamp")
							     : text_in(has, "put_timestamp"));
	if (json_object_get(has, "policy"))
		printf(", policy %lld", number_in(has, "policy"));
	if (json_object_get(has, "containers"))
		printf(", %lld containers", number_in(has, "containers"));
	printf(", %lld objects, %lld bytes\n", number_in(has, "objects"), number_in(has, "bytes"));
	print_rows(has);
}

static void print_devices(const json_t *section, void (*print)(const json_t *has))
{
	json_t *dev;
	size_t i;

	json_array_foreach(json_object_get(section, "devices"), i, dev) {
		const json_t *has = json_object_get(dev, "has");

		print_place(dev);
		if (!has)
			printf("? %s\n", text_in(dev, "error"));
		else if (json_is_object(has))
			print(has);
		else
			printf("nothing\n");
	}
}

static void print_section(const json_t *section, const char *title,
			  void (*print)(const json_t *has))
{
	printf("%s: partition %lld, hash %s, ring version %lld\n", title,
	       number_in(section, "partition"), text_in(section, "hash"),
	       number_in(section, "ring_version"));
	print_devices(section, print);
	printf("\n");
}

void explain_print(const json_t *result)
{
	const json_t *container = json_object_get(result, "container");
	json_t *one;
	char title[128];
	size_t i;

	printf("%s\n\n", text_in(result, "path"));
	json_array_foreach(json_object_get(result, "objects"), i, one) {
		if (json_is_null(json_object_get(one, "newest")) &&
		    json_array_size(json_object_get(result, "objects")) > 1)
			continue;
		snprintf(title, sizeof title, "Object, policy %lld (%.80s)",
			 number_in(one, "policy"), text_in(one, "policy_name"));
		print_section(one, title, print_object);
	}
	if (container)
		print_section(container, "Container", print_database);
	print_section(json_object_get(result, "account"), "Account", print_database);
	json_array_foreach(json_object_get(result, "pending"), i, one)
		printf("%s keeps a row for %s: policy %lld, %s %s\n", text_in(one, "at"),
		       text_in(one, "for"), number_in(one, "policy"),
		       json_is_true(json_object_get(one, "deleted")) ? "deleted" : "stored",
		       text_in(one, "timestamp"));
	json_array_foreach(json_object_get(result, "findings"), i, one)
		printf("- %s\n", json_string_value(one));
	if (json_is_true(json_object_get(result, "settled")))
		printf("All is where it belongs, and the same everywhere.\n");
}
