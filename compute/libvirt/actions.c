/* What is done to domains, and what they are asked. */
#include "compute/libvirt/internal.h"

#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/tree.h>


int virt_define(struct virt *v, const struct virt_domain *d, struct fault *why)
{
	AUTO(arena) a = arena_new();
	struct str xml;
	int rc = virt_domain_xml(a, d, virt_uses_kvm(v), &xml, why);

	if (rc < 0)
		return rc;
	CLEANUP(virt_conn_end) virConnectPtr c = virt_take(v, why);

	if (!c)
		return -ENOTCONN;
	CLEANUP(virt_domain_end) virDomainPtr dom = virDomainDefineXML(c, xml.p);

	return dom ? 0 : virt_failed("The machine cannot be defined", why);
}

static int off(virDomainPtr d)
{
	int rc = virDomainDestroy(d);

	/* It may have gone by itself; right after a reconnection the call can fail though it
	 * does what it should. */
	return rc < 0 && virDomainIsActive(d) == 0 ? 0 : rc;
}

static int forget(virDomainPtr d)
{
	return virDomainUndefineFlags(d, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
						 VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
						 VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
						 VIR_DOMAIN_UNDEFINE_NVRAM);
}

static int start(virDomainPtr d) { return virDomainCreate(d); }
static int power_button(virDomainPtr d)
{
	return virDomainShutdownFlags(d, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
}
static int save(virDomainPtr d) { return virDomainManagedSave(d, 0); }
static int drop_saved(virDomainPtr d)
{
	return virDomainHasManagedSaveImage(d, 0) == 1 ? virDomainManagedSaveRemove(d, 0) : 0;
}

static const struct {
	int (*run)(virDomainPtr d);
	const char *failed;
} actions[] = {
	[VIRT_START] = { start, "The machine cannot be started" },
	[VIRT_SHUTDOWN] = { power_button, "The machine cannot be shut down" },
	[VIRT_OFF] = { off, "The machine cannot be turned off" },
	[VIRT_PAUSE] = { virDomainSuspend, "The machine cannot be paused" },
	[VIRT_UNPAUSE] = { virDomainResume, "The machine cannot go on" },
	[VIRT_SAVE] = { save, "The machine cannot be suspended" },
	[VIRT_FORGET] = { forget, "The machine cannot be removed from libvirt" },
	[VIRT_DROP_SAVED] = { drop_saved, "The suspended machine cannot be given up" },
	[VIRT_ABORT_JOB] = { virDomainAbortJob, "The job cannot be ended" },
};

int virt_do(struct virt *v, const char *id, enum virt_action action, struct fault *why)
{
	CLEANUP(virt_conn_end) virConnectPtr c = NULL;
	CLEANUP(virt_domain_end) virDomainPtr d = NULL;
	int rc = virt_find(v, id, &c, &d, why);

	if (rc < 0)
		return rc;
	return actions[action].run(d) < 0 ? virt_failed(actions[action].failed, why) : 0;
}

/* ---- asking ---- */

static int state_of(virDomainPtr d, enum virt_state *ret)
{
	int state = VIR_DOMAIN_NOSTATE, reason = 0;

	if (virDomainGetState(d, &state, &reason, 0) < 0)
		return -1;
	switch (state) {
	case VIR_DOMAIN_PAUSED:
		*ret = reason == VIR_DOMAIN_PAUSED_IOERROR || reason == VIR_DOMAIN_PAUSED_CRASHED ?
			       VIRT_IS_CRASHED :
			       VIRT_IS_PAUSED;
		break;
	case VIR_DOMAIN_CRASHED:
		*ret = VIRT_IS_CRASHED;
		break;
	case VIR_DOMAIN_SHUTOFF:
		*ret = virDomainHasManagedSaveImage(d, 0) == 1 ? VIRT_IS_SAVED : VIRT_IS_OFF;
		break;
	case VIR_DOMAIN_NOSTATE:
		*ret = VIRT_IS_OFF;
		break;
	default:
		*ret = VIRT_IS_RUNNING;
	}
	return 0;
}

int virt_state(struct virt *v, const char *id, enum virt_state *ret, struct fault *why)
{
	CLEANUP(virt_conn_end) virConnectPtr c = NULL;
	CLEANUP(virt_domain_end) virDomainPtr d = NULL;
	int rc = virt_find(v, id, &c, &d, why);

	if (rc < 0)
		return rc;
	return state_of(d, ret) < 0 ? virt_failed("The machine cannot be asked", why) : 0;
}

int virt_list(struct virt *v, struct arena *a, struct virt_entry **ret, unsigned *ret_n,
	      struct fault *why)
{
	CLEANUP(virt_conn_end) virConnectPtr c = virt_take(v, why);
	virDomainPtr *all = NULL;
	unsigned n = 0;

	if (!c)
		return -ENOTCONN;
	int count = virConnectListAllDomains(c, &all, 0);

	if (count < 0)
		return virt_failed("The machines cannot be listed", why);
	struct virt_entry *list = arena_zalloc(a, (size_t)(count + 1) * sizeof *list);

	for (int i = 0; i < count; i++) {
		struct str name = str_from(virDomainGetName(all[i]));

		/* One may go while it is asked. */
		if (str_starts(name, S(VIRT_PREFIX)) && state_of(all[i], &list[n].state) == 0 &&
		    virDomainGetUUIDString(all[i], list[n].id) == 0)
			n++;
		virDomainFree(all[i]);
	}
	free(all);
	*ret = list;
	*ret_n = n;
	return 0;
}

static struct str backup_xml(struct arena *a, const char *path)
{
	xmlDocPtr doc = xmlNewDoc((const xmlChar *)"1.0");
	xmlNodePtr backup = xmlNewNode(NULL, (const xmlChar *)"domainbackup"), n;
	xmlChar *text = NULL;
	int size = 0;

	xmlDocSetRootElement(doc, backup);
	xmlNewProp(backup, (const xmlChar *)"mode", (const xmlChar *)"push");
	n = xmlNewChild(backup, NULL, (const xmlChar *)"disks", NULL);
	n = xmlNewChild(n, NULL, (const xmlChar *)"disk", NULL);
	xmlNewProp(n, (const xmlChar *)"name", (const xmlChar *)"vda");
	xmlNewProp(n, (const xmlChar *)"type", (const xmlChar *)"file");
	xmlNewProp(n, (const xmlChar *)"backup", (const xmlChar *)"yes");
	xmlNewProp(xmlNewChild(n, NULL, (const xmlChar *)"target", NULL), (const xmlChar *)"file",
		   (const xmlChar *)path);
	xmlNewProp(xmlNewChild(n, NULL, (const xmlChar *)"driver", NULL), (const xmlChar *)"type",
		   (const xmlChar *)"qcow2");
	xmlDocDumpMemoryEnc(doc, &text, &size, "UTF-8");
	struct str xml = arena_str(a, str_of((const char *)text, (size_t)size));

	xmlFree(text);
	xmlFreeDoc(doc);
	return xml;
}

int virt_backup_begin(struct virt *v, const char *id, const char *path, struct fault *why)
{
	AUTO(arena) a = arena_new();
	CLEANUP(virt_conn_end) virConnectPtr c = NULL;
	CLEANUP(virt_domain_end) virDomainPtr d = NULL;
	int rc = virt_find(v, id, &c, &d, why);

	if (rc == 0 && virDomainBackupBegin(d, backup_xml(a, path).p, NULL, 0) < 0)
		rc = virt_failed("The machine's disk cannot be copied", why);
	return rc;
}

int virt_backup_poll(struct virt *v, const char *id, struct fault *why)
{
	CLEANUP(virt_conn_end) virConnectPtr c = NULL;
	CLEANUP(virt_domain_end) virDomainPtr d = NULL;
	virTypedParameterPtr params = NULL;
	int n = 0, type = VIR_DOMAIN_JOB_NONE, success = 0;
	int rc = virt_find(v, id, &c, &d, why);

	if (rc < 0)
		return rc;
	if (virDomainGetJobStats(d, &type, &params, &n, 0) < 0)
		return virt_failed("The copy of the machine's disk cannot be watched", why);
	virTypedParamsFree(params, n);
	if (type != VIR_DOMAIN_JOB_NONE)
		return 1;
	params = NULL;
	n = 0;
	if (virDomainGetJobStats(d, &type, &params, &n, VIR_DOMAIN_JOB_STATS_COMPLETED) < 0)
		return virt_failed("How the copy of the machine's disk ended is not known", why);
	if (type == VIR_DOMAIN_JOB_COMPLETED &&
	    virTypedParamsGetBoolean(params, n, VIR_DOMAIN_JOB_SUCCESS, &success) <= 0)
		success = 1;
	const char *said = NULL;

	(void)!virTypedParamsGetString(params, n, VIR_DOMAIN_JOB_ERRMSG, &said);
	if (!success)
		rc = fault_set(why, said && strstr(said, "No space left") ? -ENOSPC : -EIO,
			       "The machine's disk could not be copied: %s",
			       said ? said : "the copy was ended");
	virTypedParamsFree(params, n);
	return rc;
}

/* The port of <graphics type="vnc" port="5900">. */
static int vnc_port(const char *text, unsigned *ret)
{
	xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), "domain.xml", NULL,
				      XML_PARSE_NONET | XML_PARSE_NOERROR);
	int rc = -ENOENT;

	if (!doc)
		return -EIO;
	for (xmlNodePtr n = xmlDocGetRootElement(doc)->children; n; n = n->next)
		for (xmlNodePtr g = n->children; g; g = g->next) {
			if (!xmlStrEqual(g->name, (const xmlChar *)"graphics"))
				continue;
			xmlChar *port = xmlGetProp(g, (const xmlChar *)"port");
			uint64_t value;

			if (port && str_to_u64(str_from((char *)port), &value) == 0 && value) {
				*ret = (unsigned)value;
				rc = 0;
			}
			xmlFree(port);
		}
	xmlFreeDoc(doc);
	return rc;
}

int virt_vnc(struct virt *v, const char *id, unsigned *ret_port, struct fault *why)
{
	CLEANUP(virt_conn_end) virConnectPtr c = NULL;
	CLEANUP(virt_domain_end) virDomainPtr d = NULL;
	int rc = virt_find(v, id, &c, &d, why);

	if (rc < 0)
		return rc;
	AUTO(chars) text = virDomainGetXMLDesc(d, 0);

	if (!text)
		return virt_failed("The machine cannot be asked", why);
	rc = vnc_port(text, ret_port);
	return rc < 0 ? fault_set(why, -EBUSY, "The machine has no VNC console now") : 0;
}
