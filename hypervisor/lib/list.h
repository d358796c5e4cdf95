/* SPDX-License-Identifier: MIT */
/* list.h: doubly linked lists through a node embedded in the struct. No locks of its own. */
#ifndef ENSO_LIST_H
#define ENSO_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node { struct list_node *next, *prev; };

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list_node *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct list_node *head) { return head->next == head; }

/* Inserts n before pos: before the head is at the tail. */
static inline void list_insert_before(struct list_node *pos, struct list_node *n)
{
    n->prev = pos->prev;
    n->next = pos;
    pos->prev->next = n;
    pos->prev = n;
}
static inline void list_push_tail(struct list_node *head, struct list_node *n) { list_insert_before(head, n); }

/* Takes n out and leaves it pointing at itself, so that list_linked() tells. */
static inline void list_remove(struct list_node *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
static inline bool list_linked(const struct list_node *n) { return n->next && n->next != n; }

#define list_for_each(pos, head) \
    for (struct list_node *pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, tmp, head) \
    for (struct list_node *pos = (head)->next, *tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)

#endif
