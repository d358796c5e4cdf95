/* SPDX-License-Identifier: MIT */
/* grant_unit.c: the grants' single claims, each by name; where one has been a hole in other hypervisors, its advisory (bug classes C).
 *
 * A failure is a frame that is reached without being lent, or not given back (SPEC 10). grant_ends.c has what ends, mm_grants.c throws
 * dice over the same calls.                                                                                              */
#include "tests/host/grant_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(a_handle_ends_its_own_kind), TEST(both_orders), TEST(an_entry_in_use_is_remembered),
                                        TEST(refusals_leave_nothing), TEST(handles_run_out), TEST(runs_of_devices), TEST(lists),
                                        TEST(handles_and_swaps) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
