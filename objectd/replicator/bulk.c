/* Sends many small objects to a peer in one request. */
#include "objectd/replicator/internal.h"

#include "objectd/store/bulk.h"

bool bulk_wants(const struct object_entry *e)
{
	return e->state == OBJECT_TOMBSTONE || e->size <= BULK_OBJECT_BYTES;
}

static void item_of(struct store_object *object, const struct object_id *id, char needs,
		    struct bulk_item *ret)
{
	const struct object_entry *e = store_object_entry(object);

	*ret = (struct bulk_item){
		.policy = id->policy, .data_ts = e->data_ts, .meta_ts = e->meta_ts,
		.name = store_object_name(object),
		.what = e->state == OBJECT_TOMBSTONE ? BULK_TOMBSTONE :
			needs == PEER_NEEDS_DATA     ? BULK_DATA :
						       BULK_METADATA,
	};
	if (ret->what != BULK_TOMBSTONE)
		ret->metadata = *store_object_metadata(object);
}

waits static int add_data(struct store_object *object, struct buf *to, uint64_t size)
{
	struct body *body = size ? store_object_body(object, 0, size - 1) : NULL;
	struct str chunk;
	uint64_t n = 0;
	int rc = 0;

	while (body && (rc = body_next(body, &chunk)) > 0) {
		buf_add_str(to, chunk);
		n += chunk.n;
	}
	body_close(body);
	if (rc == 0 && n != size)
		rc = -EIO;
	return rc;
}

/* Takes back an item that did not fit, or could not be read to its end. */
static void take_back(struct buf *to, size_t before)
{
	to->failed = false;
	to->n = before;
	if (to->cap)
		to->p[before] = 0;
}

int bulk_add(struct replicator *r, struct buf *to, const struct object_id *id, char needs)
{
	AUTO(arena) a = arena_new();
	AUTO(store_object) object = NULL;
	struct bulk_item item;
	size_t before = to->n;
	int rc = store_object_open(r->o->store, id, a, &object);

	if (rc < 0)
		return rc;
	const struct object_entry *e = store_object_entry(object);
	uint64_t size = needs == PEER_NEEDS_DATA && e->state == OBJECT_DATA ? e->size : 0;

	if (size > BULK_OBJECT_BYTES)   /* replaced since it was listed */
		return -ENOENT;
	item_of(object, id, needs, &item);
	size_t at = bulk_begin(to, &item, (uint32_t)size);

	rc = add_data(object, to, size);
	if (rc == 0 && buf_failed(to))
		rc = -EFBIG;
	if (rc == 0)
		bulk_end(to, at);
	else
		take_back(to, before);
	return rc;
}

/* Objects that were read together. What could not be is read singly. */
waits static int add_read(struct replicator *r, struct buf *to, const struct store_bulk_read *b)
{
	struct bulk_item item = { .policy = b->id.policy, .data_ts = b->entry.data_ts,
				  .meta_ts = b->entry.meta_ts, .name = b->name,
				  .metadata = b->metadata };

	if (b->result < 0)
		return bulk_add(r, to, &b->id, PEER_NEEDS_DATA);
	if (b->data.n > BULK_OBJECT_BYTES)      /* replaced since it was listed */
		return -ENOENT;
	item.what = b->entry.state == OBJECT_TOMBSTONE ? BULK_TOMBSTONE : BULK_DATA;
	if (item.what == BULK_TOMBSTONE)
		item.metadata.n = 0;
	size_t before = to->n, at = bulk_begin(to, &item, (uint32_t)b->data.n);

	buf_add_str(to, b->data);
	if (buf_failed(to)) {
		take_back(to, before);
		return -EFBIG;
	}
	bulk_end(to, at);
	return 0;
}

void bulk_add_all(struct replicator *r, struct buf *to, const struct object_id *ids,
		  const char *needs, int *ret, unsigned n)
{
	AUTO(arena) a = arena_new();
	struct store_bulk_read *list = arena_alloc(a, (n + 1) * sizeof *list);
	unsigned reads = 0;

	for (unsigned i = 0; i < n; i++)
		if (needs[i] == PEER_NEEDS_DATA)
			list[reads++] = (struct store_bulk_read){ .id = ids[i] };
	store_read_all(r->o->store, list, reads, a);
	reads = 0;
	for (unsigned i = 0; i < n; i++)
		ret[i] = needs[i] == PEER_NEEDS_DATA ? add_read(r, to, &list[reads++])
						     : bulk_add(r, to, &ids[i], needs[i]);
}

int bulk_send(struct replicator *r, struct peer *p, uint32_t part, struct str body, unsigned n,
	      struct buf *ret)
{
	int rc = replicator_throttle(r, body.n);

	if (rc == 0)
		rc = peer_ask(r, p, part, S("objects"), body, ret);
	if (rc < 0)
		return rc;
	r->now->bytes += body.n;
	if (ret->n != n)
		return -EBADMSG;
	if (memchr(ret->p, BULK_FULL, n))
		peer_failed(r, p, -ENOSPC);
	return 0;
}
