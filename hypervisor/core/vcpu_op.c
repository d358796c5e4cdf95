/* SPDX-License-Identifier: MIT */
/* vcpu_op.c: what a guest kernel asks about its own vCPUs.                                     [read 45]
 *
 * Starting another one (initialise, up), stopping, where its time went, the areas of guest memory that the hypervisor
 * keeps up to date for it, timers, and an NMI. A domain names only its own vCPUs. SPEC 8.2.                        */
#include "hypercall-abi/vcpu.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/tsc.h"

#define MIN_PERIOD 1000000UL
#define MAX_PERIOD (1UL << 50)
#define WRONG_TIME_NS 100000000UL

static long initialise_once(struct vcpu *t, gva_t arg)
{
    struct vcpu_guest_context *c;
    long rc = -XEN_ENOMEM;

    if (t->initialised)
        return -XEN_EEXIST;
    c = kalloc(sizeof(*c));
    if (!c)
        return rc;
    rc = copy_from_guest(c, arg, sizeof(*c)) ? -XEN_EFAULT : vcpu_set_context(t, c);
    kfree(c);
    return rc;
}

static long op_initialise(struct vcpu *v, struct vcpu *t, gva_t arg)
{
    long rc;

    if (mm_finish_deferred(v) || atomic_xchg(&t->set_up_busy, 1))
        rc = -XEN_ERESTART;              /* a root of ours is still being taken down; or another vCPU is at it: look again */
    else {
        rc = initialise_once(t, arg);
        atomic_store(&t->set_up_busy, 0);
    }
    if (rc == -XEN_ERESTART)
        return hypercall_continue(v, __HYPERVISOR_vcpu_op, 3, VCPUOP_initialise, t->id, arg.raw, 0, 0);
    return rc;
}

static long op_up(struct vcpu *t)
{
    if (!t->initialised)
        return -XEN_EINVAL;
    time_update_vcpu(t);
    vcpu_pause_clear(t, PAUSE_DOWN);
    return 0;
}

/* A domain whose last vCPU goes down has ended. */
static long op_down(struct vcpu *t)
{
    struct domain *d = t->domain;

    vcpu_pause_set(t, PAUSE_DOWN);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] && !(READ_ONCE(d->vcpu[i]->pause) & PAUSE_DOWN))
            return 0;
    }
    domain_shutdown(d, 0 /* poweroff */);
    return 0;
}

static long op_get_runstate(struct vcpu *t, gva_t arg)
{
    struct vcpu_runstate_info r;

    runstate_get(t, &r);
    return copy_to_guest(arg, &r, sizeof(r)) ? -XEN_EFAULT : 0;
}

/* Both areas: written now if the vCPU runs here, or when it comes to run. */
static long register_area(struct vcpu *t, uint64_t *area, size_t size, gva_t arg)
{
    uint64_t va;

    if (copy_from_guest_8(&va, arg))
        return -XEN_EFAULT;
    if (va && !gva_range_ok(gva(va), size))
        return -XEN_EFAULT;
    *area = va;
    t->time_area_due = t->time_area != 0;
    if (t == current)
        time_update_areas(t);
    else
        atomic_or(&t->work, VCPU_WORK_AREAS);
    return 0;
}

static long op_set_periodic(struct vcpu *t, gva_t arg)
{
    struct vcpu_set_periodic_timer p;

    if (copy_from_guest(&p, arg, sizeof(p)))
        return -XEN_EFAULT;
    if (p.period_ns < MIN_PERIOD || p.period_ns > MAX_PERIOD)
        return -XEN_EINVAL;
    t->periodic_ns = p.period_ns;
    timer_set(&t->periodic, pcpus[t->processor], now_ns() + p.period_ns);
    return 0;
}

static long op_stop_periodic(struct vcpu *t)
{
    t->periodic_ns = 0;
    timer_stop(&t->periodic);
    return 0;
}

static long op_set_singleshot(struct vcpu *t, gva_t arg)
{
    struct vcpu_set_singleshot_timer s;

    if (t != current)
        return -XEN_EINVAL;
    if (copy_from_guest(&s, arg, sizeof(s)))
        return -XEN_EFAULT;
    /* VCPU_SSHOTTMR_future once meant -ETIME for a time that has passed; as on Xen 4.17 such a timer fires at once. */
    vcpu_set_timer(t, s.timeout_abs_ns ? s.timeout_abs_ns : 1);
    return 0;
}

static long op_stop_singleshot(struct vcpu *t)
{
    if (t != current)
        return -XEN_EINVAL;
    vcpu_set_timer(t, 0);
    return 0;
}

/* The old place's state is copied, then everything is raised: a sender that still wrote to the old one lost nothing, since its
 * port's own bit is in the shared page (pitfalls A13). */
static void adopt_info(struct vcpu *t, struct vcpu_info *info, mfn_t m)
{
    spin_lock(&t->domain->evtchn_lock);
    *info = *t->info;
    info->evtchn_upcall_mask = 1;
    t->info_mfn = m;
    atomic_store(&t->info, info);
    info->evtchn_pending_sel = ~0UL;
    info->evtchn_upcall_pending = 1;
    spin_unlock(&t->domain->evtchn_lock);
    time_update_vcpu(t);
}

/* Once a vCPU: the reference is kept until it dies. */
static long op_register_info(struct vcpu *t, gva_t arg)
{
    struct vcpu_register_vcpu_info r;
    mfn_t m;
    uint8_t mask;

    if (copy_from_guest(&r, arg, sizeof(r)))
        return -XEN_EFAULT;
    if (r.offset > PAGE_SIZE - sizeof(struct vcpu_info) || r.offset % 8)
        return -XEN_ENXIO;
    if (t->info_mfn.raw)
        return -XEN_EINVAL;
    if (t != current && !(READ_ONCE(t->pause) & PAUSE_DOWN))
        return -XEN_EINVAL;
    if (frame_get_typed(t->domain, gfn(r.mfn), FT_WRITABLE, &m))
        return -XEN_EINVAL;
    if (atomic_xchg(&t->set_up_busy, 1)) {
        frame_put_typed(m);
        return -XEN_EBUSY;
    }
    if (t->info_mfn.raw) {               /* another vCPU was faster */
        atomic_store(&t->set_up_busy, 0);
        frame_put_typed(m);
        return -XEN_EINVAL;
    }
    mask = READ_ONCE(t->info->evtchn_upcall_mask);
    adopt_info(t, (struct vcpu_info *)((char *)mfn_to_virt(m) + r.offset), m);
    atomic_store(&t->info->evtchn_upcall_mask, mask);
    atomic_store(&t->set_up_busy, 0);
    return 0;
}

/* dom0 may know where a vCPU that is pinned runs. */
static long op_get_physid(struct vcpu *t, gva_t arg)
{
    uint64_t able = t->affinity & sched_online_mask();
    struct vcpu_get_physid g;

    if (!t->domain->privileged || !able || (able & (able - 1)))
        return -XEN_EINVAL;
    g.phys_id = pcpus[__builtin_ctzl(able)]->apic_id | (uint64_t)pcpus[__builtin_ctzl(able)]->id << 32;
    return copy_to_guest(arg, &g, sizeof(g)) ? -XEN_EFAULT : 0;
}

long hc_vcpu_op(struct vcpu *v, uint64_t cmd, uint64_t id, gva_t arg)
{
    struct vcpu *t = id < MAX_VCPUS ? v->domain->vcpu[id] : NULL;

    if (!t)
        return -XEN_ENOENT;
    switch (cmd) {
    case VCPUOP_initialise:
        return op_initialise(v, t, arg);
    case VCPUOP_up:
        return op_up(t);
    case VCPUOP_down:
        return op_down(t);
    case VCPUOP_is_up:
        return !(READ_ONCE(t->pause) & PAUSE_DOWN);
    case VCPUOP_get_runstate_info:
        return op_get_runstate(t, arg);
    case VCPUOP_register_runstate_memory_area:
        return register_area(t, &t->runstate_area, sizeof(struct vcpu_runstate_info), arg);
    case VCPUOP_register_vcpu_time_memory_area:
        return register_area(t, &t->time_area, sizeof(struct vcpu_time_info), arg);
    case VCPUOP_set_periodic_timer:
        return op_set_periodic(t, arg);
    case VCPUOP_stop_periodic_timer:
        return op_stop_periodic(t);
    case VCPUOP_set_singleshot_timer:
        return op_set_singleshot(t, arg);
    case VCPUOP_stop_singleshot_timer:
        return op_stop_singleshot(t);
    case VCPUOP_register_vcpu_info:
        return op_register_info(t, arg);
    case VCPUOP_send_nmi:
        vcpu_send_nmi(t);
        return 0;
    case VCPUOP_get_physid:
        return op_get_physid(t, arg);
    default:
        return -XEN_ENOSYS;
    }
}

/* The oldest timer call. A time that is negative or absurdly far off comes from a guest whose arithmetic has wrapped: it gets an
 * early timer rather than none. */
long hc_set_timer_op(struct vcpu *v, uint64_t timeout)
{
    if (timeout && ((int64_t)timeout < 0 || (int64_t)(timeout - now_ns()) > (int64_t)MAX_PERIOD))
        timeout = now_ns() + WRONG_TIME_NS;
    vcpu_set_timer(v, timeout);
    return 0;
}
