/* SPDX-License-Identifier: MIT */
/* mmuext.c: the other page-table operations: pins, roots, flushes, and a few on pages.        [read 30]
 *
 * A pin is a type reference that a guest holds on a table without any other table naming it, so that the
 * table stays validated while it hangs in no address space. Pinning and unpinning walk whole trees and
 * stop in between (XSA-45): what is done then is in the frames, and the hypercall is simply issued again.
 * SPEC 5.5.                                                                                               */
#include "hypercall-abi/mm.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/mm_internal.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"

const char *mm_error_name(int rc)
{
    switch (-rc) {
#define E(name, number, words) case number: return "-" #name;
#include "hypercall-abi/errno.def"
    default: return "an error";
    }
}

/* ---- pins ------------------------------------------------------------------------------------------ */

static void say_refused(struct vcpu *v, struct domain *pg, const char *what, uint64_t m, uint64_t type, int rc)
{
    char why[160] = "it does not belong to the domain";

    if (m < max_mfn && frame_of(mfn(m))->owner == pg->id) {
        const struct frame *f = frame_of(mfn(m));
        uint64_t is = f->type_info & FT_TYPE;
        if ((f->type_info & FT_COUNT) && is != type)
            hv_snprintf(why, sizeof(why), "it is in use as %s (F3, SPEC 5.4)", frame_type_name(is));
        else
            hv_snprintf(why, sizeof(why), "its entry %u is 0x%lx, and may not be in an %s (SPEC 5.3)", v->refused_entry,
                        table_of(mfn(m))[v->refused_entry], frame_type_name(type));
    }
    log_guest(v->domain->id, LOG_INFO, "d%u %s: %s of frame 0x%lx refused: %s. Returned %s.", v->domain->id, v->domain->name, what,
              m, why, mm_error_name(rc));
}

static int pin(struct vcpu *v, struct domain *pg, uint64_t type, uint64_t gmfn)
{
    mfn_t m;
    int rc = frame_get_typed(pg, gfn(gmfn), type, &m);

    if (rc) {
        if (rc != -XEN_ERESTART)
            say_refused(v, pg, "pinning", gmfn, type, rc);
        return rc;
    }
    if (!frame_pin(m)) {
        frame_put_typed_deferred(m);                   /* the other pin holds one, but may be going just now */
        return -XEN_EINVAL;
    }
    if (__builtin_expect(pg->dying, 0) && frame_unpin(m)) {   /* teardown may have passed this frame already */
        frame_put_typed_deferred(m);
        return -XEN_EINVAL;
    }
    return 0;
}

static int unpin(struct domain *pg, uint64_t gmfn)
{
    mfn_t m;
    int rc = frame_get(pg, gfn(gmfn), &m);

    if (rc)
        return rc;
    if (!frame_unpin(m))
        rc = -XEN_EINVAL;
    else if (frame_put_typed_preemptible(m)) {
        rc = -XEN_ERESTART;                            /* the reference is ours still: it is the pin's again */
        if (!frame_pin(m)) {
            frame_put_typed_deferred(m);               /* somebody pinned it meanwhile */
            rc = 0;
        }
    }
    frame_put(m);
    return rc;
}

/* ---- pages ------------------------------------------------------------------------------------------- */

static int clear_page(struct domain *pg, uint64_t gmfn)
{
    mfn_t m;
    int rc = frame_get_typed(pg, gfn(gmfn), FT_WRITABLE, &m);

    if (rc)
        return rc;
    memset(mfn_to_virt(m), 0, PAGE_SIZE);
    frame_put_typed(m);
    return 0;
}

static int copy_page(struct domain *pg, uint64_t to, uint64_t from)
{
    mfn_t src, dst;
    int rc = frame_get(pg, gfn(from), &src);

    if (rc)
        return rc;
    rc = frame_get_typed(pg, gfn(to), FT_WRITABLE, &dst);
    if (!rc) {
        memcpy(mfn_to_virt(dst), mfn_to_virt(src), PAGE_SIZE);
        frame_put_typed(dst);
    }
    frame_put(src);
    return rc;
}

/* ---- caches and TLBs ---------------------------------------------------------------------------------- */

static void flush_cache_here(void *arg) { wbinvd(); }

static int flush_cache(struct vcpu *v, bool global)
{
    if (!v->domain->has_devices)
        return global ? -XEN_EINVAL : -XEN_EACCES;
    if (global)
        smp_call(nr_pcpus < 64 ? (1UL << nr_pcpus) - 1 : ~0UL, flush_cache_here, NULL);
    else
        wbinvd();
    return 0;
}

static int flush_vcpus(struct vcpu *v, const struct mmuext_op *op)
{
    uint64_t mask = atomic_load(&v->domain->dirty_pcpus);
    bool some = op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_INVLPG_MULTI;

    if (some && mm_vcpu_mask(v, gva(op->arg2.vcpumask), &mask))
        return -XEN_EINVAL;                            /* as Xen has it, though update_va_mapping says -EFAULT */
    if (op->cmd == MMUEXT_INVLPG_MULTI || op->cmd == MMUEXT_INVLPG_ALL)
        smp_invlpg(mask, op->arg1.linear_addr);
    else
        smp_flush_tlb(mask);
    return 0;
}

/* ---- one operation ------------------------------------------------------------------------------------- */

/* What only concerns the caller's own address space. */
static int op_own(struct vcpu *v, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR: {
        bool user = op->cmd == MMUEXT_NEW_USER_BASEPTR;
        int rc = root_set(v, gfn(op->arg1.mfn), user);
        if (rc && rc != -XEN_ERESTART)
            say_refused(v, v->domain, user ? "new user root" : "new root", op->arg1.mfn, FT_L4, rc);
        return rc;
    }
    case MMUEXT_INVLPG_LOCAL:
        invlpg(op->arg1.linear_addr);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        return flush_vcpus(v, op);
    case MMUEXT_FLUSH_CACHE:
        return flush_cache(v, false);
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return flush_cache(v, true);
    case MMUEXT_SET_LDT:
        return ldt_set(v, op->arg1.linear_addr, op->arg2.nr_ents);
    default:
        return -XEN_ENOSYS;
    }
}

static int op_any(struct vcpu *v, struct domain *pg, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return pin(v, pg, (op->cmd - MMUEXT_PIN_L1_TABLE + 1UL) * FT_L1, op->arg1.mfn);
    case MMUEXT_UNPIN_TABLE:
        return unpin(pg, op->arg1.mfn);
    case MMUEXT_CLEAR_PAGE:
        return clear_page(pg, op->arg1.mfn);
    case MMUEXT_COPY_PAGE:
        return copy_page(pg, op->arg1.mfn, op->arg2.src_mfn);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -XEN_EOPNOTSUPP;
    default:
        return pg == v->domain ? op_own(v, op) : op->cmd > MMUEXT_UNMARK_SUPER ? -XEN_ENOSYS : -XEN_EPERM;
    }
}

static __attribute__((noinline)) long op_list(struct vcpu *v, gva_t ops, uint64_t count, gva_t done, uint64_t domid)
{
    struct domain *pg = v->domain;
    uint64_t i = 0, n;
    int rc;

    count = (uint32_t)count;
    n = count & ~MM_PREEMPTED;
    rc = mm_finish_deferred(v);
    if (!rc && domid != DOMID_SELF)
        pg = mm_foreign_domain(v, (domid_t)domid, &rc);
    if (!pg)
        return rc;
    for (; !rc && i < n; i++) {
        struct mmuext_op op;

        if (i && preempt_needed()) {
            rc = -XEN_ERESTART;
            break;
        }
        rc = copy_from_guest(&op, gva_index(ops, i, sizeof(op)), sizeof(op));
        if (rc)
            break;
        if (op.cmd == MMUEXT_TLB_FLUSH_LOCAL && pg == v->domain)
            write_cr3(read_cr3());
        else
            rc = op_any(v, pg, &op);
        if (rc)
            break;
        if (__builtin_expect(v->deferred_put[0].raw != 0, 0)) {
            i++;
            rc = -XEN_ERESTART;
            break;
        }
    }
    if (domid != DOMID_SELF)
        mm_foreign_put(v, pg);
    return mm_list_end(v, __HYPERVISOR_mmuext_op, ops, sizeof(struct mmuext_op), count, done, domid, i, rc);
}

/* A single flush of one's own TLB, as guests do at every other turn, needs no list. */
static inline bool flush_single(gva_t op)
{
    uint64_t cmd, va;

    if (copy_from_guest_16(&cmd, &va, op))
        return false;
    if ((uint32_t)cmd == MMUEXT_TLB_FLUSH_LOCAL)
        write_cr3(read_cr3());
    else if ((uint32_t)cmd == MMUEXT_INVLPG_LOCAL)
        invlpg(va);
    else
        return false;
    return true;
}

long hc_mmuext_op(struct vcpu *v, gva_t ops, uint64_t count, gva_t done, uint64_t domid)
{
    if ((uint32_t)count == 1 && domid == DOMID_SELF && !done.raw && !v->deferred_put[0].raw && flush_single(ops))
        return 0;
    return op_list(v, ops, count, done, domid);
}
