/* SPDX-License-Identifier: MIT */
/* pte_check.c: whether an entry may be, off the hot path; and why not, in words.              [read 27]
 *
 * pte.h decides the common case: a frame of the right owner that has the right type already. Here are the
 * others: first references, frames outside RAM (by I/O capability), the M2P (read-only, for whoever may name
 * DOMID_XEN), and the sentence that a refused guest's author reads on the console. SPEC 5.4.             */
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"
#include "hypervisor/x86/cpu.h"

struct domain m2p_owner = { .id = DOMID_INVALID };   /* an id that no frame has: only the slow path knows it */

static bool (*iomem_allowed)(struct domain *d, uint64_t mfn, bool write);
static struct domain *(*foreign_get)(domid_t id);
static void (*foreign_put)(struct domain *d);

void mm_set_iomem_op(bool (*allowed)(struct domain *d, uint64_t mfn, bool write)) { iomem_allowed = allowed; }

void mm_set_foreign_op(struct domain *(*get)(domid_t id), void (*put)(struct domain *d))
{
    foreign_get = get;
    foreign_put = put;
}

struct domain *mm_foreign_domain(struct vcpu *v, domid_t id, int *rc)
{
    struct domain *d;

    if (id == DOMID_SELF || id == DOMID_IO || id == v->domain->id)
        return v->domain;                  /* I/O frames are everybody's who has the capability */
    if (!v->domain->privileged) {
        *rc = -XEN_EPERM;
        return NULL;
    }
    if (id == DOMID_XEN)
        return &m2p_owner;
    d = foreign_get ? foreign_get(id) : NULL;
    if (!d)
        *rc = -XEN_ESRCH;
    return d;
}

void mm_foreign_put(struct vcpu *v, struct domain *d)
{
    if (d && d != v->domain && d != &m2p_owner && foreign_put)
        foreign_put(d);
}

/* ---- whether --------------------------------------------------------------------------------------- */

static bool is_io(uint64_t m) { return m >= max_mfn || frame_of(mfn(m))->owner == OWNER_IO; }

static bool is_m2p(uint64_t m)
{
    return m - virt_to_mfn(m2p_table).raw < m2p_frames;
}

static int count_it(uint64_t m, bool writable)
{
    struct frame *f = frame_of(mfn(m));

    return (writable ? frame_type_again(f, FT_WRITABLE) : frame_refs_get(f)) ? 0 : -XEN_EINVAL;
}

static int get_io(struct domain *pg, uint64_t e)
{
    uint64_t m = pte_mfn(e);

    if (m >> (cpu_features.phys_bits - PAGE_SHIFT))
        return -XEN_EINVAL;                /* reserved bits: the walk itself would fault */
    if (!iomem_allowed || !iomem_allowed(pg, m, false))
        return -XEN_EPERM;
    if ((e & PTE_RW) && !iomem_allowed(pg, m, true))
        return -XEN_EROFS;
    return m < max_mfn ? count_it(m, e & PTE_RW) : 0;
}

int pte_get_slow(struct domain *d, struct domain *pg, uint64_t e)
{
    uint64_t m = pte_mfn(e);
    mfn_t held;

    if (pg == &m2p_owner)
        return is_m2p(m) && !(e & PTE_RW) ? count_it(m, false) : -XEN_EINVAL;
    if (is_io(m))
        return get_io(pg, e);
    return e & PTE_RW ? frame_get_typed_slow(pg, gfn(m), FT_WRITABLE, &held) : frame_get(pg, gfn(m), &held);
}

bool pte_flush_foreign(struct domain *d, const struct frame *f, bool flushed)
{
    uint64_t mask = atomic_load(&d->dirty_pcpus);

    if (flushed || f->owner == OWNER_IO)
        return flushed;
    if (mask)
        frame_flush_pcpus(mask);
    return true;
}

/* ---- and why not ----------------------------------------------------------------------------------- */

static void explain_frame(char *buf, size_t size, struct domain *pg, uint64_t m, uint64_t want, const char *wish)
{
    if (is_io(m)) {
        hv_snprintf(buf, size, "frame 0x%lx is no RAM, and the domain has no right to that device memory (SPEC 12)", m);
        return;
    }
    const struct frame *f = frame_of(mfn(m));
    uint64_t is = f->type_info & FT_TYPE;

    if (f->owner != pg->id)
        hv_snprintf(buf, size, "frame 0x%lx does not belong to d%u (SPEC 5.3)", m, pg->id);
    else if ((f->type_info & FT_COUNT) && is != want)
        hv_snprintf(buf, size, "frame 0x%lx is in use as %s and the entry asks for %s (F3, SPEC 5.4)", m,
                    frame_type_name(is), wish);
    else
        hv_snprintf(buf, size, "frame 0x%lx holds an entry that may not be in %s (SPEC 5.3)", m, wish);
}

static const char *const wish_below[] = { "a writable mapping", "an L1 table", "an L2 table", "an L3 table" };

void pte_explain(char *buf, size_t size, struct domain *d, struct domain *pg, uint64_t type, unsigned index, uint64_t e)
{
    unsigned level = (unsigned)(type >> 60);

    if (level == 4 && slot_is_ours(index))
        hv_snprintf(buf, size, "slot %u of an L4 table is the hypervisor's (SPEC 2)", index);
    else if (level > 1 && (e & PTE_PS))
        hv_snprintf(buf, size, "entry 0x%lx is a superpage (SPEC 5.3)", e);
    else if (e & (level > 1 ? PTE_UPPER_REFUSED : d->refused_pte_bits))
        hv_snprintf(buf, size, "entry 0x%lx sets bits 0x%lx that this domain may not set (SPEC 5.3)", e,
                    e & (level > 1 ? PTE_UPPER_REFUSED : d->refused_pte_bits));
    else
        explain_frame(buf, size, pg, pte_mfn(e), level > 1 ? type - FT_L1 : FT_WRITABLE, wish_below[level > 1 ? level - 1 : 0]);
}
