/* SPDX-License-Identifier: MIT */
/* irq.c: from a vector to a function.                                                                   [read 11]
 *
 * Handlers are set while the vector cannot fire (before its line is unmasked), so the table needs no lock to be
 * read; the allocation bitmap has one.                                                                        */
#include "hypervisor/x86/irq.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/apic.h"

static struct {
    struct spinlock lock;                  /* used[] */
    struct { irq_handler_fn *fn; void *arg; } handler[256];
    bool used[256];
} irqs = { .lock = SPINLOCK_INIT(irq) };

void irq_set_handler(uint8_t vector, irq_handler_fn *fn, void *arg)
{
    irqs.handler[vector].arg = arg;
    __atomic_store_n(&irqs.handler[vector].fn, fn, __ATOMIC_RELEASE);
}

int irq_alloc_vector(void)
{
    int found = -XEN_ENOSPC;

    spin_lock(&irqs.lock);
    /* Low vectors have low priority; neighbours share a priority class, so step by class first. */
    for (int i = 0; found < 0 && i <= VEC_LAST_DEVICE - VEC_FIRST_DEVICE; i++) {
        int v = VEC_FIRST_DEVICE + (i % 12) * 16 + i / 12;
        if (!irqs.used[v]) {
            irqs.used[v] = true;
            found = v;
        }
    }
    spin_unlock(&irqs.lock);
    return found;
}

void irq_free_vector(uint8_t vector)
{
    irq_set_handler(vector, NULL, NULL);
    spin_lock(&irqs.lock);
    irqs.used[vector] = false;
    spin_unlock(&irqs.lock);
}

void irq_dispatch(uint32_t vector)
{
    irq_handler_fn *fn = irqs.handler[vector & 0xff].fn;

    this_pcpu()->irq_count++;
    if (fn) {
        fn(vector, irqs.handler[vector & 0xff].arg);
        return;
    }
    if (vector != VEC_SPURIOUS)            /* a spurious interrupt wants no EOI */
        apic_eoi();
}
