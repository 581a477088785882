/* Records in the store itself: the objects of the hidden account .identity, container records,
 * named <kind>/<id>. Every worker keeps all of them in memory. One that changes something tells its
 * siblings through a shared table, and the other proxies by a stamp that all look at every two
 * seconds. */
#pragma once
#include "proxy/identity/identity.h"

/* Once, before the workers are forked. */
void identity_share(void);
/* Begins to load in the background. */
void identity_start(struct proxy *p);
waits void identity_stop(void);
/* The configuration was read again: its users, their roles, the catalog, the keys. */
void identity_reload(void);
/* The one of this worker. */
struct identity *identity_self(void);

/* Returns when the records have been loaded, or after some seconds without; and with what the other
 * workers of this host have changed. */
waits void store_refresh(struct identity *id);
/* The same, without waiting for the records to be loaded for the first time. */
waits void store_catch_up(struct identity *id);
/* Writes a record, or removes it (doc NULL), and returns when it is durable and this host's workers
 * know. Takes the reference. 0, or a negative errno. */
waits must_check int store_write(struct identity *id, enum record_kind kind, struct str key,
				 json_t *doc);
