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
#include "hypervisor/x86/machine.h"

#define PRESSED_MAX 16

static void key_help(void);

static int dump_registers(struct domain *d, void *arg)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i])
            domain_dump_vcpu(d->vcpu[i]);
    }
    return 0;
}

static void key_registers(void)
{
    domain_for_each(dump_registers, NULL);
}

static int dump_memory(struct domain *d, void *arg)
{
    log_err("  d%u %s: %lu of at most %lu frames, %lu shared", d->id, d->name, d->tot_pages, d->max_pages, d->shared_pages);
    return 0;
}

static void key_memory(void)
{
    log_err("%lu frames, %lu free", heap_total_frames(), heap_free_frames());
    domain_for_each(dump_memory, NULL);
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

static void key_domains(void)
{
    domain_for_each(dump_domain, NULL);
}

static int dump_events(struct domain *d, void *arg)
{
    if (!d->dying)
        evtchn_dump(d);
    grant_dump(d);
    return 0;
}

static void key_events(void)
{
    domain_for_each(dump_events, NULL);
}

static void key_audit(void)
{
    struct audit_result r;
    domain_audit(&r);
}

static struct {
    struct { const char *what; void (*fn)(void); } key[128];
    char pressed[PRESSED_MAX];
    uint32_t produced, consumed;         /* atomic counts: one interrupt produces, one pCPU consumes */
} keys = {
    .key = {
        ['h'] = { "this help", key_help },
        ['d'] = { "registers of every vCPU", key_registers },
        ['m'] = { "memory", key_memory },
        ['q'] = { "domains and their vCPUs", key_domains },
        ['r'] = { "run queues", sched_dump },
        ['e'] = { "event channels and grants", key_events },
        ['l'] = { "interrupts, and the longest stretches without a preemption point", stretch_dump },
        ['a'] = { "audit of the frame table", key_audit },
        ['R'] = { "reboot the machine, now", machine_reboot },
    },
};

static void key_help(void)
{
    for (unsigned k = 0; k < 128; k++) {
        if (keys.key[k].fn)
            log_err("  %c  %s", (char)k, keys.key[k].what);
    }
}

void debugkey_handle(char key)
{
    if (key < 0 || !keys.key[(unsigned char)key].fn)
        return;
    log_err("key %c: %s", key, keys.key[(unsigned char)key].what);
    keys.key[(unsigned char)key].fn();
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
