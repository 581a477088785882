/* A middleware is one file with a handle function that calls middleware_next: before it is the way
 * in, after it the way out. Which there are and their order is the table in proxy/pipeline.c; each
 * makes its sub-requests by calling the pipeline and knows nothing of another. */
#pragma once
#include "lib/conf/conf.h"
#include "proxy/proxy.h"

struct middleware {
	const struct middleware_kind *kind;
	void *state;
	struct middleware *next;
	struct proxy *proxy;
};

struct middleware_kind {
	const char *name;               /* Swift's */
	const struct conf_section
		*section; /* its settings, [name]; NULL: none. Read before start */
	bool optional;                  /* in the pipeline only when [proxy] enable names it */
	bool required;                  /* [proxy] disable cannot take it out */
	/* Makes the state from the configuration; may register into proxy->info. 0 or an error with
	 * the reason. May be NULL. */
	int (*start)(struct middleware *mw, struct proxy *proxy, struct fault *why);
	void (*stop)(struct middleware *mw);    /* may be NULL */
	/* The configuration was read again: takes over what can change, or keeps the old and says
	 * why. May be NULL. */
	int (*reload)(struct middleware *mw, struct fault *why);
	/* Answers, or calls middleware_next and changes what came back. Waits. */
	void (*handle)(struct middleware *mw, struct request *req, struct response *res);
};

waits static inline void middleware_next(struct middleware *mw, struct request *req,
					 struct response *res)
{
	mw->next->kind->handle(mw->next, req, res);
}
/* A sub-request from this middleware: goes to what stands behind it. */
waits static inline void middleware_call(struct middleware *mw, struct request *sub,
					 struct response *res)
{
	response_init(res, sub->arena);
	middleware_next(mw, sub, res);
}
/* From the front of the pipeline behind the logging (a bulk upload's PUTs must be authorised). */
waits void pipeline_call(struct proxy *p, struct request *sub, struct response *res);
