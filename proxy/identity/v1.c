/* v1 users as the records have them: a password that was changed, a user who was disabled. */
#include "proxy/identity/backoff.h"
#include "proxy/identity/store.h"
#include "proxy/identity/users.h"

static struct str record_of(struct arena *a, struct str user)
{
	return identity_made_id(a, "user", user);
}

int identity_v1_login(struct request *req, struct str user, struct str key)
{
	struct identity *id = identity_self();
	int rc = backoff_wait(req->peer_ip, user);

	if (rc < 0)
		return rc;
	store_refresh(id);
	struct str record = record_of(req->arena, user);

	rc = key.n ? password_check(id, record, key) : -EACCES;
	if (rc == 0 && !identity_user_enabled(id, record))
		rc = -EACCES;
	if (rc != -EBUSY)
		backoff_done(req->peer_ip, user, rc == 0);
	return rc;
}

int64_t identity_v1_since(struct arena *a, struct str user)
{
	struct identity *id = identity_self();
	struct str record = record_of(a, user);

	store_catch_up(id);
	const json_t *doc = records_get(id->records, RECORD_USER, record);

	if (!identity_user_enabled(id, record))
		return INT64_MAX;
	return json_integer_value(json_object_get(doc, "_tokens_after_us")) / 1000000;
}
