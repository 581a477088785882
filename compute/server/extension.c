/* The list of extensions, which is history: clients look whether a name is there.
 * Nova: api/openstack/compute/extension_info.py */
#include "compute/server/server.h"

static const struct {
	const char *alias, *name;
} extensions[] = {
	{ "os-aggregates", "Aggregates" },
	{ "os-attach-interfaces", "AttachInterfaces" },
	{ "os-availability-zone", "AvailabilityZone" },
	{ "os-config-drive", "ConfigDrive" },
	{ "os-console-output", "ConsoleOutput" },
	{ "os-consoles", "Consoles" },
	{ "OS-DCF", "DiskConfig" },
	{ "os-deferred-delete", "DeferredDelete" },
	{ "OS-EXT-AZ", "ExtendedAvailabilityZone" },
	{ "OS-EXT-IPS", "ExtendedIps" },
	{ "OS-EXT-IPS-MAC", "ExtendedIpsMac" },
	{ "OS-EXT-SRV-ATTR", "ExtendedServerAttributes" },
	{ "OS-EXT-STS", "ExtendedStatus" },
	{ "os-extended-volumes", "ExtendedVolumes" },
	{ "os-flavor-access", "FlavorAccess" },
	{ "os-flavor-extra-specs", "FlavorExtraSpecs" },
	{ "os-flavor-manage", "FlavorManage" },
	{ "os-hypervisors", "Hypervisors" },
	{ "os-hosts", "Hosts" },
	{ "os-instance-actions", "InstanceActions" },
	{ "os-keypairs", "Keypairs" },
	{ "os-limits", "Limits" },
	{ "os-lock-server", "LockServer" },
	{ "os-pause-server", "PauseServer" },
	{ "os-quota-sets", "Quotas" },
	{ "os-rescue", "Rescue" },
	{ "os-server-groups", "ServerGroups" },
	{ "os-services", "Services" },
	{ "os-simple-tenant-usage", "SimpleTenantUsage" },
	{ "OS-SCH-HNT", "SchedulerHints" },
	{ "OS-SRV-USG", "ServerUsage" },
	{ "os-suspend-server", "SuspendServer" },
	{ "os-user-data", "UserData" },
};

static json_t *view_of(size_t i)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[]}", "alias", extensions[i].alias, "name",
			 extensions[i].name, "namespace",
			 "http://docs.openstack.org/compute/ext/", "description",
			 extensions[i].name, "updated", "2014-12-03T00:00:00Z", "links");
}

void extension_list(struct api_call *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		json_array_append_new(list, view_of(i));
	api_respond(c, 200, json_pack("{s:o}", "extensions", list));
}

void extension_show(struct api_call *c)
{
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		if (str_eq(c->arg[0], str_from(extensions[i].alias))) {
			api_respond(c, 200, json_pack("{s:o}", "extension", view_of(i)));
			return;
		}
	api_error(c, 404, "The resource could not be found.");
}
