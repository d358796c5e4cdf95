/* SPDX-License-Identifier: MIT */
/* debugkeys.c: one letter asks the hypervisor how it is.                                        [read 64]
 *
 * Pressed on the console (guestcons_input.c says how to get there) or sent by dom0 (`enso debug-keys`). Nothing here
 * changes anything, but R.                                                                                        */
#include "hypervisor/core/debugkeys.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/stretch.h"
#include "hypervisor/core/time.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/machine.h"

#define PRESSED_MAX 16

static void key_help(void);

static int dump_registers(struct domain *d, void *arg)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (!d->vcpu[i])
            continue;
        root_evict(d->vcpu[i]);          /* one that sleeps may have its registers in a pCPU still */
        domain_dump_vcpu(d->vcpu[i]);
    }
    return 0;
}

static int dump_memory(struct domain *d, void *arg)
{
    log_err("  d%u %s: %lu of at most %lu frames, %lu shared", d->id, d->name, d->tot_pages, d->max_pages, d->shared_pages);
    return 0;
}

static void key_memory(void)
{
    log_err("%lu frames, %lu free", heap_total_frames(), heap_free_frames());
}

static int dump_domain(struct domain *d, void *arg)
{
    log_err("d%u %s:%s%s%s pauses %u, references %u, hypercalls %lu", d->id, d->name, d->dying ? " dying" : "",
            d->shut_down ? " shut down" : "", d->crashed ? " crashed" : "", d->pause_count, d->refs, domain_hypercalls(d));
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];
        if (v)
            log_err("  v%u: cpu%u%s pause %x, upcall %s%s, ran %lu ms", i, v->processor, v->on_pcpu ? " running" : "", v->pause,
                    v->info->evtchn_upcall_pending ? "pending" : "none", v->info->evtchn_upcall_mask ? " masked" : "",
                    vcpu_cpu_time(v) / 1000000);
        if (v)
            evtchn_virq_vcpu(v, VIRQ_DEBUG);     /* a kernel that has bound it adds its own view */
    }
    return 0;
}

static int dump_events(struct domain *d, void *arg)
{
    if (!d->dying)
        evtchn_dump(d);
    grant_dump(d);
    return 0;
}

static void key_audit(void)
{
    domain_audit(&(struct audit_result){ 0 });
}

static struct {
    struct {
        const char *what;
        void (*fn)(void);                               /* and then */
        int (*each)(struct domain *d, void *arg);       /* with each domain */
    } key[128];
    char pressed[PRESSED_MAX];
    uint32_t produced, consumed;         /* atomic counts: one interrupt produces, one pCPU consumes */
} keys = {
    .key = {
        ['h'] = { "this help", key_help, NULL },
        ['d'] = { "registers of every vCPU", NULL, dump_registers },
        ['m'] = { "memory", key_memory, dump_memory },
        ['q'] = { "domains and their vCPUs", NULL, dump_domain },
        ['r'] = { "run queues", sched_dump, NULL },
        ['e'] = { "event channels and grants", NULL, dump_events },
        ['l'] = { "interrupts, and the longest stretches without a preemption point", stretch_dump, NULL },
        ['a'] = { "audit of the frame table", key_audit, NULL },
        ['R'] = { "reboot the machine, now", machine_reboot, NULL },
    },
};

static void key_help(void)
{
    for (unsigned k = 0; k < 128; k++) {
        if (keys.key[k].what)
            log_err("  %c  %s", (char)k, keys.key[k].what);
    }
}

void debugkey_handle(char key)
{
    unsigned k = (unsigned char)key;

    if (k >= 128 || !keys.key[k].what)
        return;
    log_err("key %c: %s", key, keys.key[k].what);
    if (keys.key[k].fn)
        keys.key[k].fn();
    if (keys.key[k].each)
        domain_for_each(keys.key[k].each, NULL);
}

void debugkey_press(char key)
{
    if (keys.produced - atomic_read(&keys.consumed) >= PRESSED_MAX)
        return;
    keys.pressed[keys.produced % PRESSED_MAX] = key;
    atomic_add(&keys.produced, 1);
    atomic_or(&cpu_info()->work, WORK_DEBUGKEY);
}

void debugkey_run_pending(void)
{
    while (keys.consumed != atomic_load(&keys.produced)) {
        char key = keys.pressed[keys.consumed % PRESSED_MAX];
        atomic_add(&keys.consumed, 1);
        debugkey_handle(key);
    }
}
