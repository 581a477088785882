/* A machine's description as a document: what is kept of it beside its disk. */
#include "compute/api/api.h"
#include "compute/machine/internal.h"
#include "lib/base/encode.h"
#include "lib/disk/file.h"

enum { VCPUS_MAX = 512, NAME_MAX_BYTES = 255 };
#define RAM_MAX_MIB (16ULL * MIB)
#define DISK_MAX_GIB (1ULL << 20)

int spec_check(const struct machine_spec *s, struct fault *why)
{
	const struct machine_flavor *f = &s->flavor;

	if (!uuid_valid(s->id))
		return fault_set(why, -EINVAL, "The machine's id is no uuid");
	if (f->vcpus < 1 || f->vcpus > VCPUS_MAX || f->ram_mib < 1 || f->ram_mib > RAM_MAX_MIB ||
	    f->disk_gib > DISK_MAX_GIB)
		return fault_set(why, -EINVAL,
				 "The flavor (%u vCPUs, %" PRIu64 " MiB, %" PRIu64
				 " GiB) is none that a machine can have",
				 f->vcpus, f->ram_mib, f->disk_gib);
	if (s->nic_count > MACHINE_NICS_MAX)
		return fault_set(why, -EINVAL, "A machine has at most %d network cards",
				 MACHINE_NICS_MAX);
	if (s->user_data.n > MACHINE_USER_DATA_MAX)
		return fault_set(why, -EINVAL, "User data is larger than %d bytes",
				 MACHINE_USER_DATA_MAX);
	if (s->name.n > NAME_MAX_BYTES)
		return fault_set(why, -EINVAL, "The machine's name is too long");
	for (unsigned i = 0; i < s->nic_count; i++)
		if (s->nics[i].kind == MACHINE_NIC_BRIDGE && !machine_conf.bridge)
			return fault_set(why, -EINVAL,
					 "This host has no network: [machine] bridge is not set");
	return 0;
}

static void put(json_t *doc, const char *key, struct str value)
{
	if (value.p)
		json_object_set_new(doc, key, json_of(value));
}

static json_t *nic_to_json(const struct machine_nic *n)
{
	json_t *doc = json_object();

	json_object_set_new(doc, "kind",
			    json_string(n->kind == MACHINE_NIC_BRIDGE ? "bridge" : "user"));
	put(doc, "port_id", n->port_id);
	put(doc, "network_id", n->network_id);
	put(doc, "mac", n->mac);
	put(doc, "address", n->address);
	put(doc, "gateway", n->gateway);
	json_object_set_new(doc, "prefix", json_integer(n->prefix));
	return doc;
}

static json_t *flavor_to_json(const struct machine_flavor *f)
{
	return json_pack("{s:I,s:I,s:I}", "vcpus", (json_int_t)f->vcpus, "ram_mib",
			 (json_int_t)f->ram_mib, "disk_gib", (json_int_t)f->disk_gib);
}

static json_t *image_to_json(const struct machine_image *i)
{
	json_t *doc = json_object();

	put(doc, "id", i->id);
	put(doc, "disk_format", i->disk_format);
	put(doc, "hash_algo", i->hash_algo);
	put(doc, "hash", i->hash);
	put(doc, "checksum", i->checksum);
	json_object_set_new(doc, "size", json_integer((json_int_t)i->size));
	return doc;
}

json_t *spec_to_json(const struct machine_spec *s)
{
	json_t *doc = json_object(), *nics = json_array();

	put(doc, "id", s->id);
	put(doc, "name", s->name);
	put(doc, "hostname", s->hostname);
	put(doc, "project_id", s->project_id);
	put(doc, "user_id", s->user_id);
	put(doc, "availability_zone", s->availability_zone);
	put(doc, "key_name", s->key_name);
	put(doc, "key", s->key);
	json_object_set_new(doc, "flavor", flavor_to_json(&s->flavor));
	json_object_set_new(doc, "image", image_to_json(&s->image));
	json_object_set_new(doc, "config_drive", json_boolean(s->config_drive));
	if (s->metadata)
		json_object_set_new(doc, "metadata", json_deep_copy(s->metadata));
	if (s->user_data.p) {
		CLEANUP(buf_done) struct buf text = BUF(2 * MACHINE_USER_DATA_MAX);

		base64_encode(&text, s->user_data.p, s->user_data.n);
		put(doc, "user_data", buf_str(&text));
	}
	for (unsigned i = 0; i < s->nic_count; i++)
		json_array_append_new(nics, nic_to_json(&s->nics[i]));
	json_object_set_new(doc, "nics", nics);
	return doc;
}

static uint64_t number(const json_t *doc, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(doc, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void flavor_from_json(const json_t *doc, struct machine_flavor *ret)
{
	ret->vcpus = (unsigned)number(doc, "vcpus");
	ret->ram_mib = number(doc, "ram_mib");
	ret->disk_gib = number(doc, "disk_gib");
}

static void image_from_json(const json_t *doc, struct machine_image *ret)
{
	ret->id = json_str(doc, "id");
	ret->disk_format = json_str(doc, "disk_format");
	ret->hash_algo = json_str(doc, "hash_algo");
	ret->hash = json_str(doc, "hash");
	ret->checksum = json_str(doc, "checksum");
	ret->size = number(doc, "size");
}

static void nics_from_json(struct arena *a, const json_t *list, struct machine_spec *ret)
{
	unsigned n = (unsigned)MIN(json_array_size(list), (size_t)MACHINE_NICS_MAX);
	struct machine_nic *nics = arena_zalloc(a, (n + 1) * sizeof *nics);

	for (unsigned i = 0; i < n; i++) {
		const json_t *doc = json_array_get(list, i);

		nics[i] = (struct machine_nic){
			.kind = str_eq(json_str(doc, "kind"), S("bridge")) ? MACHINE_NIC_BRIDGE :
									     MACHINE_NIC_USER,
			.port_id = json_str(doc, "port_id"),
			.network_id = json_str(doc, "network_id"),
			.mac = json_str(doc, "mac"),
			.address = json_str(doc, "address"),
			.gateway = json_str(doc, "gateway"),
			.prefix = (unsigned)number(doc, "prefix"),
		};
	}
	ret->nics = nics;
	ret->nic_count = n;
}

void spec_from_json(struct arena *a, const json_t *doc, struct machine_spec *ret)
{
	struct str user_data = json_str(doc, "user_data");

	*ret = (struct machine_spec){
		.id = json_str(doc, "id"),
		.name = json_str(doc, "name"),
		.hostname = json_str(doc, "hostname"),
		.project_id = json_str(doc, "project_id"),
		.user_id = json_str(doc, "user_id"),
		.availability_zone = json_str(doc, "availability_zone"),
		.config_drive = json_is_true(json_object_get(doc, "config_drive")),
		.metadata = json_object_get(doc, "metadata"),
		.key_name = json_str(doc, "key_name"),
		.key = json_str(doc, "key"),
	};
	flavor_from_json(json_object_get(doc, "flavor"), &ret->flavor);
	image_from_json(json_object_get(doc, "image"), &ret->image);
	nics_from_json(a, json_object_get(doc, "nics"), ret);
	if (user_data.p) {
		CLEANUP(buf_done) struct buf bytes = BUF(MACHINE_USER_DATA_MAX);

		if (base64_decode(&bytes, user_data) == 0)
			ret->user_data = arena_str(a, buf_str(&bytes));
	}
}

struct saving {
	struct str path, text;
	struct fault *why;
	int rc;
};

static void save(void *arg)
{
	struct saving *s = arg;
	int rc = file_replace(s->path.p, s->text);

	s->rc = rc < 0 ? fault_set(s->why, rc, "%s cannot be written: %s", s->path.p,
				   strerror(-rc)) :
			 0;
}

int spec_save(struct machines *m, struct machine *one, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct saving s = { .path = machine_path(m, a, one->id, "machine.json"),
			    .text = json_text_of(a, one->doc),
			    .why = why };

	IN_POOL("machine.json", save, &s);
	return s.rc;
}
