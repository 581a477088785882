/* What a guest may read about itself, in the forms of OpenStack and EC2. */
#include "compute/machine/internal.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

enum { SEED_SIZE = 512 };

const char *const metadata_paths[] = {
	"openstack/latest/meta_data.json",     "openstack/latest/network_data.json",
	"openstack/latest/vendor_data.json",   "openstack/latest/user_data",
	"openstack/2018-08-27/meta_data.json", "openstack/2018-08-27/network_data.json",
	"openstack/2018-08-27/vendor_data.json", "openstack/2018-08-27/user_data",
	"ec2/latest/meta-data.json",           "ec2/latest/user-data",
	NULL,
};

/* As Nova makes a host name of a server's: letters, digits and hyphens. */
static struct str hostname(struct arena *a, const struct machine_spec *s)
{
	struct str from = s->hostname.n ? s->hostname : s->name;
	char *text = arena_alloc(a, 64);
	size_t n = 0;

	for (size_t i = 0; i < from.n && n < 63; i++) {
		char c = from.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.')
			text[n++] = c;
		else if ((c == '-' || c == '_' || c == ' ') && n)
			text[n++] = '-';
	}
	while (n && (text[n - 1] == '-' || text[n - 1] == '.'))
		n--;
	text[n] = 0;
	return n ? str_of(text, n) : arena_printf(a, "server-%.*s", STR(s->id));
}

static struct str meta_data(struct arena *a, const struct machine_spec *s)
{
	AUTO(json_text) doc = json_object();
	CLEANUP(buf_done) struct buf seed = BUF(2 * SEED_SIZE);
	unsigned char bytes[SEED_SIZE];

	random_bytes(bytes, sizeof bytes);
	base64_encode(&seed, bytes, sizeof bytes);
	json_object_set_new(doc, "uuid", json_of(s->id));
	json_object_set_new(doc, "name", json_of(s->name));
	json_object_set_new(doc, "hostname", json_of(hostname(a, s)));
	json_object_set_new(doc, "project_id", json_of(s->project_id));
	json_object_set_new(doc, "availability_zone",
			    json_of(s->availability_zone.p ? s->availability_zone : S("nova")));
	json_object_set_new(doc, "launch_index", json_integer(0));
	json_object_set_new(doc, "devices", json_array());
	json_object_set_new(doc, "dedicated_cpus", json_array());
	json_object_set_new(doc, "random_seed", json_of(buf_str(&seed)));
	if (json_object_size(s->metadata))
		json_object_set_new(doc, "meta", json_deep_copy(s->metadata));
	if (s->key.n) {
		json_t *keys = json_object();

		json_object_set_new(keys, arena_cstr(a, s->key_name), json_of(s->key));
		json_object_set_new(doc, "public_keys", keys);
		json_object_set_new(doc, "keys",
				    json_pack("[{s:o,s:s,s:o}]", "name", json_of(s->key_name),
					      "type", "ssh", "data", json_of(s->key)));
	}
	return json_text_of(a, doc);
}

static json_t *network_of(struct arena *a, const struct machine_nic *n, unsigned i)
{
	struct str mask = STR_NONE;
	json_t *net = json_object();

	if (n->address.p && n->prefix && n->prefix <= 32) {
		uint32_t bits = 0xffffffffU << (32 - n->prefix);

		mask = arena_printf(a, "%u.%u.%u.%u", bits >> 24, bits >> 16 & 255,
				    bits >> 8 & 255, bits & 255);
	}
	json_object_set_new(net, "id", json_of(arena_printf(a, "network%u", i)));
	json_object_set_new(net, "link", json_of(arena_printf(a, "tap%u", i)));
	json_object_set_new(net, "network_id", json_of(n->network_id));
	if (n->kind == MACHINE_NIC_USER || !mask.p) {
		json_object_set_new(net, "type", json_string("ipv4_dhcp"));
		return net;
	}
	json_object_set_new(net, "type", json_string("ipv4"));
	json_object_set_new(net, "ip_address", json_of(n->address));
	json_object_set_new(net, "netmask", json_of(mask));
	json_object_set_new(net, "routes",
			    n->gateway.n ? json_pack("[{s:s,s:s,s:o}]", "network", "0.0.0.0",
						     "netmask", "0.0.0.0", "gateway",
						     json_of(n->gateway)) :
					   json_array());
	return net;
}

static struct str network_data(struct arena *a, const struct machine_spec *s)
{
	AUTO(json_text) doc = json_object();
	json_t *links = json_array(), *networks = json_array();

	for (unsigned i = 0; i < s->nic_count; i++) {
		const struct machine_nic *n = &s->nics[i];
		json_t *link = json_object();

		json_object_set_new(link, "id", json_of(arena_printf(a, "tap%u", i)));
		json_object_set_new(link, "type", json_string("bridge"));
		json_object_set_new(link, "ethernet_mac_address", json_of(n->mac));
		json_object_set_new(link, "vif_id", json_of(n->port_id));
		json_object_set_new(link, "mtu", json_integer(1500));
		json_array_append_new(links, link);
		json_array_append_new(networks, network_of(a, n, i));
	}
	json_object_set_new(doc, "links", links);
	json_object_set_new(doc, "networks", networks);
	json_object_set_new(doc, "services", json_array());
	return json_text_of(a, doc);
}

static struct str ec2_data(struct arena *a, const struct machine_spec *s)
{
	AUTO(json_text) doc = json_object();
	struct str host = hostname(a, s), address = STR_NONE;

	for (unsigned i = 0; i < s->nic_count && !address.p; i++)
		address = s->nics[i].address;
	json_object_set_new(doc, "instance-id", json_of(s->id));
	json_object_set_new(doc, "ami-id", json_of(s->image.id));
	json_object_set_new(doc, "hostname", json_of(host));
	json_object_set_new(doc, "local-hostname", json_of(host));
	json_object_set_new(doc, "public-hostname", json_of(host));
	json_object_set_new(doc, "local-ipv4", json_of(address.p ? address : S("")));
	json_object_set_new(doc, "public-ipv4", json_string(""));
	json_object_set_new(doc, "instance-action", json_string("none"));
	json_object_set_new(doc, "ami-launch-index", json_integer(0));
	json_object_set_new(doc, "placement",
			    json_pack("{s:o}", "availability-zone",
				      json_of(s->availability_zone.p ? s->availability_zone :
								       S("nova"))));
	if (s->key.n)
		json_object_set_new(
			doc, "public-keys",
			json_pack("{s:o}", "0",
				  json_pack("{s:o,s:o}", "_name",
					    json_of(arena_printf(a, "0=%.*s", STR(s->key_name))),
					    "openssh-key", json_of(s->key))));
	return json_text_of(a, doc);
}

struct str metadata_document(struct arena *a, const struct machine_spec *s, struct str path)
{
	if (str_ends(path, S("/meta_data.json")))
		return meta_data(a, s);
	if (str_ends(path, S("/network_data.json")))
		return network_data(a, s);
	if (str_ends(path, S("/vendor_data.json")))
		return S("{}");
	if (str_ends(path, S("/meta-data.json")))
		return ec2_data(a, s);
	if (str_ends(path, S("/user_data")) || str_ends(path, S("/user-data")))
		return s->user_data;
	return STR_NONE;
}
