/* SPDX-License-Identifier: MIT */
/* hypercall.c: from a number to a handler.                                                    [read 72]
 *
 * entry.S calls through hypercall_table with the vCPU and the guest's five arguments. The table and its thunks are
 * derived from hypercalls.def, one row a call; a number without a row answers -ENOSYS. Long handlers go on later by
 * having the guest make the same call again (hypercall_continue), and a multicall is this table in a loop. SPEC 4. */
#include "hypervisor/lib/hypercall.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/stretch.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/x86/insn.h"

#define ARG_uint64_t(x) (x)
#define ARG_gva_t(x)    gva(x)
#define PERMIT_ANY(v)
#define PERMIT_PRIV(v) if (!(v)->domain->privileged) return -XEN_EPERM

/* ---- thunks ------------------------------------------------------------------------------------ */

#define THUNK(name) \
    static long run_##name(struct vcpu *v, uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4)
#define H0(nr, name, who, doc, spec)
#define RUN(nr, call) ({ stretch_begin(nr); long rc_ = call; stretch_end(); rc_; })
#define H1(nr, name, who, t0, a0, doc, spec) \
    THUNK(name) { PERMIT_##who(v); return RUN(nr, hc_##name(v, ARG_##t0(r0))); }
#define H2(nr, name, who, t0, a0, t1, a1, doc, spec) \
    THUNK(name) { PERMIT_##who(v); return RUN(nr, hc_##name(v, ARG_##t0(r0), ARG_##t1(r1))); }
#define H3(nr, name, who, t0, a0, t1, a1, t2, a2, doc, spec) \
    THUNK(name) { PERMIT_##who(v); return RUN(nr, hc_##name(v, ARG_##t0(r0), ARG_##t1(r1), ARG_##t2(r2))); }
#define H4(nr, name, who, t0, a0, t1, a1, t2, a2, t3, a3, doc, spec) \
    THUNK(name) { PERMIT_##who(v); return RUN(nr, hc_##name(v, ARG_##t0(r0), ARG_##t1(r1), ARG_##t2(r2), ARG_##t3(r3))); }
#include "hypercall-abi/hypercalls.def"

/* Not called: iret has a door of its own (entry.S), and in a multicall it is refused. */
static long run_iret(struct vcpu *v, uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4)
{
    return -XEN_EINVAL;
}

static long run_absent(struct vcpu *v, uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4)
{
    return -XEN_ENOSYS;
}

/* Every number answers -ENOSYS first; the rows then take their places, which is what the warning would be about. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#define H(nr, name, who, doc, spec) [nr] = run_##name,
const hypercall_fn hypercall_table[NR_HYPERCALLS] = {
    [0 ... NR_HYPERCALLS - 1] = run_absent,
#include "hypercall-abi/hypercalls.def"
};
#pragma GCC diagnostic pop

#define H(nr, name, who, doc, spec) [nr] = #name,
#define HX(nr, name, why)           [nr] = #name,
static const char *const hypercall_names[NR_HYPERCALLS] = {
#include "hypercall-abi/hypercalls.def"
};

const char *hypercall_name(uint32_t nr)
{
    return nr < NR_HYPERCALLS && hypercall_names[nr] ? hypercall_names[nr] : "unknown";
}

/* ---- continuation ------------------------------------------------------------------------------ */

#define SYSCALL_BYTES 2

long hypercall_continue(struct vcpu *v, unsigned nr, unsigned nargs, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                        uint64_t a4)
{
    const uint64_t a[5] = { a0, a1, a2, a3, a4 };
    struct guest_regs *r = &cpu_info()->regs;

    if (v->in_multicall) {
        v->preempted = true;
        v->mc_entry->op = nr;
        for (unsigned i = 0; i < nargs; i++)
            v->mc_entry->args[i] = a[i];
        return 0;
    }
    r->rip -= SYSCALL_BYTES;
    uint64_t *const slot[5] = { &r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8 };
    for (unsigned i = 0; i < nargs; i++)
        *slot[i] = a[i];
    return nr;
}

/* ---- multicall --------------------------------------------------------------------------------- */

/* Entries are copied in and their results out this many at a time, one window each way. */
#define BATCH 16

static long multicall_one(struct vcpu *v, struct multicall_entry *e)
{
    uint64_t nr = e->op;

    /* iret would leave by a frame of its own in the middle of the list (XSA-213). */
    if (nr >= NR_HYPERCALLS || nr == __HYPERVISOR_multicall || nr == __HYPERVISOR_iret)
        return nr >= NR_HYPERCALLS ? -XEN_ENOSYS : -XEN_EINVAL;
    v->last_hypercall = nr;
    return hypercall_table[nr](v, e->args[0], e->args[1], e->args[2], e->args[3], e->args[4]);
}

/* A preemption point: lets interrupts in and looks whether anything waits, the end of this domain for one. */
static inline bool work_waits(void)
{
    if (DEBUG_BUILD)
        spin_assert_none();
    stretch_point();
    sti_nop_cli();
    stretch_point();
    return atomic_read(&cpu_info()->work) != 0;
}

/* Runs entries [0, n) of e; returns how many are done. Fewer than n: something waits, or the next entry is half done: v->preempted,
 * and its new arguments are in e. An entry may be long, and one that ends the domain is its last: so there is a point after each. */
static unsigned multicall_run(struct vcpu *v, struct multicall_entry *e, unsigned n)
{
    unsigned i = 0;

    v->in_multicall = true;
    do {
        v->mc_entry = &e[i];
        long rc = multicall_one(v, &e[i]);
        if (v->preempted)
            break;
        e[i++].result = rc;
    } while (i < n && !work_waits());
    v->in_multicall = false;
    return i;
}

/* The results of done entries go back to the guest's list, in one window of access. */
static int multicall_report(gva_t calls, const struct multicall_entry *e, unsigned done)
{
    struct multicall_entry *to = (struct multicall_entry *)calls.raw;

    if (!gva_off_hypervisor(calls, BATCH * sizeof(*e)))
        return -XEN_EFAULT;
    stac();
    for (unsigned i = 0; i < done; i++)
        GUEST_PUT(to[i].result, e[i].result);
    clac();
    return 0;
fault:
    clac();
    return -XEN_EFAULT;
}

long hc_multicall(struct vcpu *v, gva_t calls, uint64_t count)
{
    struct multicall_entry e[BATCH];

    if (v->in_multicall)
        return -XEN_EINVAL;
    while (count) {
        unsigned n = count < BATCH ? count : BATCH;

        if (copy_from_guest(e, calls, n * sizeof(e[0])))
            return -XEN_EFAULT;
        unsigned done = multicall_run(v, e, n);
        bool preempted = v->preempted;
        v->preempted = false;
        if (multicall_report(calls, e, done))
            return -XEN_EFAULT;
        calls = gva(calls.raw + done * sizeof(e[0]));
        count -= done;
        /* Behind them the rewritten entry, from which the guest's next turn goes on. */
        if (preempted && copy_to_guest(calls, &e[done], sizeof(e[0])))
            return -XEN_EFAULT;
        if (count && (done < n || work_waits()))
            return hypercall_continue(v, __HYPERVISOR_multicall, 2, calls.raw, count, 0, 0, 0);
    }
    return 0;
}
