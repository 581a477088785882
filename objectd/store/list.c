/* Listing: ranges of hashes for replication, objects whose time is over for the expirer. */
#include "objectd/store/internal.h"

struct list_job {
	struct store *s;
	uint16_t policy;
	const unsigned char *from, *last;
	struct object_listed *ret;
	unsigned max, n;
	int result;
};

static void list_job(void *arg)
{
	struct list_job *j = arg;
	struct object_id id = { .policy = j->policy };
	struct index_entry e;
	char key[INDEX_KEY_SIZE];
	struct kv_iter *it = kv_iter_new(j->s->kv);

	memcpy(id.hash, j->from, 16);
	index_key(&id, key);
	for (kv_iter_seek(it, str_of(key, sizeof key)); j->n < j->max && kv_iter_valid(it);
	     kv_iter_next(it)) {
		if (index_key_parse(kv_iter_key(it), &id) < 0 || id.policy != j->policy ||
		    memcmp(id.hash, j->last, 16) > 0)
			break;
		if (index_value_parse(kv_iter_value(it), &e) < 0) {
			j->result = -EIO;
			break;
		}
		memcpy(j->ret[j->n].hash, id.hash, 16);
		j->ret[j->n++].entry = e.e;
	}
	if (j->result == 0)
		j->result = kv_iter_error(it);
	kv_iter_free(it);
}

int store_list(struct store *s, uint16_t policy, const unsigned char from[16],
	       const unsigned char last[16], struct object_listed *ret, unsigned max)
{
	struct list_job j = {
		.s = s, .policy = policy, .from = from, .last = last, .ret = ret, .max = max
	};

	assert(s->magic == STORE_MAGIC);
	task_run_blocking("list objects", list_job, &j);
	return j.result < 0 ? j.result : (int)j.n;
}

struct expired_job {
	struct store *s;
	int64_t now;
	struct object_id *ret;
	unsigned max, n;
	int result;
};

static void expired_job(void *arg)
{
	struct expired_job *j = arg;
	struct kv_iter *it = kv_iter_new(j->s->kv);
	int64_t at;

	for (kv_iter_seek(it, S("vx")); j->n < j->max && kv_iter_valid(it); kv_iter_next(it)) {
		if (expiry_key_parse('x', kv_iter_key(it), &at, &j->ret[j->n]) < 0 || at > j->now)
			break;
		j->n++;
	}
	j->result = kv_iter_error(it);
	kv_iter_free(it);
}

int store_list_expired(struct store *s, int64_t now_s, struct object_id *ret, unsigned max)
{
	struct expired_job j = { .s = s, .now = now_s, .ret = ret, .max = max };

	assert(s->magic == STORE_MAGIC);
	task_run_blocking("list expired objects", expired_job, &j);
	return j.result < 0 ? j.result : (int)j.n;
}
