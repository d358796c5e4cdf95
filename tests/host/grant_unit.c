/* SPDX-License-Identifier: MIT */
/* grant_unit.c: the grants' single claims, each by name; where one has been a hole in other hypervisors, its advisory (bug classes C).
 *
 * d1 lends pages 0.. by the entries of the same number, d2 maps them at the addresses of its own small tree. A failure is a frame that
 * is reached without being lent, or not given back (SPEC 10). mm_grants.c throws dice over the same calls.                */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypercall-abi/grant.h"
#include "hypercall-abi/mm.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"

#define PAGES 12
#define HOST  GNTMAP_host_map
#define DEV   GNTMAP_device_map
#define RO    GNTMAP_readonly
#define PTE   GNTMAP_contains_pte

static struct domain *lender, *borrower;
static struct vcpu *vl, *vb;
static uint64_t lent[PAGES], own[PAGES];       /* own[0..3]: the borrower's tree; own[4..] its data at pages 0.. of address 0 */

static long update(struct vcpu *v, uint64_t table, unsigned index, uint64_t entry)
{
    struct mmu_update req = { table << PAGE_SHIFT | index * 8, entry };
    return host_hypercall(v, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, DOMID_SELF);
}

static long ext(struct vcpu *v, unsigned cmd, uint64_t m)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = m };
    return host_hypercall(v, __HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, DOMID_SELF);
}

static void audit_clean(void)
{
    struct audit_result r;

    frame_audit(&r);
    assert_int_equal(r.differences, 0);
    assert_int_equal(r.lost, 0);
}

static int machine(void **state)
{
    static bool booted;
    mfn_t m;

    (void)state;
    if (!booted)
        host_boot(8, 600);
    booted = true;
    lender = host_domain(1, false, PAGES);
    borrower = host_domain(2, false, PAGES);
    vl = host_vcpu(lender, 0);
    vb = host_vcpu(borrower, 0);
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(frame_alloc(lender, 0, 0, &m), 0);
        lent[i] = m.raw;
        assert_int_equal(frame_alloc(borrower, 0, 0, &m), 0);
        own[i] = m.raw;
    }
    assert_int_equal(grant_grow(lender, 1), 0);
    host_run(vb);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(update(vb, own[i], 0, own[i + 1] << 12 | PTE_P | PTE_RW), 0);
    for (unsigned i = 4; i < PAGES; i++)
        assert_int_equal(update(vb, own[3], i - 4, own[i] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(ext(vb, MMUEXT_PIN_L4_TABLE, own[0]), 0);
    assert_int_equal(ext(vb, MMUEXT_NEW_BASEPTR, own[0]), 0);
    host_run(vb);
    return 0;
}

static void bury(struct domain *d, struct vcpu *v)
{
    host_run(NULL);
    d->dying = DOMAIN_DYING;
    while (grant_release_mappings(d) || root_drop(v))
        ;
    grant_free_table(d);
    while (frame_relinquish_all(d))
        ;
}

static int end(void **state)
{
    (void)state;
    audit_clean();
    bury(borrower, vb);
    bury(lender, vl);
    assert_int_equal(borrower->tot_pages + borrower->shared_pages, 0);
    assert_int_equal(lender->tot_pages + lender->shared_pages, 0);
    host_domain_free(borrower);
    host_domain_free(lender);
    return 0;
}

/* ---- shorthand ---- */

static volatile struct grant_entry_v1 *entry(unsigned ref) { return &lender->grant->shared[0][ref]; }

static void lend(unsigned ref, uint64_t m, uint16_t flags)
{
    entry(ref)->frame = (uint32_t)m;
    entry(ref)->domid = 2;
    entry(ref)->flags = GTF_permit_access | flags;
}

static unsigned uses(unsigned ref) { return entry(ref)->flags & (GTF_reading | GTF_writing); }

static uint32_t handle;
static int16_t map(unsigned ref, uint64_t at, uint32_t flags)
{
    struct gnttab_map_grant_ref op = { .host_addr = at, .flags = flags, .ref = ref, .dom = 1 };

    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)&op, 1, 0), 0);
    handle = op.handle;
    return op.status;
}

static uint32_t mapped(unsigned ref, uint64_t at, uint32_t flags)
{
    assert_int_equal(map(ref, at, flags), GNTST_okay);
    return handle;
}

static int16_t unmap(uint32_t h, uint64_t at, uint64_t dev)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = at, .dev_bus_addr = dev, .handle = h, .status = 77 };

    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)&op, 1, 0), 0);
    return op.status;
}

static int16_t copy(unsigned ref, uint64_t to)
{
    struct gnttab_copy op = { .source = { .u.ref = ref, .domid = 1 }, .dest = { .u.gmfn = to, .domid = DOMID_SELF }, .len = 8,
                              .flags = GNTCOPY_source_gref };

    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)&op, 1, 0), 0);
    return op.status;
}

static uint64_t at_page(unsigned i) { return i * PAGE_SIZE; }
static uint64_t entry_of(unsigned i) { return own[3] << 12 | i * 8; }
static uint64_t maps(unsigned i) { return ((uint64_t *)mfn_to_virt(mfn(own[3])))[i]; }
static uint64_t type_count(uint64_t m) { return frame_of(mfn(m))->type_info & FT_COUNT; }

/* ---- claims ---- */

/* Two handles for one frame, one to read and one to write: each ends only an entry of its own kind. Else the writable one would stay in
 * the table with nothing but a read-only handle for it (XSA-234). */
static void a_handle_ends_its_own_kind(void **state)
{
    uint32_t reads, writes;

    (void)state;
    lend(8, lent[0], GTF_readonly);
    lend(9, lent[0], 0);
    reads = mapped(8, at_page(1), HOST | RO);
    writes = mapped(9, at_page(2), HOST);
    assert_int_equal(unmap(writes, at_page(1), 0), GNTST_general_error);
    assert_int_equal(unmap(reads, at_page(2), 0), GNTST_general_error);
    assert_int_equal(uses(9), GTF_reading | GTF_writing);
    audit_clean();
    assert_int_equal(unmap(writes, at_page(2), 0), GNTST_okay);
    assert_int_equal(uses(9), 0);
    assert_int_equal(type_count(lent[0]), 0);
    assert_int_equal(unmap(reads, at_page(1), 0), GNTST_okay);
}

/* Processor and devices hold one use each, ended in either order or together, once each (XSA-224). */
static void both_orders(void **state)
{
    (void)state;
    lend(8, lent[0], 0);
    for (unsigned order = 0; order < 3; order++) {
        uint32_t h = mapped(8, at_page(2), HOST | DEV);
        uint64_t dev = lent[0] << 12;

        assert_int_equal(type_count(lent[0]), 3);
        assert_int_equal(unmap(h, at_page(3), 0), GNTST_general_error);
        assert_int_equal(unmap(h, 0, lent[1] << 12), GNTST_general_error);
        assert_int_equal(unmap(h, at_page(3), dev), GNTST_general_error);      /* neither, if one is wrong */
        assert_int_equal(unmap(h, at_page(2), lent[1] << 12), GNTST_general_error);
        assert_int_equal(type_count(lent[0]), 3);
        if (order == 0) {
            assert_int_equal(unmap(h, 0, dev), GNTST_okay);
            assert_int_equal(unmap(h, 0, dev), GNTST_okay);                    /* nothing to end: no error, as on Xen */
            assert_int_equal(type_count(lent[0]), 2);
            assert_int_equal(unmap(h, at_page(2), 0), GNTST_okay);
        } else if (order == 1) {
            assert_int_equal(unmap(h, at_page(2), 0), GNTST_okay);
            assert_int_equal(unmap(h, at_page(2), 0), GNTST_okay);
            assert_int_equal(type_count(lent[0]), 1);
            assert_int_equal(unmap(h, 0, dev), GNTST_okay);
        } else {
            assert_int_equal(unmap(h, at_page(2), dev), GNTST_okay);
        }
        assert_int_equal(unmap(h, at_page(2), dev), GNTST_bad_handle);
        assert_int_equal(uses(8), 0);
        assert_int_equal(type_count(lent[0]), 0);
    }
    uint32_t h = mapped(8, at_page(2), HOST);
    assert_int_equal(unmap(h, at_page(2), 0xdead000), GNTST_okay);             /* it has no use by devices to be wrong about */
    assert_int_equal(uses(8), 0);
}

/* While an entry is in use its frame is what it was at first, whatever the page says now (XSA-500); and who, and how. */
static void an_entry_in_use_is_remembered(void **state)
{
    uint32_t first, second;

    (void)state;
    ((uint64_t *)mfn_to_virt(mfn(lent[0])))[0] = 0x1111;
    ((uint64_t *)mfn_to_virt(mfn(lent[1])))[0] = 0x2222;
    lend(8, lent[0], GTF_readonly);
    first = mapped(8, at_page(1), HOST | RO);
    entry(8)->frame = (uint32_t)lent[1];
    assert_int_equal(copy(8, own[11]), GNTST_okay);
    assert_int_equal(((uint64_t *)mfn_to_virt(mfn(own[11])))[0], 0x1111);
    second = mapped(8, at_page(2), HOST | RO);
    assert_int_equal(pte_mfn(maps(2)), lent[0]);
    assert_int_equal(map(8, at_page(3), HOST), GNTST_general_error);           /* the page is asked about what was not asked before */
    entry(8)->domid = 1;
    assert_int_equal(copy(8, own[11]), GNTST_okay);                            /* but not again about reading */
    entry(8)->domid = 2;
    assert_int_equal(unmap(first, at_page(1), 0), GNTST_okay);
    assert_int_equal(uses(8), GTF_reading);
    assert_int_equal(unmap(second, at_page(2), 0), GNTST_okay);
    assert_int_equal(uses(8), 0);
    assert_int_equal(copy(8, own[11]), GNTST_okay);                            /* and now the page counts again */
    assert_int_equal(((uint64_t *)mfn_to_virt(mfn(own[11])))[0], 0x2222);
    lend(9, lent[2], 0);
    first = mapped(9, at_page(1), HOST);
    lend(9, lent[3], GTF_readonly | GTF_reading | GTF_writing);
    entry(9)->domid = 1;
    second = mapped(9, at_page(2), HOST);                                      /* who writes may write again, and read */
    assert_int_equal(pte_mfn(maps(2)), lent[2]);
    assert_int_equal(copy(9, own[11]), GNTST_okay);
    assert_int_equal(unmap(first, at_page(1), 0), GNTST_okay);
    assert_int_equal(uses(9), GTF_reading | GTF_writing);
    assert_int_equal(unmap(second, at_page(2), 0), GNTST_okay);
    assert_int_equal(uses(9), 0);
    /* Another domain finds it in use, whatever the page says; and there is an end to counting. */
    struct grant_active *a = &lender->grant->active[0][10];
    lend(10, lent[4], 0);
    *a = (struct grant_active){ .mfn = lent[4], .readers = 1, .domid = 1 };
    assert_int_equal(map(10, at_page(1), HOST), GNTST_general_error);
    *a = (struct grant_active){ .mfn = lent[4], .readers = ~0U, .domid = 2 };
    assert_int_equal(map(10, at_page(1), HOST | RO), GNTST_no_space);
    *a = (struct grant_active){ .mfn = lent[4], .writers = ~0U, .domid = 2 };
    assert_int_equal(map(10, at_page(1), HOST), GNTST_no_space);
    *a = (struct grant_active){ 0 };
}

/* A table is as long as it is allowed to be, others' are others' affair, and a list that nobody can read is no table. */
static void tables_end(void **state)
{
    uint64_t list[4] = { 0, 0, 7, 7 };
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = HOST_GRANT_FRAMES + 1, .frame_list = (uint64_t)list };
    struct gnttab_query_size q = { .dom = 1 };

    (void)state;
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uint64_t)&s, 1, 0);
    assert_int_equal(s.status, GNTST_general_error);
    assert_int_equal(borrower->shared_pages, 0);
    s.nr_frames = HOST_GRANT_FRAMES;
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uint64_t)&s, 1, 0);
    assert_int_equal(s.status, GNTST_okay);
    assert_int_equal(frame_of(mfn(list[1]))->owner, 2);
    assert_int_equal(list[2], 7);
    s.frame_list = HV_START;
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uint64_t)&s, 1, 0);
    assert_int_equal(s.status, GNTST_bad_virt_addr);
    s.dom = 1;
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uint64_t)&s, 1, 0);
    assert_int_equal(s.status, GNTST_permission_denied);
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, (uint64_t)&q, 1, 0);
    assert_int_equal(q.status, GNTST_permission_denied);
    q.dom = DOMID_SELF;
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, (uint64_t)&q, 1, 0);
    assert_int_equal(q.status, GNTST_okay);
    assert_int_equal(q.nr_frames * 100 + q.max_nr_frames, HOST_GRANT_FRAMES * 101);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, (uint64_t)&q, 2, 0), -XEN_EINVAL);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)&q, 1UL << 31, 0), -XEN_EINVAL);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, HV_START, 1, 0), -XEN_EFAULT);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, HV_START, 1, 0), -XEN_EFAULT);
    for (unsigned cmd = 0; cmd < 40; cmd++)
        if (cmd == GNTTABOP_transfer || cmd == GNTTABOP_dump_table || cmd >= GNTTABOP_cache_flush)
            assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, cmd, (uint64_t)&q, 1, 0), -XEN_ENOSYS);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, 1UL << 32, (uint64_t)&q, 1, 0), -XEN_EINVAL);
}

/* What is refused leaves no trace: no mark in the entry, no count, no handle. */
static void refusals_leave_nothing(void **state)
{
    (void)state;
    lend(8, lent[0], GTF_readonly);
    assert_int_equal(map(8, at_page(1), HOST), GNTST_general_error);
    lend(9, own[5], 0);                                                          /* not the lender's */
    assert_int_equal(map(9, at_page(1), HOST), GNTST_general_error);
    lend(10, 1UL << 31, 0);
    assert_int_equal(map(10, at_page(1), HOST), GNTST_general_error);
    lend(11, lent[1], GTF_sub_page);
    assert_int_equal(map(11, at_page(1), HOST), GNTST_general_error);
    lend(12, lent[1], 0);
    entry(12)->domid = 1;
    assert_int_equal(map(12, at_page(1), HOST), GNTST_general_error);
    lend(13, lent[1], 0);
    entry(13)->flags = GTF_transitive;
    assert_int_equal(map(13, at_page(1), HOST), GNTST_general_error);
    host_run(vl);
    assert_int_equal(ext(vl, MMUEXT_PIN_L1_TABLE, lent[2]), 0);                 /* a page table is lent to nobody for writing */
    host_run(vb);
    lend(14, lent[2], 0);
    assert_int_equal(map(14, at_page(1), HOST), GNTST_general_error);
    assert_int_equal(map(14, at_page(1), DEV), GNTST_general_error);
    uint32_t h = mapped(14, at_page(1), HOST | RO);
    assert_int_equal(map(14, at_page(2), HOST), GNTST_general_error);
    assert_int_equal(uses(14), GTF_reading);                                    /* the reader's mark stays, the writer's does not */
    assert_int_equal(unmap(h, at_page(1), 0), GNTST_okay);
    lend(15, lent[1], 0);
    assert_int_equal(map(15, 0x40000000, HOST), GNTST_bad_virt_addr);           /* no table there */
    assert_int_equal(map(15, HV_START, HOST), GNTST_bad_virt_addr);
    for (unsigned off = 1; off < 8; off++)
        assert_int_equal(map(15, entry_of(1) + off, HOST | PTE), GNTST_general_error);       /* XSA-227 */
    assert_int_equal(map(15, own[2] << 12 | 8, HOST | PTE), GNTST_general_error);            /* an L2 table */
    assert_int_equal(map(15, own[6] << 12, HOST | PTE), GNTST_general_error);                /* no table */
    assert_int_equal(map(15, lent[2] << 12, HOST | PTE), GNTST_general_error);               /* another's table */
    assert_int_equal(map(15, ~0UL << 3, HOST | PTE), GNTST_general_error);
    assert_int_equal(map(15, at_page(1), RO), GNTST_bad_gntref);                /* neither kind */
    assert_int_equal(map(512, at_page(1), HOST), GNTST_bad_gntref);
    assert_int_equal(map(~0U, at_page(1), HOST), GNTST_bad_gntref);
    for (unsigned ref = 8; ref < 16; ref++)
        assert_int_equal(uses(ref), 0);
    host_run(vl);
    assert_int_equal(ext(vl, MMUEXT_UNPIN_TABLE, lent[2]), 0);
    host_run(vb);
    assert_int_equal(mapped(8, at_page(1), HOST | RO), 0);                      /* and the first handle is still the first */
}

/* When the handles are used up, uses that were begun for the next one are ended again, one at a time and in runs. */
static void handles_run_out(void **state)
{
    struct gnttab_map_grant_ref op[20];
    unsigned got = 0;
    uint64_t count;

    (void)state;
    lend(8, lent[0], 0);
    while (map(8, 0, DEV) == GNTST_okay)
        got++;
    assert_int_equal(got, HOST_TRACK_PAGES * TRACKS_A_PAGE);
    count = type_count(lent[0]);
    assert_int_equal(count, got);
    assert_int_equal(map(8, at_page(1), HOST | DEV), GNTST_no_device_space);
    for (unsigned i = 0; i < 20; i++)
        op[i] = (struct gnttab_map_grant_ref){ .flags = DEV, .ref = 8, .dom = 1 };
    assert_int_equal(unmap(7, 0, lent[0] << 12), GNTST_okay);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)op, 20, 0), 0);
    assert_int_equal(op[0].status, GNTST_okay);
    assert_int_equal(op[0].handle, 7);
    for (unsigned i = 1; i < 20; i++)
        assert_int_equal(op[i].status, GNTST_no_device_space);
    assert_int_equal(type_count(lent[0]), count);
    audit_clean();
    for (unsigned h = 0; h < got; h++)
        assert_int_equal(unmap(h, 0, lent[0] << 12), GNTST_okay);
    assert_int_equal(uses(8), 0);
    /* The second of two uses finds no room to count: the first is ended too. */
    struct grant_active *a = &lender->grant->active[0][9];
    lend(9, lent[1], 0);
    *a = (struct grant_active){ .mfn = lent[1], .writers = ~0U - 1, .domid = 2 };
    assert_int_equal(map(9, at_page(1), HOST | DEV), GNTST_no_space);
    assert_int_equal(a->writers, ~0U - 1);
    assert_int_equal(type_count(lent[1]), 0);
    *a = (struct grant_active){ 0 };
    assert_int_equal(map(9, at_page(1), HOST | DEV), GNTST_okay);
}

/* Devices' handles are ended in runs: of one lender's at a time, each by its own address, read or write. */
static void runs_of_devices(void **state)
{
    struct gnttab_map_grant_ref op[8];
    struct gnttab_unmap_grant_ref u[8];

    (void)state;
    assert_int_equal(grant_grow(borrower, 1), 0);
    for (unsigned i = 0; i < 8; i++) {
        volatile struct grant_entry_v1 *own_entry = &borrower->grant->shared[0][8 + i];
        lend(8 + i, lent[i], i % 2 ? GTF_readonly : 0);
        own_entry->frame = (uint32_t)own[4 + i];
        own_entry->domid = 2;
        own_entry->flags = GTF_permit_access;
        op[i] = (struct gnttab_map_grant_ref){ .flags = DEV | (i % 2 ? RO : 0), .ref = 8 + i, .dom = 1 + i / 2 % 2 };
    }
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)op, 8, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(op[i].status, GNTST_okay);
        u[i] = (struct gnttab_unmap_grant_ref){ .handle = op[i].handle, .dev_bus_addr = i == 5 ? 0 : op[i].dev_bus_addr + (i == 6 ? PAGE_SIZE : i),
                                                .status = 77 };
    }
    audit_clean();
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)u, 8, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(u[i].status, i == 6 ? GNTST_general_error : GNTST_okay);
        const struct grant_table *t = op[i].dom == 1 ? lender->grant : borrower->grant;
        unsigned left = i == 5 || i == 6;                               /* no address: nothing named, nothing ended */
        assert_int_equal(t->active[0][8 + i].readers + t->active[0][8 + i].writers, left);
        assert_int_equal(t->shared[0][8 + i].flags & (GTF_reading | GTF_writing), !left ? 0 : i == 5 ? GTF_reading : GTF_reading | GTF_writing);
    }
    audit_clean();
}

/* A list that mixes good and bad, for devices and for the processor, gives each its own answer, wherever it is interrupted. */
static void lists(void **state)
{
    struct gnttab_map_grant_ref op[40];
    struct gnttab_unmap_grant_ref u[40];

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        lend(8 + i, lent[i], 0);
    for (unsigned one_in = 0; one_in < 4; one_in++) {
        host_preempt_one_in = one_in;
        for (unsigned i = 0; i < 40; i++) {
            op[i] = (struct gnttab_map_grant_ref){ .flags = i % 5 == 4 ? HOST | DEV : DEV, .ref = 8 + i % 7, .dom = i % 11 == 10 ? 700 : 1,
                                                   .host_addr = at_page(1 + i / 5), .handle = 0x5555 };
            u[i] = (struct gnttab_unmap_grant_ref){ .handle = 0x5555 };
        }
        assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)op, 40, 0), 0);
        for (unsigned i = 0; i < 40; i++) {
            int want = i % 11 == 10 ? GNTST_bad_domain : i % 7 == 6 ? GNTST_general_error : GNTST_okay;
            assert_int_equal(op[i].status, want);
            if (!want)
                u[i] = (struct gnttab_unmap_grant_ref){ .handle = op[i].handle, .dev_bus_addr = op[i].dev_bus_addr,
                                                        .host_addr = op[i].flags & HOST ? op[i].host_addr : 0 };
        }
        audit_clean();
        assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)u, 40, 0), 0);
        for (unsigned i = 0; i < 40; i++)
            assert_int_equal(u[i].status, op[i].status ? GNTST_bad_handle : GNTST_okay);
        host_preempt_one_in = 0;
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(uses(8 + i), 0);
        audit_clean();
    }
}

/* A handle that is being worked on, is free, or was never: no such handle. Nor can an entry be swapped that is in use. */
static void handles_and_swaps(void **state)
{
    struct gnttab_swap_grant_ref w = { .ref_a = 8, .ref_b = 9 };
    uint32_t h;

    (void)state;
    lend(8, lent[0], 0);
    h = mapped(8, at_page(1), HOST);
    assert_int_equal(unmap(h + 1, at_page(1), 0), GNTST_bad_handle);
    assert_int_equal(unmap(~0U, at_page(1), 0), GNTST_bad_handle);
    assert_int_equal(unmap(1U << 31, at_page(1), 0), GNTST_bad_handle);
    host_run(vl);
    assert_int_equal(host_hypercall(vl, __HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&w, 1, 0), 0);
    assert_int_equal(w.status, GNTST_eagain);
    w.ref_b = 512;
    host_hypercall(vl, __HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&w, 1, 0);
    assert_int_equal(w.status, GNTST_bad_gntref);                               /* XSA-18 */
    w = (struct gnttab_swap_grant_ref){ .ref_a = 512, .ref_b = 9 };
    host_hypercall(vl, __HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&w, 1, 0);
    assert_int_equal(w.status, GNTST_bad_gntref);
    for (unsigned i = 0; i < 4; i++) {
        struct grant_active *a = &lender->grant->active[0][20 + i % 2];
        *a = (struct grant_active){ .readers = i < 2, .writers = i >= 2, .domid = 2 };
        w = (struct gnttab_swap_grant_ref){ .ref_a = 20, .ref_b = 21 };
        host_hypercall(vl, __HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&w, 1, 0);
        assert_int_equal(w.status, GNTST_eagain);
        *a = (struct grant_active){ 0 };
    }
    w = (struct gnttab_swap_grant_ref){ .ref_a = 8, .ref_b = 9 };
    host_run(vb);
    assert_int_equal(unmap(h, at_page(1), 0), GNTST_okay);
    assert_int_equal(unmap(h, at_page(1), 0), GNTST_bad_handle);
    host_run(vl);
    w.ref_b = 9;
    host_hypercall(vl, __HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&w, 1, 0);
    assert_int_equal(w.status, GNTST_okay);
    host_run(vb);
    assert_int_equal(map(8, at_page(1), HOST), GNTST_general_error);
    h = mapped(9, at_page(1), HOST);
    assert_int_equal(pte_mfn(maps(1)), lent[0]);
}

/* What new_addr maps moves; it must be the caller's own; and if it cannot move, the mapping stays. */
static void replaced(void **state)
{
    struct gnttab_unmap_and_replace op;
    uint32_t h, h2;

    (void)state;
    lend(8, lent[0], 0);
    lend(9, lent[1], 0);
    h = mapped(8, at_page(1), HOST);
    h2 = mapped(9, at_page(2), HOST);
    op = (struct gnttab_unmap_and_replace){ .host_addr = at_page(1), .new_addr = at_page(2), .handle = h };
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, (uint64_t)&op, 1, 0);
    assert_int_equal(op.status, GNTST_general_error);                           /* a lent frame moves nowhere */
    assert_int_equal(pte_mfn(maps(1)), lent[0]);
    uint32_t h3 = mapped(8, at_page(4), HOST);
    op.new_addr = at_page(4);                                                   /* nor the same frame, by another handle that may be ending */
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, (uint64_t)&op, 1, 0);
    assert_int_equal(op.status, GNTST_general_error);
    assert_int_equal(unmap(h3, at_page(4), 0), GNTST_okay);
    op.new_addr = 0x40000000;
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, (uint64_t)&op, 1, 0);
    assert_int_equal(op.status, GNTST_bad_virt_addr);
    op.new_addr = at_page(3);
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, (uint64_t)&op, 1, 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(pte_mfn(maps(1)), own[7]);
    assert_int_equal(maps(3), 0);
    op = (struct gnttab_unmap_and_replace){ .host_addr = at_page(2), .handle = h2 };
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, (uint64_t)&op, 1, 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(maps(2), 0);
    assert_int_equal(uses(8) | uses(9), 0);
    /* What was mapped by the entry's address is ended by it. */
    h = mapped(8, entry_of(1), HOST | PTE);
    assert_int_equal(unmap(h, at_page(1), 0), GNTST_general_error);
    assert_int_equal(unmap(h, entry_of(1) + 4, 0), GNTST_bad_virt_addr);
    assert_int_equal(unmap(h, entry_of(1), 0), GNTST_okay);
    assert_int_equal(maps(1), 0);
}

/* A lender that dies lends nothing new; what is mapped stays until it is let go of, and only then has the domain gone. */
static void the_lender_dies(void **state)
{
    uint64_t gone = host_last_gone;
    uint32_t h, h2;
    volatile uint16_t *flags = &entry(8)->flags;

    (void)state;
    lend(8, lent[0], 0);
    lend(9, lender->grant->shared_mfn[0].raw, 0);                               /* its very table */
    h = mapped(8, at_page(1), HOST | DEV);
    h2 = mapped(9, at_page(2), HOST);
    bury(lender, vl);
    host_run(vb);
    assert_int_equal(lender->tot_pages, 1);
    assert_int_equal(lender->shared_pages, 1);
    *flags = 0xffff;                                                            /* a page that is the hypervisor's no longer */
    assert_int_equal(map(8, at_page(3), HOST), GNTST_bad_domain);
    assert_int_equal(map(8, at_page(3), DEV), GNTST_bad_domain);
    assert_int_equal(copy(8, own[11]), GNTST_bad_domain);
    audit_clean();
    assert_int_equal(unmap(h, at_page(1), 0), GNTST_okay);
    assert_int_equal(*flags, 0xffff);
    assert_int_equal(unmap(h2, at_page(2), 0), GNTST_okay);
    assert_int_equal(lender->tot_pages, 1);
    assert_int_equal(host_last_gone, gone);
    assert_int_equal(unmap(h, 0, lent[0] << 12), GNTST_okay);
    assert_int_equal(*flags, 0xffff);
    assert_int_equal(lender->tot_pages + lender->shared_pages, 0);
    assert_int_equal(host_last_gone, gone + 1);
}

/* A borrower that dies lets go of everything by itself, entry gone before or not, interrupted at will. */
static void the_borrower_dies(void **state)
{
    (void)state;
    lend(8, lent[0], 0);
    lend(9, lent[1], GTF_readonly);
    mapped(8, at_page(1), HOST | DEV);
    mapped(8, at_page(2), HOST);
    mapped(9, 0, DEV | RO);
    mapped(9, at_page(3), HOST | RO);
    assert_int_equal(update(vb, own[3], 2, 0), 0);                              /* the entry goes, the handle stays */
    audit_clean();
    host_preempt_one_in = 2;
    bury(borrower, vb);
    host_preempt_one_in = 0;
    assert_int_equal(borrower->tot_pages, 0);
    assert_int_equal(uses(8) | uses(9), 0);
    assert_int_equal(type_count(lent[0]), 0);
}

/* A lent frame is no frame of the borrower's: not to map again, nor to map otherwise, nor to lend on, copy to, pin or give away. */
static void lent_is_not_given(void **state)
{
    struct gnttab_copy c = { .source = { .u.gmfn = lent[0], .domid = DOMID_SELF }, .dest = { .u.gmfn = own[11], .domid = DOMID_SELF }, .len = 8 };
    uint64_t list[1] = { lent[0] };
    struct xen_memory_reservation r = { .extent_start = (uint64_t)list, .nr_extents = 1, .domid = DOMID_SELF };

    (void)state;
    lend(8, lent[0], GTF_readonly);
    mapped(8, at_page(1), HOST | RO);
    assert_int_equal(update(vb, own[3], 1, maps(1) | PTE_RW), -XEN_EINVAL);
    assert_int_equal(update(vb, own[3], 2, maps(1)), -XEN_EINVAL);
    assert_int_equal(update(vb, own[3], 1, maps(1) | 1UL << 9), 0);             /* a software bit is the borrower's */
    assert_int_equal(ext(vb, MMUEXT_PIN_L1_TABLE, lent[0]), -XEN_EINVAL);
    assert_int_equal(ext(vb, MMUEXT_CLEAR_PAGE, lent[0]), -XEN_EINVAL);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, (uint64_t)&r, 0, 0), 0);
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)&c, 1, 0);
    assert_int_equal(c.status, GNTST_bad_page);
    c.source.domid = 1;
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)&c, 1, 0);
    assert_int_equal(c.status, GNTST_permission_denied);
    /* A table that holds it is not valid again once it was out of use. */
    assert_int_equal(update(vb, own[2], 0, 0), 0);
    assert_int_equal(update(vb, own[2], 0, own[3] << 12 | PTE_P), -XEN_EINVAL);
}

/* Copies run over no page, and into no table (XSA-230's neighbours). */
static void copies(void **state)
{
    struct gnttab_copy c = { .source = { .u.ref = 8, .domid = 1 }, .dest = { .u.gmfn = own[11], .domid = DOMID_SELF }, .flags = GNTCOPY_source_gref };
    static const struct { uint16_t from, to, len; int want; } tries[] = {
        { 0, 0, 4096, 0 }, { 1, 0, 4096, GNTST_bad_copy_arg }, { 0, 1, 4096, GNTST_bad_copy_arg }, { 4096, 0, 0, 0 },
        { 4097, 0, 0, GNTST_bad_copy_arg }, { 65535, 0, 65535, GNTST_bad_copy_arg }, { 0, 65535, 1, GNTST_bad_copy_arg }, { 0, 0, 65535, GNTST_bad_copy_arg },
    };

    (void)state;
    lend(8, lent[0], GTF_readonly);
    for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        c.source.offset = tries[i].from;
        c.dest.offset = tries[i].to;
        c.len = tries[i].len;
        host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)&c, 1, 0);
        assert_int_equal(c.status, tries[i].want);
    }
    assert_int_equal(copy(8, own[3]), GNTST_bad_page);
    assert_int_equal(copy(8, lent[1]), GNTST_bad_page);
    c = (struct gnttab_copy){ .source = { .u.gmfn = own[11], .domid = DOMID_SELF }, .dest = { .u.ref = 8, .domid = 1 }, .len = 8, .flags = GNTCOPY_dest_gref };
    host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)&c, 1, 0);
    assert_int_equal(c.status, GNTST_general_error);                            /* to be read only */
    assert_int_equal(uses(8), 0);
}

/* A list is worked through a dozen at a time, each end's domain looked up once for as long as it stays the same: what an operation is
 * told is still its own, whomever those before and after it name, and no domain stays referenced. */
static void copies_in_a_list(void **state)
{
    static const struct { domid_t from; bool by_grant; int want; } kind[] = {
        { 1, true, GNTST_okay }, { 77, true, GNTST_bad_domain }, { 1, true, GNTST_okay }, { DOMID_SELF, false, GNTST_okay }, { 2, false, GNTST_okay },
        { 1, false, GNTST_permission_denied }, { 1, true, GNTST_okay },
    };
    struct gnttab_copy list[31];
    uint32_t refs[] = { lender->refs, borrower->refs };
    uint64_t *seen = mfn_to_virt(mfn(own[11])), *mine = mfn_to_virt(mfn(own[10])), *theirs = mfn_to_virt(mfn(lent[0]));

    (void)state;
    lend(8, lent[0], GTF_readonly);
    *mine = 1;
    *theirs = 2;
    for (unsigned i = 0; i < 31; i++)
        list[i] = (struct gnttab_copy){ .source = { .domid = kind[i % 7].from }, .dest = { .u.gmfn = own[11], .domid = DOMID_SELF, .offset = (uint16_t)(8 * i) },
                                        .len = 8, .flags = kind[i % 7].by_grant ? GNTCOPY_source_gref : 0, .status = 77 };
    for (unsigned i = 0; i < 31; i++)
        if (kind[i % 7].by_grant)
            list[i].source.u.ref = 8;
        else
            list[i].source.u.gmfn = own[10];
    memset(seen, 0, 31 * 8);
    assert_int_equal(host_hypercall(vb, __HYPERVISOR_grant_table_op, GNTTABOP_copy, (uint64_t)list, 31, 0), 0);
    for (unsigned i = 0; i < 31; i++) {
        assert_int_equal(list[i].status, kind[i % 7].want);
        assert_int_equal(seen[i], kind[i % 7].want ? 0 : kind[i % 7].by_grant ? 2 : 1);
    }
    assert_int_equal(uses(8), 0);
    assert_int_equal(lender->refs, refs[0]);
    assert_int_equal(borrower->refs, refs[1]);
}

/* A stale translation of a lent frame is gone when the handle's end is told: the lender's own flushes do not know our pCPU. */
static void flushed_when_let_go(void **state)
{
    uint32_t h;

    (void)state;
    lend(8, lent[0], 0);
    h = mapped(8, at_page(1), HOST);
    host_tlb_fill();
    assert_true(host_tlb_writable[lent[0]]);
    assert_int_equal(unmap(h, at_page(1), 0), GNTST_okay);
    assert_false(host_tlb_writable[lent[0]] || host_tlb_readable[lent[0]]);
    h = mapped(8, at_page(1), HOST);
    host_tlb_fill();
    assert_int_equal(update(vb, own[2], 0, 0), 0);                              /* its table goes out of use as a whole */
    assert_false(host_tlb_writable[lent[0]]);
    assert_int_equal(unmap(h, at_page(1), 0), GNTST_bad_virt_addr);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine, end)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(a_handle_ends_its_own_kind), TEST(both_orders), TEST(an_entry_in_use_is_remembered),
                                        TEST(refusals_leave_nothing), TEST(handles_run_out), TEST(runs_of_devices), TEST(lists), TEST(tables_end), TEST(handles_and_swaps),
                                        TEST(replaced), TEST(the_lender_dies), TEST(the_borrower_dies), TEST(lent_is_not_given),
                                        TEST(copies), TEST(copies_in_a_list), TEST(flushed_when_let_go) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
