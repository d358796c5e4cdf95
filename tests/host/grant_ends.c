/* SPDX-License-Identifier: MIT */
/* grant_ends.c: where grants end: at the table's length, when what was lent is replaced, when either side dies, and in what the borrower
 * may not do with it (SPEC 10; bug classes C). A failure is a frame that is reached without being lent, or not given back. */
#include "tests/host/grant_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(tables_end), TEST(replaced), TEST(the_lender_dies), TEST(the_borrower_dies),
                                        TEST(lent_is_not_given), TEST(copies), TEST(copies_in_a_list), TEST(flushed_when_let_go) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
