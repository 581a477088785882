/* A domain as libvirt wants it written: built as a tree, so that no value can become markup. */
#include "compute/libvirt/internal.h"

#include <libxml/tree.h>
#include <sys/utsname.h>

enum { NIC_SLOT = 0x10, ARG_MAX_TEXT = 256 };

#define QEMU_NS "http://libvirt.org/schemas/domain/qemu/1.0"
#define X(text) ((const xmlChar *)(text))

static xmlNodePtr add(xmlNodePtr to, const char *name)
{
	return xmlNewChild(to, NULL, X(name), NULL);
}

static xmlNodePtr add_text(xmlNodePtr to, const char *name, const char *text)
{
	return xmlNewTextChild(to, NULL, X(name), X(text));
}

static void set(xmlNodePtr n, const char *name, const char *value)
{
	xmlNewProp(n, X(name), X(value));
}


static xmlNodePtr add_number(xmlNodePtr to, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	return add_text(to, name, text);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* "52:54:00:00:00:01" and nothing else: it goes onto QEMU's command line. */
static bool is_mac(const char *mac)
{
	if (!mac || strlen(mac) != 17)
		return false;
	for (unsigned i = 0; i < 17; i++)
		if (i % 3 == 2 ? mac[i] != ':' : !is_hex(mac[i]))
			return false;
	return true;
}

static bool is_uuid(const char *id)
{
	if (!id || strlen(id) != VIRT_ID_SIZE - 1)
		return false;
	for (unsigned i = 0; i < VIRT_ID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? id[i] != '-' : !is_hex(id[i]))
			return false;
	}
	return true;
}

static void add_disk(xmlNodePtr devices, const struct virt_disk *d, unsigned i)
{
	xmlNodePtr disk = add(devices, "disk"), n;
	char dev[4] = { 'v', 'd', (char)('a' + i), 0 };

	set(disk, "type", "file");
	set(disk, "device", "disk");
	n = add(disk, "driver");
	set(n, "name", "qemu");
	set(n, "type", d->format);
	if (!d->read_only)
		set(n, "discard", "unmap");
	set(add(disk, "source"), "file", d->path);
	n = add(disk, "target");
	set(n, "dev", dev);
	set(n, "bus", "virtio");
	if (d->read_only)
		add(disk, "readonly");
}

static void add_bridge_nic(xmlNodePtr devices, const struct virt_nic *nic)
{
	xmlNodePtr n = add(devices, "interface");

	set(n, "type", "bridge");
	set(add(n, "mac"), "address", nic->mac);
	set(add(n, "source"), "bridge", nic->bridge);
	if (nic->tap)
		set(add(n, "target"), "dev", nic->tap);
	set(add(n, "model"), "type", "virtio");
	set(add(n, "rom"), "enabled", "no");
}

/* libvirt cannot say restrict=on, without which a guest is in the host's network. */
static void add_user_nic(xmlNodePtr line, xmlNsPtr ns, const struct virt_nic *nic, unsigned i)
{
	char netdev[ARG_MAX_TEXT], device[ARG_MAX_TEXT];

	snprintf(netdev, sizeof netdev, "user,id=restricted%u,restrict=on", i);
	snprintf(device, sizeof device,
		 "virtio-net-pci,netdev=restricted%u,mac=%s,romfile=,addr=0x%x", i, nic->mac,
		 NIC_SLOT + i);
	const char *args[] = { "-netdev", netdev, "-device", device };

	for (unsigned k = 0; k < ARRAY_LEN(args); k++)
		set(xmlNewChild(line, ns, X("arg"), NULL), "value", args[k]);
}

static void add_console(xmlNodePtr devices, const struct virt_domain *d)
{
	xmlNodePtr n = add(devices, "serial");

	set(n, "type", "pty");
	if (d->console_log) {
		xmlNodePtr log = add(n, "log");

		set(log, "file", d->console_log);
		set(log, "append", "on");
	}
	set(add(n, "target"), "port", "0");
	if (!d->vnc_ip)
		return;
	n = add(devices, "graphics");
	set(n, "type", "vnc");
	set(n, "port", "-1");
	set(n, "autoport", "yes");
	set(n, "listen", d->vnc_ip);
	set(add(add(devices, "video"), "model"), "type", "vga");
}

static void add_devices(xmlNodePtr domain, xmlNsPtr qemu, const struct virt_domain *d)
{
	xmlNodePtr devices = add(domain, "devices"), line = NULL, n;

	for (unsigned i = 0; i < d->disk_count; i++)
		add_disk(devices, &d->disks[i], i);
	n = add(devices, "controller");
	set(n, "type", "usb");
	set(n, "model", "none");
	for (unsigned i = 0; i < d->nic_count; i++)
		if (d->nics[i].bridge)
			add_bridge_nic(devices, &d->nics[i]);
	add_console(devices, d);
	n = add(devices, "rng");
	set(n, "model", "virtio");
	set(add_text(n, "backend", "/dev/urandom"), "model", "random");
	set(add(devices, "memballoon"), "model", "virtio");
	for (unsigned i = 0; i < d->nic_count; i++) {
		if (d->nics[i].bridge)
			continue;
		if (!line)
			line = xmlNewChild(domain, qemu, X("commandline"), NULL);
		add_user_nic(line, qemu, &d->nics[i], i);
	}
}

static void add_head(xmlNodePtr domain, const struct virt_domain *d, bool kvm)
{
	char name[sizeof VIRT_PREFIX + VIRT_ID_SIZE];
	struct utsname host;
	xmlNodePtr n;

	snprintf(name, sizeof name, VIRT_PREFIX "%s", d->id);
	set(domain, "type", kvm ? "kvm" : "qemu");
	add_text(domain, "name", name);
	add_text(domain, "uuid", d->id);
	set(add_number(domain, "memory", d->ram_mib), "unit", "MiB");
	add_number(domain, "vcpu", d->vcpus);
	if (kvm)
		set(add(domain, "cpu"), "mode", "host-model");
	xmlNodePtr os = add(domain, "os");

	n = add_text(os, "type", "hvm");
	if (uname(&host) == 0) {
		set(n, "arch", host.machine);
		set(n, "machine", strcmp(host.machine, "x86_64") == 0 ? "q35" : "virt");
	}
	set(add(os, "boot"), "dev", "hd");
	add(add(domain, "features"), "acpi");
	add_text(domain, "on_poweroff", "destroy");
	add_text(domain, "on_reboot", "restart");
	add_text(domain, "on_crash", "destroy");
}

int virt_domain_xml(struct arena *a, const struct virt_domain *d, bool kvm, struct str *ret,
		    struct fault *why)
{
	if (!is_uuid(d->id))
		return fault_set(why, -EINVAL, "\"%s\" is no uuid", d->id ? d->id : "");
	for (unsigned i = 0; i < d->nic_count; i++)
		if (!is_mac(d->nics[i].mac))
			return fault_set(why, -EINVAL, "A network card has no valid MAC address");
	assert(d->disk_count <= VIRT_DISKS_MAX && d->nic_count <= VIRT_NICS_MAX);
	xmlDocPtr doc = xmlNewDoc(X("1.0"));
	xmlNodePtr domain = xmlNewNode(NULL, X("domain"));
	xmlNsPtr qemu = xmlNewNs(domain, X(QEMU_NS), X("qemu"));
	xmlChar *text = NULL;
	int n = 0;

	xmlDocSetRootElement(doc, domain);
	add_head(domain, d, kvm);
	add_devices(domain, qemu, d);
	xmlDocDumpMemoryEnc(doc, &text, &n, "UTF-8");
	*ret = arena_str(a, str_of((const char *)text, (size_t)n));
	xmlFree(text);
	xmlFreeDoc(doc);
	return 0;
}
