/* SPDX-License-Identifier: MIT */
/* mm_frames.c: whose the frames are: claims about their coming, going and trading, at the edges that dice seldom meet.
 *
 * A failure is a frame that is lost, given twice, or told of too early: what a domain's end rests on (SPEC 5.7, design 3). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypercall-abi/mm.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"

#define PAGES 16

static struct domain *d, *other;
static struct vcpu *v;
static uint64_t page[PAGES], free_before, gone_before;

static int machine(void **state)
{
    static bool booted;
    mfn_t m;

    (void)state;
    if (!booted)
        host_boot(8, 200);
    booted = true;
    d = host_domain(1, false, PAGES);
    other = host_domain(2, false, PAGES);
    v = host_vcpu(d, 0);
    d->has_devices = true;
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(frame_alloc(d, 0, 0, &m), 0);
        page[i] = m.raw;
    }
    free_before = heap_free_frames();
    gone_before = host_last_gone;
    host_run(v);
    return 0;
}

static int end(void **state)
{
    struct audit_result r;

    (void)state;
    frame_audit(&r);
    assert_int_equal(r.differences + r.lost, 0);
    host_run(NULL);
    d->dying = other->dying = DOMAIN_DYING;
    while (root_drop(v) || frame_relinquish_all(d) || frame_relinquish_all(other))
        ;
    while (frame_relinquish_all(d))                                 /* again: nothing happens again */
        ;
    assert_int_equal(d->tot_pages + d->shared_pages, 0);
    assert_int_equal(host_last_gone, gone_before + 2);              /* each domain's last frame once, and not before its end */
    host_domain_free(d);
    host_domain_free(other);
    return 0;
}

static long memory(unsigned op, void *arg) { return host_hypercall(v, __HYPERVISOR_memory_op, op, (uint64_t)arg, 0, 0); }

/* A domain may give up everything and get some again; living on nothing is no end. */
static void everything_given_up(void **state)
{
    struct xen_memory_reservation r = { .extent_start = (uint64_t)page, .nr_extents = PAGES, .domid = DOMID_SELF };
    mfn_t m;

    (void)state;
    m2p_set(mfn(page[3]), 77);
    assert_int_equal(memory(XENMEM_decrease_reservation, &r), PAGES);
    assert_int_equal(d->tot_pages, 0);
    assert_int_equal(d->page_list, FRAME_LIST_END);
    assert_int_equal(m2p(mfn(page[3])), M2P_INVALID);
    assert_int_equal(host_last_gone, gone_before);
    assert_int_equal(frame_alloc(d, 0, 0, &m), 0);
    assert_int_equal(d->page_list, m.raw);
    assert_int_equal(frame_alloc(d, 2, 0, &m), 0);
    assert_int_equal(d->tot_pages, 5);
    assert_int_equal(frame_release(other, m), -XEN_EINVAL);
    assert_int_equal(frame_release(d, m), 0);
    assert_int_equal(d->tot_pages, 4);
}

/* Who is dying gets nothing, and what was taken for it goes back. */
static void nothing_for_the_dying(void **state)
{
    mfn_t m;

    (void)state;
    d->max_pages = 100;
    d->dying = DOMAIN_DYING;
    assert_int_equal(frame_alloc(d, 0, 0, &m), -XEN_EINVAL);
    assert_int_equal(frame_alloc(d, 3, 0, &m), -XEN_EINVAL);
    assert_int_equal(heap_free_frames(), free_before);
    assert_int_equal(d->tot_pages, PAGES);
    assert_int_equal(grant_grow(d, 1), -XEN_ESRCH);
    d->dying = DOMAIN_ALIVE;
    d->max_pages = PAGES;
    assert_int_equal(frame_alloc(d, 0, 0, &m), -XEN_ENOMEM);
    assert_int_equal(heap_free_frames(), free_before);
}

/* dom0 trades a domain's frames while that is being destroyed: what the trade gives back after teardown has passed goes too. */
static void stolen_while_dying(void **state)
{
    (void)state;
    assert_true(frame_steal(d, gfn(page[0])));
    assert_false(frame_steal(d, gfn(page[0])));
    assert_true(frame_steal(d, gfn(page[1])));
    frame_unsteal(d, mfn(page[1]));
    assert_int_equal(d->tot_pages, PAGES);
    d->dying = DOMAIN_DYING;
    host_run(NULL);
    while (root_drop(v) || frame_relinquish_all(d))
        ;
    assert_int_equal(d->tot_pages, 1);
    assert_int_equal(host_last_gone, gone_before);
    frame_unsteal(d, mfn(page[0]));
    assert_int_equal(d->tot_pages, 0);
    assert_int_equal(host_last_gone, gone_before + 1);
}

/* And what the trade would give it goes to nobody. */
static void swapped_while_dying(void **state)
{
    uint64_t new[2];
    mfn_t m;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(heap_take(0, 0, &m), 0);
        new[i] = m.raw;
        assert_true(frame_steal(d, gfn(page[i])));
    }
    d->dying = DOMAIN_DYING;
    host_run(NULL);
    while (root_drop(v) || frame_relinquish_all(d))
        ;
    assert_int_equal(d->tot_pages, 2);
    assert_int_equal(frame_swap(d, page, 2, 0, new, 2, 0), -XEN_EINVAL);
    assert_int_equal(d->tot_pages, 0);
    assert_int_equal(host_last_gone, gone_before + 1);
    assert_int_equal(heap_free_frames(), free_before + PAGES);
}

/* A trade for which there is not enough memory takes nothing, and leaves what it had begun to take. */
static void a_trade_without_memory(void **state)
{
    uint64_t out[4] = { 1, 2, 3, 4 }, held[200], n = 0;
    struct xen_memory_exchange x = { .in = { .extent_start = (uint64_t)page, .nr_extents = 1, .extent_order = 2, .domid = DOMID_SELF },
                                     .out = { .extent_start = (uint64_t)out, .nr_extents = 4, .domid = DOMID_SELF } };
    uint64_t first;
    mfn_t m;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(frame_release(d, mfn(page[i])), 0);
    assert_int_equal(frame_alloc(d, 2, 0, &m), 0);
    first = page[0] = m.raw;
    void *room = kalloc(3 * PAGE_SIZE);                             /* for what the call itself needs */
    while (!heap_take(0, 0, &m))
        held[n++] = m.raw;
    kfree(room);
    for (unsigned i = 0; i < 2; i++)
        heap_give(mfn(held[--n]), 0);
    free_before = heap_free_frames();
    assert_int_equal(free_before, 6);
    assert_int_equal(memory(XENMEM_exchange, &x), -XEN_ENOMEM);
    assert_int_equal(heap_free_frames(), free_before);
    assert_int_equal(x.nr_exchanged, 0);
    assert_int_equal(frame_of(mfn(first))->owner, 1);
    while (n)
        heap_give(mfn(held[--n]), 0);
    m2p_set(mfn(first), 5);
    assert_int_equal(memory(XENMEM_exchange, &x), 0);
    assert_int_equal(x.nr_exchanged, 1);
    assert_int_equal(m2p(mfn(first)) == 5, false);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(m2p(mfn(out[i])), 1 + i);
}

/* The frame of a domain's shared page is asked about while it may be going. */
static void the_highest_page_number(void **state)
{
    struct xen_memory_domain who = { DOMID_SELF };
    void *p;

    (void)state;
    assert_int_equal(memory(XENMEM_maximum_gpfn, &who), -XEN_EINVAL);
    assert_int_equal(frame_alloc_shared(d, &p, &d->shared_info_mfn), 0);
    ((struct shared_info *)p)->arch.max_pfn = 1234;
    assert_int_equal(memory(XENMEM_maximum_gpfn, &who), 1233);
    frame_free_shared(d, d->shared_info_mfn);
    assert_int_equal(memory(XENMEM_maximum_gpfn, &who), -XEN_EINVAL);
}

/* ---- what the TLB may still hold ---- */

static long update(unsigned table, unsigned index, uint64_t entry)
{
    struct mmu_update req = { page[table] << PAGE_SHIFT | index * 8, entry };
    return host_hypercall(v, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, DOMID_SELF);
}

static long ext(unsigned cmd, uint64_t m)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = m };
    return host_hypercall(v, __HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, DOMID_SELF);
}

/* page[0..3] become a tree that is loaded; page[4] is mapped by `flags`, the processor has seen it, and every older stamp is past. */
static void map_and_see(uint64_t flags)
{
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(update(i, 0, page[i + 1] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(ext(MMUEXT_PIN_L4_TABLE, page[0]), 0);
    assert_int_equal(ext(MMUEXT_NEW_BASEPTR, page[0]), 0);
    host_run(v);
    ext(MMUEXT_TLB_FLUSH_ALL, 0);
    ext(MMUEXT_TLB_FLUSH_ALL, 0);
    assert_int_equal(update(3, 0, page[4] << 12 | PTE_P | flags), 0);
    host_tlb_fill();
    assert_true(host_tlb_readable[page[4]]);
}

/* The frame comes to another domain, while this pCPU has loaded nothing else. */
static void to_another(uint64_t m)
{
    mfn_t got;

    while (frame_of(mfn(m))->owner != 2 && !frame_alloc(other, 0, 0, &got))
        ;
    assert_int_equal(frame_of(mfn(m))->owner, 2);
    assert_false(host_tlb_readable[m]);
}

/* F2's neighbour: a frame that its owner could only read, without a type to end, is flushed before another has it. */
static void given_up_and_given_on(void **state)
{
    struct xen_memory_reservation r = { .extent_start = (uint64_t)&page[4], .nr_extents = 1, .domid = DOMID_SELF };

    (void)state;
    other->max_pages = 200;
    map_and_see(0);
    assert_int_equal(update(3, 0, 0), 0);
    assert_true(host_tlb_readable[page[4]]);                        /* the guest has not flushed */
    assert_int_equal(memory(XENMEM_decrease_reservation, &r), 1);
    to_another(page[4]);
}

static void traded_and_given_on(void **state)
{
    uint64_t out[1] = { 9 };
    struct xen_memory_exchange x = { .in = { .extent_start = (uint64_t)&page[4], .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .extent_start = (uint64_t)out, .nr_extents = 1, .domid = DOMID_SELF } };

    (void)state;
    other->max_pages = 200;
    map_and_see(0);
    assert_int_equal(update(3, 0, 0), 0);
    assert_int_equal(memory(XENMEM_exchange, &x), 0);
    to_another(page[4]);
}

/* F2: a page that was writable, and is made read-only in place, is no table before every pCPU has forgotten that it was. */
static void made_readonly_then_a_table(void **state)
{
    (void)state;
    map_and_see(PTE_RW);
    assert_int_equal(update(3, 0, page[4] << 12 | PTE_P), 0);
    assert_true(host_tlb_writable[page[4]]);
    assert_int_equal(ext(MMUEXT_PIN_L1_TABLE, page[4]), 0);
    assert_false(host_tlb_writable[page[4]]);
}

/* The same when the entry goes as a whole, alone, or the second of two. */
static void unmapped_then_a_table(void **state)
{
    (void)state;
    map_and_see(PTE_RW);
    assert_int_equal(update(3, 1, page[4] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(update(3, 0, 0), 0);
    assert_int_equal(update(3, 1, 0), 0);
    assert_true(host_tlb_writable[page[4]]);
    assert_int_equal(ext(MMUEXT_PIN_L1_TABLE, page[4]), 0);
    assert_false(host_tlb_writable[page[4]]);
}

/* And the other way: a table that hangs nowhere any more may still be in a processor's cache of tables, where it would read what the
 * guest may then write. */
static void a_table_then_writable(void **state)
{
    (void)state;
    map_and_see(0);
    assert_int_equal(update(2, 1, page[5] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(update(2, 1, 0), 0);
    host_tlb_fill();
    assert_int_equal(update(3, 2, page[6] << 12 | PTE_P | PTE_RW), 0);
    assert_true(host_tlb_readable[page[4]]);                        /* nothing is flushed for a page that was none */
    assert_int_equal(update(3, 3, page[5] << 12 | PTE_P | PTE_RW), 0);
    assert_false(host_tlb_readable[page[4]]);
}

/* And nobody has it as a writable page before that flush is done: by such a reference another vCPU would write entries into what a
 * third still walks (XSA-401). */
static int granted;

static void wish_to_write(void)
{
    granted = frame_type_again(frame_of(mfn(page[5])), FT_WRITABLE);
    if (granted)
        frame_put_typed(mfn(page[5]));
}

static void not_writable_before_the_flush(void **state)
{
    (void)state;
    map_and_see(0);
    assert_int_equal(update(2, 1, page[5] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(update(2, 1, 0), 0);
    granted = -1;
    host_flush_hook = wish_to_write;
    assert_int_equal(update(3, 3, page[5] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(granted, 0);
    wish_to_write();
    assert_int_equal(granted, 1);
    /* the next first time is none of another type: nobody waits for anything */
    assert_int_equal(update(3, 3, 0), 0);
    assert_int_equal(update(3, 3, page[5] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(frame_of(mfn(page[5]))->type_info, FT_WRITABLE | FT_VALIDATED | 1);
}

/* A stamp is made when nobody else can have the type any more: a mapping that another vCPU makes, uses and takes back after it was
 * made, and after everybody flushed, would leave an entry that looks flushed. */
static void write_in_between(void)
{
    struct frame *f = frame_of(mfn(page[4]));

    granted = frame_type_again(f, FT_WRITABLE);                     /* refused: this vCPU would have to wait */
    if (!granted)
        return;
    smp_flush_tlb(1);
    smp_flush_tlb(1);
    host_tlb_writable[page[4]] = true;
    frame_put_typed(mfn(page[4]));
}

static void a_stamp_is_the_last(void **state)
{
    enum { UNMAP, READONLY, PUT, WAYS };

    (void)state;
    map_and_see(PTE_RW);
    for (unsigned way = 0; way < WAYS; way++) {
        mfn_t m = mfn(page[4]);

        if (way == PUT) {
            assert_int_equal(frame_get_typed(d, gfn(page[4]), FT_WRITABLE, &m), 0);
            assert_int_equal(update(3, 0, 0), 0);
        } else {
            assert_int_equal(update(3, 0, page[4] << 12 | PTE_P | PTE_RW), 0);
        }
        granted = -1;
        host_epoch_hook = write_in_between;
        if (way == PUT)
            frame_put_typed(m);
        else
            assert_int_equal(update(3, 0, way == UNMAP ? 0 : page[4] << 12 | PTE_P), 0);
        assert_int_not_equal(granted, -1);
        assert_int_equal(ext(MMUEXT_PIN_L1_TABLE, page[4]), 0);
        assert_false(host_tlb_writable[page[4]]);
        assert_int_equal(granted, 0);
        assert_int_equal(ext(MMUEXT_UNPIN_TABLE, page[4]), 0);
        assert_int_equal(update(3, 0, page[4] << 12 | PTE_P | PTE_RW), 0);
    }
}

/* A vCPU that is killed in the midst of a long validation leaves a table that nobody holds: it goes with the domain (end() looks). */
static void killed_in_the_midst(void **state)
{
    struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = page[0] };

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(update(0, i, page[1 + i] << 12 | PTE_P | PTE_RW), 0);
    host_preempt_one_in = 1;
    assert_int_equal(hc_mmuext_op(v, gva((uint64_t)&op), 1, gva(0), DOMID_SELF), HOST_AGAIN);
    assert_int_equal(hc_mmuext_op(v, gva((uint64_t)&op), 1, gva(0), DOMID_SELF), HOST_AGAIN);
    host_preempt_one_in = 0;
    assert_true(frame_of(mfn(page[0]))->type_info & FT_SELF);
    assert_int_equal(frame_of(mfn(page[1]))->type_info & FT_COUNT, 1);
}

/* ---- what failed is taken back in pieces ---- */

#define BRANCH 6                                                    /* L1 tables below each of two L2 tables */

/* L4, L3, two L2 tables, and L1 tables below them; the last entry of all may not be: pinning fails when everything else is done. */
static uint64_t tree_that_fails(uint64_t l1[2 * BRANCH])
{
    uint64_t upper[4];
    mfn_t m;

    d->max_pages = 200;
    for (unsigned i = 0; i < 4 + 2 * BRANCH; i++) {
        assert_int_equal(frame_alloc(d, 0, 0, &m), 0);
        *(i < 4 ? &upper[i] : &l1[i - 4]) = m.raw;
    }
    table_of(mfn(upper[0]))[0] = upper[1] << 12 | PTE_P | PTE_RW;
    for (unsigned k = 0; k < 2; k++) {
        table_of(mfn(upper[1]))[k] = upper[2 + k] << 12 | PTE_P | PTE_RW;
        for (unsigned i = 0; i < BRANCH; i++)
            table_of(mfn(upper[2 + k]))[i] = l1[k * BRANCH + i] << 12 | PTE_P | PTE_RW;
    }
    table_of(mfn(upper[3]))[BRANCH] = page[5] << 12 | PTE_P | PTE_PS;
    return upper[0];
}

static unsigned valid(const uint64_t l1[2 * BRANCH])
{
    unsigned n = 0;

    for (unsigned i = 0; i < 2 * BRANCH; i++)
        n += frame_of(mfn(l1[i]))->type_info & FT_COUNT;
    return n;
}

/* A tree whose validation fails is given back, on every level of it, with a look around after each table: not all that lies below at
 * once, which grows with the domain's memory (XSA-45, 264). A level each may take one step before it looks. */
static void a_failure_is_taken_back_in_pieces(void **state)
{
    uint64_t l1[2 * BRANCH], top = tree_that_fails(l1);
    struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = top };
    unsigned most = 0, before, after = 0;
    long rc;

    (void)state;
    host_preempt_one_in = 1;
    do {
        before = after;
        rc = hc_mmuext_op(v, gva((uint64_t)&op), 1, gva(0), DOMID_SELF);
        after = valid(l1);
        if (after > most)
            most = after;
    } while (rc == HOST_AGAIN);
    assert_int_equal(rc, -XEN_EINVAL);
    assert_int_equal(most, 2 * BRANCH);
    assert_in_range(before - after, 1, 3);
    while (mm_finish_deferred(v)) {
        assert_in_range(after - valid(l1), 0, 3);
        after = valid(l1);
    }
    assert_int_equal(valid(l1), 0);
    host_preempt_one_in = 0;
    for (unsigned i = 0; i < 2 * BRANCH; i++)
        assert_int_equal(frame_release(d, mfn(l1[i])), 0);
}

/* A root is changed only when what is left of earlier failures is done: else a guest could pile it up (mov to cr3 is no hypercall). */
static void a_root_waits_for_what_is_left(void **state)
{
    uint64_t l1[2 * BRANCH], top = tree_that_fails(l1);
    struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = top };
    unsigned left;

    (void)state;
    map_and_see(0);
    host_preempt_one_in = 1;
    while (hc_mmuext_op(v, gva((uint64_t)&op), 1, gva(0), DOMID_SELF) == HOST_AGAIN)
        ;
    left = valid(l1);
    assert_true(left > 4);
    assert_int_equal(root_set(v, gfn(page[0]), false), -XEN_ERESTART);
    assert_in_range(left - valid(l1), 0, 3);
    host_preempt_one_in = 0;
    assert_int_equal(root_set(v, gfn(page[0]), false), 0);
    assert_int_equal(valid(l1), 0);
}

/* ---- entries that a table has already, and entries that only seem the same ---- */

/* A table that is pinned with its contents is held to what single entries are: no superpage over a table, nothing global, all of it a
 * user's. */
static void contents_are_looked_at(void **state)
{
    static const uint64_t refused[] = { PTE_PS, PTE_G, PTE_PWT, PTE_PCD };
    uint64_t *upper = mfn_to_virt(mfn(page[1])), *l1 = mfn_to_virt(mfn(page[2]));

    (void)state;
    d->refused_pte_bits = PTE_PWT | PTE_PCD | PTE_PAT;
    l1[7] = page[3] << 12 | PTE_P | PTE_RW | PTE_G;
    l1[8] = page[4] << 12 | PTE_P;
    for (unsigned i = 0; i < 4; i++) {
        upper[5] = page[2] << 12 | PTE_P | PTE_RW | refused[i];
        assert_int_equal(ext(MMUEXT_PIN_L2_TABLE, page[1]), -XEN_EINVAL);
        assert_int_equal(frame_of(mfn(page[2]))->type_info & FT_COUNT, 0);
    }
    upper[5] = page[2] << 12 | PTE_P | PTE_RW;
    assert_int_equal(ext(MMUEXT_PIN_L2_TABLE, page[1]), 0);
    assert_int_equal(upper[5], page[2] << 12 | PTE_P | PTE_RW | PTE_U);
    assert_int_equal(l1[7], page[3] << 12 | PTE_P | PTE_RW | PTE_U);
    assert_int_equal(l1[8], page[4] << 12 | PTE_P | PTE_U);
    assert_int_equal(ext(MMUEXT_UNPIN_TABLE, page[1]), 0);
    l1[8] |= PTE_PCD;
    assert_int_equal(ext(MMUEXT_PIN_L2_TABLE, page[1]), -XEN_EINVAL);
}

/* The same frame in the entry before says nothing unless that was present; and one of two writable entries made read-only leaves one. */
static void only_flags_differ(void **state)
{
    struct frame *f;

    (void)state;
    map_and_see(0);
    f = frame_of(mfn(page[6]));
    for (uint64_t rw = 0; rw <= PTE_RW; rw += PTE_RW) {
        assert_int_equal(update(3, 5, page[6] << 12 | rw), 0);          /* not present: anything */
        assert_int_equal(f->refs, FR_ALLOCATED | 1);
        assert_int_equal(update(3, 5, page[6] << 12 | rw | PTE_P), 0);
        assert_int_equal(f->refs, FR_ALLOCATED | 2);
        assert_int_equal(update(3, 5, page[6] << 12 | rw), 0);
        assert_int_equal(f->refs, FR_ALLOCATED | 1);
    }
    assert_int_equal(update(3, 5, page[6] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(update(3, 6, page[6] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(f->type_info & FT_COUNT, 2);
    assert_int_equal(update(3, 6, page[6] << 12 | PTE_P), 0);
    assert_int_equal(f->type_info & FT_COUNT, 1);
    assert_int_equal(f->refs, FR_ALLOCATED | 3);                        /* the owner's, the type's, the reader's */
    assert_int_equal(update(3, 6, page[6] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(f->type_info & FT_COUNT, 2);
    assert_int_equal(f->refs, FR_ALLOCATED | 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine, end)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(everything_given_up), TEST(nothing_for_the_dying), TEST(stolen_while_dying),
                                        TEST(swapped_while_dying), TEST(a_trade_without_memory), TEST(the_highest_page_number),
                                        TEST(given_up_and_given_on), TEST(traded_and_given_on), TEST(made_readonly_then_a_table),
                                        TEST(unmapped_then_a_table), TEST(a_table_then_writable), TEST(not_writable_before_the_flush), TEST(a_stamp_is_the_last),
                                        TEST(killed_in_the_midst),
                                        TEST(a_failure_is_taken_back_in_pieces), TEST(a_root_waits_for_what_is_left),
                                        TEST(contents_are_looked_at), TEST(only_flags_differ) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
