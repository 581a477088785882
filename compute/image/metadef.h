/* Metadata definitions (Glance's metadefs): namespaces with objects, properties, tags and the
 * resource types they are for. A namespace is one record with all that is in it. */
#pragma once
#include "compute/image/image.h"

waits void metadef_resource_types(struct api_call *c);
waits void metadef_namespaces(struct api_call *c);
waits void metadef_namespace_create(struct api_call *c);
waits void metadef_namespace_show(struct api_call *c);
waits void metadef_namespace_update(struct api_call *c);
waits void metadef_namespace_delete(struct api_call *c);
/* "objects", "properties", "tags" or "resource_types" of a namespace. */
waits void metadef_items(struct api_call *c);
waits void metadef_items_add(struct api_call *c);
waits void metadef_items_clear(struct api_call *c);
waits void metadef_item_show(struct api_call *c);
waits void metadef_item_create(struct api_call *c);
waits void metadef_item_update(struct api_call *c);
waits void metadef_item_delete(struct api_call *c);
