/* The fields of an image, and what may stand in them.
 * Glance: api/v2/images.py get_base_properties */
#include "compute/image/image.h"

enum { NUMBER_MAX = INT32_MAX };

const struct image_field image_fields[] = {
	{ "id", IMAGE_TEXT, "An identifier for the image", false, false },
	{ "name", IMAGE_TEXT, "Descriptive name for the image", false, true },
	{ "status", IMAGE_TEXT, "Status of the image", true, false },
	{ "visibility", IMAGE_WORD, "Scope of image accessibility", false, false },
	{ "protected", IMAGE_BOOL, "If true, image will not be deletable.", false, false },
	{ "os_hidden", IMAGE_BOOL, "If true, image will not appear in default image list response.",
	  false, false },
	{ "checksum", IMAGE_TEXT, "md5 hash of image contents.", true, true },
	{ "os_hash_algo", IMAGE_TEXT, "Algorithm to calculate the os_hash_value", true, true },
	{ "os_hash_value", IMAGE_TEXT,
	  "Hexdigest of the image contents using the algorithm specified by the os_hash_algo", true,
	  true },
	{ "owner", IMAGE_TEXT, "Owner of the image", false, true },
	{ "size", IMAGE_NUMBER, "Size of image file in bytes", true, true },
	{ "virtual_size", IMAGE_NUMBER, "Virtual size of image in bytes", true, true },
	{ "container_format", IMAGE_WORD, "Format of the container", false, true },
	{ "disk_format", IMAGE_WORD, "Format of the disk", false, true },
	{ "created_at", IMAGE_TEXT, "Date and time of image registration", true, false },
	{ "updated_at", IMAGE_TEXT, "Date and time of the last image modification", true, false },
	{ "tags", IMAGE_TAGS, "List of strings related to the image", false, false },
	{ "direct_url", IMAGE_TEXT, "URL to access the image file kept in external store", true,
	  false },
	{ "min_ram", IMAGE_NUMBER, "Amount of ram (in MB) required to boot image.", false, false },
	{ "min_disk", IMAGE_NUMBER, "Amount of disk space (in GB) required to boot image.", false,
	  false },
	{ "self", IMAGE_TEXT, "An image self url", true, false },
	{ "file", IMAGE_TEXT, "An image file url", true, false },
	{ "stores", IMAGE_TEXT, "Store in which image data resides. Only present when the operator "
	  "has enabled multiple stores.", true, false },
	{ "schema", IMAGE_TEXT, "An image schema url", true, false },
	{ "locations", IMAGE_TEXT, "A set of URLs to access the image file kept in external store",
	  true, false },
	{ .name = NULL },
};

const struct image_field *image_field(struct str name)
{
	for (const struct image_field *f = image_fields; f->name; f++)
		if (str_eq(name, str_from(f->name)))
			return f;
	return NULL;
}

const struct conf_list *image_words(const struct image_field *f)
{
	static const struct str visibilities[] = { STR_INIT("community"), STR_INIT("public"),
						   STR_INIT("private"), STR_INIT("shared") };
	static const struct conf_list visibility = { visibilities, ARRAY_LEN(visibilities) };

	if (strcmp(f->name, "visibility") == 0)
		return &visibility;
	return strcmp(f->name, "disk_format") == 0 ? &image_conf.disk_formats :
						     &image_conf.container_formats;
}

bool image_name_reserved(struct str name)
{
	return str_starts(name, S("os_glance_"));
}

static struct str text_of(const json_t *v)
{
	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}

static bool has_word(const struct conf_list *words, struct str word)
{
	for (unsigned i = 0; i < words->count; i++)
		if (str_eq(words->items[i], word))
			return true;
	return false;
}

static const char *tags_wrong(struct arena *a, const json_t *value)
{
	const json_t *tag;
	size_t i;

	if (!json_is_array(value))
		return "is not of type 'array'";
	if (json_array_size(value) > (size_t)image_conf.tag_quota)
		return arena_printf(a, "has more than %" PRId64 " items", image_conf.tag_quota).p;
	json_array_foreach((json_t *)value, i, tag)
		if (!json_is_string(tag) || json_string_length(tag) > IMAGE_NAME_MAX)
			return "holds something that is not a string of at most 255 characters";
	return NULL;
}

const char *image_value_wrong(struct arena *a, const struct image_field *f, const json_t *value)
{
	if (json_is_null(value))
		return f->nullable ? NULL : "must not be null";
	switch (f->kind) {
	case IMAGE_TEXT:
		if (!json_is_string(value))
			return "is not of type 'string'";
		return json_string_length(value) > IMAGE_NAME_MAX ? "is too long" : NULL;
	case IMAGE_NUMBER:
		if (!json_is_integer(value))
			return "is not of type 'integer'";
		return json_integer_value(value) < 0 || json_integer_value(value) > NUMBER_MAX ?
			       "is out of range" : NULL;
	case IMAGE_BOOL:
		return json_is_boolean(value) ? NULL : "is not of type 'boolean'";
	case IMAGE_TAGS:
		return tags_wrong(a, value);
	case IMAGE_WORD:
		return has_word(image_words(f), text_of(value)) ?
			       NULL : "is not one of the allowed values";
	}
	unreachable("kinds of fields");
}

const char *image_property_wrong(struct arena *a, struct str name, const json_t *value)
{
	(void)a;
	if (name.n == 0 || name.n > IMAGE_NAME_MAX)
		return "has a name that is empty or too long";
	if (!json_is_string(value))
		return "is not of type 'string'";
	return json_string_length(value) > 64 * KIB ? "is too long" : NULL;
}
