/* SPDX-License-Identifier: MIT */
/* irq.c: who is called for an interrupt, and when it is not listened to any more.
 *
 * A line that several devices share calls each until all have said whether it was theirs. A line nobody owns up to would
 * come again for ever, and the machine would do nothing else: after a thousand times in a row, or a hundred thousand within
 * a second whoever owns it, it is masked and a message says so. The device is dead then; the machine is not.     */
#include "guest-kernel/drivers/irq.h"

#define NOBODYS_MAX 1000
#define A_SECOND_MAX 100000

struct handler { struct handler *next; irq_fn fn; void *arg; };

static struct irq {
    struct handler *handlers;
    uint64_t        count, second_began, in_second;
    unsigned        nobodys;
    bool            masked;
} irqs[IRQS];

int irq_handle(int irq, irq_fn fn, void *arg)
{
    if (irq < 0 || irq >= IRQS)
        return -EINVAL;
    struct handler *h = kmalloc(sizeof(*h));
    if (!h)
        return -ENOMEM;
    *h = (struct handler){ irqs[irq].handlers, fn, arg };
    irqs[irq].handlers = h;
    return 0;
}

static bool is_storm(struct irq *q, bool mine)
{
    uint64_t now = plat_clock_ns();
    q->nobodys = mine ? 0 : q->nobodys + 1;
    if (now - q->second_began > NSEC_PER_SEC) {
        q->second_began = now;
        q->in_second = 0;
    }
    return q->nobodys >= NOBODYS_MAX || ++q->in_second > A_SECOND_MAX;
}

bool irq_raised(int irq)
{
    struct irq *q = &irqs[irq];
    bool mine = false;
    q->count++;
    for (struct handler *h = q->handlers; h; h = h->next)
        mine |= h->fn(h->arg);
    if (!is_storm(q, mine))
        return false;
    q->masked = true;
    kprintf("irq %d does not stop (%s): masked; its device is not heard any more\n", irq,
            q->nobodys >= NOBODYS_MAX ? "no driver's" : "a hundred thousand times in a second");
    return true;
}

bool irq_count(int irq, uint64_t *count, bool *masked)
{
    if (irq < 0 || irq >= IRQS)
        return false;
    *count = irqs[irq].count;
    *masked = irqs[irq].masked;
    return true;
}
