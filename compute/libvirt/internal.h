/* What the files of this folder share. */
#pragma once
#include "compute/libvirt/virt.h"

#include <libvirt/libvirt.h>

#define VIRT_PREFIX "needletail-"

/* A connection that is alive: its own reference (virConnectClose), or NULL with the reason. */
virConnectPtr virt_take(struct virt *v, struct fault *why);
bool virt_uses_kvm(const struct virt *v);
/* What libvirt said last in this thread, as -Exxx and words behind what was tried. */
int virt_failed(const char *what, struct fault *why);
/* Its domain and a reference to its connection: 0, or negative. */
int virt_find(struct virt *v, const char *id, virConnectPtr *ret_conn, virDomainPtr *ret,
	      struct fault *why) must_check;

static inline void virt_conn_end(virConnectPtr *c)
{
	if (*c)
		virConnectClose(*c);
}
static inline void virt_domain_end(virDomainPtr *d)
{
	if (*d)
		virDomainFree(*d);
}
