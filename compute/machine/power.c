/* On and off, and what is between. */
#include "compute/machine/internal.h"
#include "lib/base/clock.h"

enum { POLL_MS = 200 };

static const char *const state_names[] = {
	[VIRT_IS_OFF] = "off",
	[VIRT_IS_RUNNING] = "running",
	[VIRT_IS_PAUSED] = "paused",
	[VIRT_IS_SAVED] = "suspended",
	[VIRT_IS_CRASHED] = "stopped by an error",
};

int machine_wrong_state(enum virt_state s, const char *what, struct fault *why)
{
	return fault_set(why, -EBUSY, "The machine cannot be %s: it is %s", what, state_names[s]);
}

int machine_power_off(struct machines *m, const struct machine *one, uint64_t timeout_ms,
		      struct fault *why)
{
	uint64_t until = clock_mono_ms() + timeout_ms;
	enum virt_state s;
	int rc = machine_ask(m, one, &s, why);

	if (rc < 0)
		return rc;
	if (s == VIRT_IS_OFF)
		return 0;
	if (s == VIRT_IS_SAVED)
		return machine_act(m, one, VIRT_DROP_SAVED, why);
	/* A guest that does not run would not see the button. */
	if (s == VIRT_IS_RUNNING && timeout_ms)
		rc = machine_act(m, one, VIRT_SHUTDOWN, why);
	while (rc == 0 && s == VIRT_IS_RUNNING && clock_mono_ms() < until && !one->doomed) {
		rc = task_sleep(POLL_MS);
		if (rc == 0)
			rc = machine_ask(m, one, &s, why);
	}
	if (rc == -ECANCELED || (rc == 0 && s == VIRT_IS_OFF))
		return rc;
	return machine_act(m, one, VIRT_OFF, why);
}

int machine_stop(struct machines *m, struct str id, uint64_t timeout_ms, struct fault *why)
{
	struct machine *one;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	rc = machine_power_off(m, one, timeout_ms, why);
	machine_leave(m, one);
	return rc;
}

int machine_reboot(struct machines *m, struct str id, bool hard, uint64_t timeout_ms,
		   struct fault *why)
{
	struct machine *one;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	rc = machine_power_off(m, one, hard ? 0 : timeout_ms, why);
	/* What was changed in the configuration or lost in libvirt is put right by the way. */
	if (rc == 0 || (hard && rc == -ENOENT))
		rc = machine_define(m, one, why);
	if (rc == 0)
		rc = machine_act(m, one, VIRT_START, why);
	machine_leave(m, one);
	return rc;
}

/* An action that is right in one or two states, and done already in another. */
struct change {
	enum virt_action action;
	enum virt_state from, or_from, to;
	const char *what;
};

waits static int change(struct machines *m, struct str id, const struct change *c,
			struct fault *why)
{
	struct machine *one;
	enum virt_state s;
	int rc = machine_enter(m, id, &one, why);

	if (rc < 0)
		return rc;
	rc = machine_ask(m, one, &s, why);
	if (rc == 0 && s != c->to)
		rc = s == c->from || s == c->or_from ? machine_act(m, one, c->action, why) :
						       machine_wrong_state(s, c->what, why);
	machine_leave(m, one);
	return rc;
}

int machine_start(struct machines *m, struct str id, struct fault *why)
{
	static const struct change c = { VIRT_START, VIRT_IS_OFF, VIRT_IS_SAVED, VIRT_IS_RUNNING,
					 "started" };

	return change(m, id, &c, why);
}

int machine_pause(struct machines *m, struct str id, struct fault *why)
{
	static const struct change c = { VIRT_PAUSE, VIRT_IS_RUNNING, VIRT_IS_RUNNING,
					 VIRT_IS_PAUSED, "paused" };

	return change(m, id, &c, why);
}

int machine_unpause(struct machines *m, struct str id, struct fault *why)
{
	static const struct change c = { VIRT_UNPAUSE, VIRT_IS_PAUSED, VIRT_IS_CRASHED,
					 VIRT_IS_RUNNING, "unpaused" };

	return change(m, id, &c, why);
}

int machine_suspend(struct machines *m, struct str id, struct fault *why)
{
	static const struct change c = { VIRT_SAVE, VIRT_IS_RUNNING, VIRT_IS_PAUSED,
					 VIRT_IS_SAVED, "suspended" };

	return change(m, id, &c, why);
}

int machine_resume(struct machines *m, struct str id, struct fault *why)
{
	static const struct change c = { VIRT_START, VIRT_IS_SAVED, VIRT_IS_SAVED,
					 VIRT_IS_RUNNING, "resumed" };

	return change(m, id, &c, why);
}
