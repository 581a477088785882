/* Intrusive doubly linked lists (as Linux's list.h): a head is a node; an unlinked node points to
 * itself, so removing twice is harmless. */
#pragma once
#include "lib/base/base.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_insert(struct list *before, struct list *n)
{
	n->prev = before->prev;
	n->next = before;
	before->prev->next = n;
	before->prev = n;
}
static inline void list_push(struct list *head, struct list *n) { list_insert(head->next, n); }
static inline void list_append(struct list *head, struct list *n) { list_insert(head, n); }
static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}
static inline struct list *list_pop(struct list *head)
{
	struct list *n = head->next;

	if (n == head)
		return NULL;
	list_remove(n);
	return n;
}
#define list_entry(n, type, member) container_of(n, type, member)
#define list_for(n, head) for (struct list *n = (head)->next; n != (head); n = n->next)
/* n may be removed inside the loop. */
#define list_for_safe(n, head) \
	for (struct list *n = (head)->next, *n##_next = n->next; n != (head);      \
	     n = n##_next, n##_next = n->next)
