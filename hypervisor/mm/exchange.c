/* SPDX-License-Identifier: MIT */
/* exchange.c: XENMEM_exchange: memory given up, as much of it got back in another shape.      [read 33]
 *
 * A guest whose device needs contiguous or low memory trades 2^n single frames for one extent of order n, or
 * the other way. The call works through chunks, a chunk being the larger of the two extent sizes, and each
 * chunk is all or nothing: first everything is copied from the guest, each element by its own checked copy
 * (XSA-29, XSA-212); then the new frames are taken from the heap; then the old ones are taken from the guest,
 * which succeeds only if it holds no reference on them but its own; and then nothing can fail any more, but
 * telling the guest the new numbers. SPEC 5.7.                                                            */
#include "hypercall-abi/mm.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/memory_op.h"
#include "hypervisor/mm/pagetable.h"

struct exchange {
    struct domain *d;
    struct xen_memory_exchange x;
    unsigned bits, chunk_order;            /* a chunk is 2^chunk_order frames */
    uint64_t old[512];                     /* first frames of the extents that go */
    uint64_t new[512];                     /* of those that come */
    uint64_t pfn[512];                     /* where the guest wants them */
};

static uint64_t extents_in_chunk(const struct exchange *e, const struct xen_memory_reservation *r)
{
    return 1UL << (e->chunk_order - r->extent_order);
}

/* The chunk's elements of r's list. */
static int copy_elements(const struct exchange *e, const struct xen_memory_reservation *r, uint64_t chunk, uint64_t *to)
{
    uint64_t n = extents_in_chunk(e, r);

    for (uint64_t i = 0; i < n; i++)
        if (copy_from_guest_8(&to[i], gva_index(gva(r->extent_start), chunk * n + i, 8)))
            return -XEN_EFAULT;
    return 0;
}

static void give_back_new(struct exchange *e, uint64_t n)
{
    while (n-- > 0)
        heap_give(mfn(e->new[n]), e->x.out.extent_order);
}

static int take_new(struct exchange *e)
{
    for (uint64_t i = 0; i < extents_in_chunk(e, &e->x.out); i++) {
        mfn_t m;
        if (heap_take(e->x.out.extent_order, e->bits, &m)) {
            give_back_new(e, i);
            return -XEN_ENOMEM;
        }
        e->new[i] = m.raw;
    }
    return 0;
}

/* Takes every old frame of the chunk from its owner, or none. */
static int steal_old(struct exchange *e)
{
    unsigned order = e->x.in.extent_order;
    uint64_t n = extents_in_chunk(e, &e->x.in) << order, i;

    for (i = 0; i < n; i++)
        if (!frame_steal(e->d, gfn(e->old[i >> order] + (i & ((1UL << order) - 1)))))
            break;
    if (i == n)
        return 0;
    while (i-- > 0)
        frame_unsteal(e->d, mfn(e->old[i >> order] + (i & ((1UL << order) - 1))));
    return -XEN_EINVAL;
}

static int exchange_chunk(struct exchange *e, uint64_t chunk)
{
    const struct xen_memory_reservation *in = &e->x.in, *out = &e->x.out;
    uint64_t n_in = extents_in_chunk(e, in), n_out = extents_in_chunk(e, out);
    int rc;

    if ((rc = copy_elements(e, in, chunk, e->old)) || (rc = copy_elements(e, out, chunk, e->pfn)) || (rc = take_new(e)))
        return rc;
    rc = steal_old(e);
    if (rc) {
        give_back_new(e, n_out);
        return rc;
    }
    if (frame_swap(e->d, e->old, n_in, in->extent_order, e->new, n_out, out->extent_order))
        return -XEN_EINVAL;                            /* the domain is dying: both are with the heap now */
    for (uint64_t i = 0; i < n_out; i++) {
        for (uint64_t j = 0; j < 1UL << out->extent_order; j++)
            m2p_set(mfn(e->new[i] + j), e->pfn[i] + j);
        if (copy_to_guest_8(gva_index(gva(out->extent_start), chunk * n_out + i, 8), e->new[i]))
            rc = -XEN_EFAULT;                          /* the frames are the guest's, told or not */
    }
    return rc;
}

static long run(struct vcpu *v, struct exchange *e, gva_t arg)
{
    gva_t progress = gva(arg.raw + offsetof(struct xen_memory_exchange, nr_exchanged));
    unsigned shift = e->chunk_order - e->x.in.extent_order;
    uint64_t first = e->x.nr_exchanged >> shift, chunks = e->x.in.nr_extents >> shift, i;
    int rc = 0;

    for (i = first; i < chunks; i++) {
        if (i != first && preempt_needed()) {
            if (copy_to_guest_8(progress, i << shift))
                return -XEN_EFAULT;
            return hypercall_continue(v, __HYPERVISOR_memory_op, 2, XENMEM_exchange, arg.raw, 0, 0, 0);
        }
        rc = exchange_chunk(e, i);
        if (rc)
            break;
    }
    if (copy_to_guest_8(progress, i << shift))
        rc = -XEN_EFAULT;
    return rc;
}

static int check(struct vcpu *v, struct exchange *e)
{
    const struct xen_memory_reservation *in = &e->x.in, *out = &e->x.out;
    unsigned most = in->extent_order > out->extent_order ? in->extent_order : out->extent_order;

    if (most > memory_max_order(v->domain))
        return -XEN_EPERM;
    e->chunk_order = most;
    if (in->nr_extents > ~0UL >> most || out->nr_extents > ~0UL >> most ||
        in->nr_extents << in->extent_order != out->nr_extents << out->extent_order ||
        e->x.nr_exchanged > in->nr_extents || (e->x.nr_exchanged & (extents_in_chunk(e, in) - 1)) ||
        ((in->nr_extents << in->extent_order) & ((1UL << most) - 1)) || in->domid != out->domid ||
        in->domid == DOMID_IO || in->domid == DOMID_XEN || !memory_address_bits(out->mem_flags, &e->bits))
        return -XEN_EINVAL;
    return 0;
}

long memory_exchange(struct vcpu *v, gva_t arg)
{
    struct exchange *e = kalloc(sizeof(*e));
    int missing = 0;
    long rc = -XEN_EFAULT;

    if (!e)
        return -XEN_ENOMEM;
    if (!copy_from_guest(&e->x, arg, sizeof(e->x)))
        rc = check(v, e);
    if (!rc) {
        e->d = mm_foreign_domain(v, e->x.in.domid, &missing);
        rc = e->d ? run(v, e, arg) : missing;
        if (e->d)
            mm_foreign_put(v, e->d);
    }
    kfree(e);
    return rc;
}
