/* Draws the conclusions from what the devices have: which copy is the newest, who lacks it, what is
 * in the wrong place. */
#include "ringtool/commands/explain.h"

static void find(json_t *result, const char *fmt, ...) printf_like(2, 3);
static void find(json_t *result, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_array_append_new(json_object_get(result, "findings"), json_string(text));
}

static void at_of(const json_t *dev, char text[2 * RING_HOST_SIZE])
{
	snprintf(text, 2 * RING_HOST_SIZE, "%s:%lld/%s", text_in(dev, "ip"),
		 number_in(dev, "port"), text_in(dev, "device"));
}

static bool is_primary(const json_t *dev)
{
	return strcmp(text_in(dev, "place"), "primary") == 0;
}

static void note_errors(json_t *result, const json_t *section, const char *what)
{
	char at[2 * RING_HOST_SIZE];
	json_t *dev;
	size_t i;

	json_array_foreach(json_object_get(section, "devices"), i, dev) {
		at_of(dev, at);
		if (json_object_get(dev, "error") && is_primary(dev))
			find(result, "%s: %s does not tell: %s", what, at, text_in(dev, "error"));
	}
}

/* ---- copies of an object in one policy ---- */

/* Their text order is their order in time. */
static bool is_newer(const json_t *a, const json_t *b)
{
	int c = strcmp(text_in(a, "timestamp"), text_in(b, "timestamp"));

	if (c == 0)
		c = strcmp(text_in(a, "metadata_timestamp"), text_in(b, "metadata_timestamp"));
	return c > 0;
}

static const json_t *newest_of(const json_t *section)
{
	const json_t *newest = NULL;
	json_t *dev;
	size_t i;

	json_array_foreach(json_object_get(section, "devices"), i, dev) {
		const json_t *has = json_object_get(dev, "has");

		if (json_is_object(has) && (!newest || is_newer(has, newest)))
			newest = has;
	}
	return newest;
}

static bool is_same(const json_t *a, const json_t *b)
{
	return json_is_object(a) && !is_newer(a, b) && !is_newer(b, a);
}

static void judge_device(json_t *result, const json_t *dev, const json_t *newest,
			 const char *what)
{
	const json_t *has = json_object_get(dev, "has");
	bool primary = is_primary(dev), gone = strcmp(text_in(newest, "state"), "deleted") == 0;
	char at[2 * RING_HOST_SIZE];

	at_of(dev, at);
	if (json_object_get(dev, "error"))
		return;
	if (json_is_object(has) && json_object_get(has, "error"))
		find(result, "%s: the copy of %s cannot be read: %s", what, at,
		     text_in(has, "error"));
	if (primary && !json_is_object(has) && !gone)
		find(result, "%s: %s has no copy yet", what, at);
	else if (primary && !is_same(has, newest) && !(gone && !json_is_object(has)))
		find(result, "%s: %s has an older version (%s)", what, at,
		     text_in(has, "timestamp"));
	else if (!primary && json_is_object(has))
		find(result, "%s: %s (%s) has a copy that is to go to its primaries", what, at,
		     text_in(dev, "place"));
}

static void judge_objects(json_t *result, json_t *section, long long policy_of_container)
{
	const json_t *newest = newest_of(section);
	char what[64];
	json_t *dev;
	size_t i;

	snprintf(what, sizeof what, "object in policy %lld", number_in(section, "policy"));
	json_object_set_new(section, "newest", newest ? json_string(text_in(newest, "timestamp"))
						      : json_null());
	if (!newest && number_in(section, "policy") != policy_of_container)
		return;
	note_errors(result, section, what);
	json_array_foreach(json_object_get(section, "devices"), i, dev)
		if (newest)
			judge_device(result, dev, newest, what);
	if (newest && policy_of_container >= 0 &&
	    number_in(section, "policy") != policy_of_container &&
	    strcmp(text_in(newest, "state"), "data") == 0)
		find(result, "%s: it belongs into policy %lld, the reconciler will move it", what,
		     policy_of_container);
}

/* ---- databases ---- */

/* What all replicas should say alike. */
static json_t *essence(const json_t *has)
{
	json_t *copy = json_deep_copy(has);

	json_object_del(copy, "account_told");
	return copy;
}

static void judge_database(json_t *result, const json_t *section, const char *what)
{
	json_t *dev, *first = NULL;
	bool differ = false;
	char at[2 * RING_HOST_SIZE];
	unsigned told = 0, primaries = 0;
	size_t i;

	note_errors(result, section, what);
	json_array_foreach(json_object_get(section, "devices"), i, dev) {
		const json_t *has = json_object_get(dev, "has");

		at_of(dev, at);
		if (!is_primary(dev)) {
			if (json_is_object(has))
				find(result, "%s: %s (%s) has a database that is to go to its "
				     "primaries", what, at, text_in(dev, "place"));
			continue;
		}
		if (!has)
			continue;
		primaries++;
		told += !json_is_false(json_object_get(has, "account_told"));
		json_t *mine = essence(has);

		differ |= first && !json_equal(first, mine);
		if (first)
			json_decref(mine);
		else
			first = mine;
	}
	json_decref(first);
	if (differ)
		find(result, "%s: its primaries differ, replication will bring them together",
		     what);
	if (told < primaries)
		find(result, "%s: the account has not heard of the latest counters yet", what);
}

/* The policy that the container's devices name; -1: nobody knows. */
static long long policy_of(const json_t *container)
{
	json_t *dev;
	size_t i;

	json_array_foreach(json_object_get(container, "devices"), i, dev) {
		const json_t *has = json_object_get(dev, "has");

		if (json_is_object(has) && is_primary(dev))
			return number_in(has, "policy");
	}
	return -1;
}

void explain_judge(json_t *result)
{
	json_t *container = json_object_get(result, "container"), *section;
	long long policy = policy_of(container);
	size_t i, pending = json_array_size(json_object_get(result, "pending"));

	json_object_set_new(result, "findings", json_array());
	judge_database(result, json_object_get(result, "account"), "account");
	if (container)
		judge_database(result, container, "container");
	json_array_foreach(json_object_get(result, "objects"), i, section)
		judge_objects(result, section, policy);
	if (pending)
		find(result, "%zu listing rows wait for their device", pending);
	json_object_set_new(
		result, "settled",
		json_boolean(json_array_size(json_object_get(result, "findings")) == 0));
}
