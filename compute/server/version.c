/* Microversions and the version documents. Nova: api/openstack/api_version_request.py,
 * wsgi.py set_api_version_request, compute/versions.py. */
#include "compute/server/server.h"

#define UPDATED "2013-07-23T11:33:21Z"

/* "compute 2.17" among several services' in one header. */
static struct str of_compute(struct str modern)
{
	struct str part;

	while ((part = str_cut(&modern, ',')).p) {
		struct str value = str_trim(part), name = str_cut(&value, ' ');

		if (value.p && str_ieq(name, S("compute")))
			return str_trim(value);
	}
	return STR_NONE;
}

int microversion_parse(struct str modern, struct str legacy, unsigned *ret, struct str *ret_text)
{
	struct str wanted = of_compute(modern), minor;
	uint64_t major, n;

	if (!wanted.n)
		wanted = str_trim(legacy);
	if (!wanted.n)
		wanted = S("2.1");
	*ret_text = wanted;
	if (str_eq(wanted, S("latest"))) {
		*ret = MICROVERSION_MAX;
		return 0;
	}
	minor = wanted;
	if (str_to_u64(str_cut(&minor, '.'), &major) < 0 || !minor.n || str_to_u64(minor, &n) < 0 ||
	    (minor.n > 1 && minor.p[0] == '0'))
		return -EINVAL;
	if (major != 2 || n < 1 || n > MICROVERSION_MAX)
		return -ERANGE;
	*ret = (unsigned)n;
	return 0;
}

static bool refuse(struct api_call *c, bool may)
{
	if (!may)
		api_error(c, 404, "The resource could not be found.");
	return may;
}

bool version_from(struct api_call *c, unsigned minor)
{
	return refuse(c, c->version >= minor);
}

bool version_until(struct api_call *c, unsigned minor)
{
	return refuse(c, c->version <= minor);
}

static json_t *version_doc(struct api_call *c, bool old, bool whole)
{
	struct str url = api_url(c, old ? "/v2/" : "/v2.1/");
	json_t *links = json_pack("[{s:s, s:o}]", "rel", "self", "href", json_of(url));
	json_t *doc;

	doc = json_pack("{s:s, s:s, s:o, s:s, s:s}", "id", old ? "v2.0" : "v2.1", "status",
			old ? "SUPPORTED" : "CURRENT", "version",
			old ? json_string("") : json_sprintf("2.%d", MICROVERSION_MAX),
			"min_version", old ? "" : "2.1", "updated",
			old ? "2011-01-21T11:33:21Z" : UPDATED);
	if (whole) {
		json_array_append_new(links,
				      json_pack("{s:s, s:s, s:s}", "rel", "describedby", "type",
						"text/html", "href",
						"http://docs.openstack.org/"));
		json_object_set_new(doc, "media-types",
				    json_pack("[{s:s, s:s}]", "base", "application/json", "type",
					      old ? "application/vnd.openstack.compute+json;"
						    "version=2" :
						    "application/vnd.openstack.compute+json;"
						    "version=2.1"));
	}
	json_object_set_new(doc, "links", links);
	return doc;
}

void versions_list(struct api_call *c)
{
	api_respond(c, 200,
		    json_pack("{s:[o, o]}", "versions", version_doc(c, true, false),
			      version_doc(c, false, false)));
}

void version_show(struct api_call *c)
{
	api_respond(c, 200, json_pack("{s:o}", "version", version_doc(c, false, true)));
}

void version_show_old(struct api_call *c)
{
	api_respond(c, 200, json_pack("{s:o}", "version", version_doc(c, true, true)));
}
