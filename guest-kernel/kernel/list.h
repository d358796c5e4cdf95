/* SPDX-License-Identifier: MIT */
/* list.h: circular doubly linked lists; a struct joins one by holding a struct list. An empty list points at itself. */
#ifndef NOVICE_LIST_H
#define NOVICE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list { struct list *next, *prev; };

#define LIST_INIT(name) { &(name), &(name) }
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define list_for(pos, head, type, member)                                                            \
    for (type *pos = container_of((head)->next, type, member), *next_##pos;                            \
         &pos->member != (head) && (next_##pos = container_of(pos->member.next, type, member), true);  \
         pos = next_##pos)                             /* pos itself may be removed inside */

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_before(struct list *where, struct list *l)
{
    l->prev = where->prev;
    l->next = where;
    where->prev->next = l;
    where->prev = l;
}

static inline void list_append(struct list *head, struct list *l) { list_insert_before(head, l); }
static inline void list_prepend(struct list *head, struct list *l) { list_insert_before(head->next, l); }

/* Afterwards l is an empty list of its own, so removing twice does no harm. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

#endif
