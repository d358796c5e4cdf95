/* SPDX-License-Identifier: MIT */
/* time.c: what guests see of time.                                                             [read 37]
 *
 * A guest reads the time without a hypercall: its vcpu_info holds a TSC reading, the system time at it, and a scale.
 * Enso's clock is one linear function of the TSC from boot on, so every vCPU gets the same three figures and its
 * reading equals the hypervisor's own now_ns() on every pCPU; nothing has to be refreshed as vCPUs move, and a clock
 * never steps because of it. The version is odd while the figures change (they change when a vcpu_info moves). The
 * areas that a guest registers by virtual address are written in its own address space when the vCPU comes to run: the
 * runstate each time, the time, as its figures stay, once. SPEC 9.1.                                              */
#include "hypervisor/core/time.h"
#include "hypervisor/core/sched.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/tsc.h"

static void fill(struct vcpu_time_info *t)
{
    t->tsc_timestamp = tsc_scale.tsc_zero;
    t->system_time = 0;
    t->tsc_to_system_mul = tsc_scale.mul;
    t->tsc_shift = tsc_scale.shift;
    /* Linux's vDSO trusts this bit (pitfalls B8). */
    t->flags = tsc_scale.stable ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
}

void time_update_vcpu(struct vcpu *v)
{
    struct vcpu_time_info *t = &v->info->time;
    uint32_t version = READ_ONCE(t->version) | 1;

    WRITE_ONCE(t->version, version);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    fill(t);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(t->version, version + 1);
    if (v->time_area) {
        v->time_area_due = true;
        atomic_or(&v->work, VCPU_WORK_AREAS);
    }
}

void time_update_wallclock(struct domain *d)
{
    struct shared_info *s = d->shared;
    uint32_t version = READ_ONCE(s->wc_version) | 1;
    uint64_t sec = wallclock_sec + d->time_offset_s;

    WRITE_ONCE(s->wc_version, version);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    s->wc_sec = sec;
    s->wc_sec_hi = sec >> 32;
    s->wc_nsec = wallclock_nsec;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(s->wc_version, version + 1);
}

static int tell_domain(struct domain *d, void *arg)
{
    spin_lock(&d->lock);
    if (d->shared && !d->dying)
        time_update_wallclock(d);
    spin_unlock(&d->lock);
    return 0;
}

void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t system_time)
{
    uint64_t ns = sec * 1000000000UL + nsec - system_time;

    wallclock_sec = ns / 1000000000UL;
    wallclock_nsec = ns % 1000000000UL;
    domain_for_each(tell_domain, NULL);
}

void runstate_get(struct vcpu *v, struct vcpu_runstate_info *r)
{
    struct pcpu *p = sched_lock_of(v);

    memcpy(r, &v->runstate, sizeof(*r));     /* padding too: it goes to guests */
    spin_unlock(&p->sched_lock);
    runstate_account(r, r->state, now_ns());
}

uint64_t vcpu_cpu_time(struct vcpu *v)
{
    struct vcpu_runstate_info r;
    runstate_get(v, &r);
    return r.time[RUNSTATE_running];
}

/* With the update flag (vm_assist), readers on other vCPUs see by the top bit of the entry time that it is being written. */
static void write_runstate(struct vcpu *v)
{
    struct vcpu_runstate_info r;
    uint64_t at = v->runstate_area;
    gva_t entry_time = gva(at + offsetof(struct vcpu_runstate_info, state_entry_time));
    bool flag = v->domain->vm_assist & (1U << VMASST_TYPE_runstate_update_flag);

    memcpy(&r, &v->runstate, sizeof(r));

    if (flag && copy_to_guest_8(entry_time, r.state_entry_time | XEN_RUNSTATE_UPDATE))
        return;
    if (flag)
        r.state_entry_time |= XEN_RUNSTATE_UPDATE;
    if (copy_to_guest(gva(at), &r, sizeof(r)))
        return;
    if (flag)
        copy_to_guest_8(entry_time, r.state_entry_time & ~XEN_RUNSTATE_UPDATE);
}

static void write_time(struct vcpu *v)
{
    struct vcpu_time_info t;
    uint64_t at = v->time_area;
    uint32_t version;

    if (copy_from_guest(&version, gva(at), sizeof(version)))
        return;
    t = (struct vcpu_time_info){ .version = version | 1 };
    fill(&t);
    if (copy_to_guest(gva(at), &t, sizeof(t)))
        return;
    barrier();
    t.version++;
    v->time_area_due = copy_to_guest(gva(at), &t.version, sizeof(t.version)) != 0;
}

/* The areas are named by addresses of the guest kernel's. A guest that has unmapped them since gets nothing. */
void time_update_areas(struct vcpu *v)
{
    bool user = !v->in_kernel;

    if (user) {
        v->in_kernel = true;
        root_load(v);
    }
    if (v->runstate_area)
        write_runstate(v);
    if (v->time_area && v->time_area_due)
        write_time(v);
    if (user) {
        v->in_kernel = false;
        root_load(v);
    }
}
