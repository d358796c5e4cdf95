/* SPDX-License-Identifier: MIT */
/* mm_tables.c: mmuext_op to the letter of SPEC 5.5, and the tables under it: pins and roots that come and go in pieces, a domain's end,
 * the hypervisor's own slots, locks, walks, stores that trapped. If one fails, a table is counted wrong, or a pCPU is held for long. */
#include "tests/host/mm_world.h"

/* ---- mmuext_op ---- */

static void pins(void **state)
{
    (void)state;
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, zero[0]), -XEN_EINVAL);
    assert_true(said("does not belong"));
    assert_int_equal(ext(vu, MMUEXT_PIN_L2_TABLE, page[3]), -XEN_EINVAL);
    assert_true(said("it is in use as L1 table"));
    words(page[8])[3] = page[9] << 12 | PTE_P | PTE_PWT;
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[8]), -XEN_EINVAL);
    assert_true(said("its entry 3 is 0x") && said("9, and may not be in an L1 table"));
    words(page[8])[3] = 0;
    words(page[8])[511] = 0xdead000 | PTE_P;
    assert_int_equal(ext(vu, MMUEXT_PIN_L4_TABLE, page[8]), -XEN_EINVAL);
    assert_true(said("its entry 511 is") && said("L4 table"));
    assert_int_equal(ext(vu, MMUEXT_NEW_BASEPTR, page[8]), -XEN_EINVAL);
    assert_true(said("new root of frame") && said("its entry 511 is"));
    assert_int_equal(ext(vu, MMUEXT_NEW_USER_BASEPTR, page[8]), -XEN_EINVAL);
    assert_true(said("new user root"));
    words(page[8])[511] = 0;
    assert_int_equal(ext(v0, MMUEXT_PIN_L1_TABLE, 600), -XEN_EINVAL);        /* the first that is not there */
    assert_true(said("does not belong"));
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[3]), -XEN_EINVAL);     /* in use, but not pinned */
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, zero[0]), -XEN_EINVAL);
    /* whose */
    assert_int_equal(ext_of(v0, MMUEXT_PIN_L1_TABLE, page[8], 0, 1), 0);
    assert_int_equal(ext_of(v0, MMUEXT_UNPIN_TABLE, page[8], 0, 1), 0);
    assert_int_equal(ext_of(v0, MMUEXT_PIN_L1_TABLE, page[8], 0, 9), -XEN_ESRCH);
    assert_int_equal(ext_of(vu, MMUEXT_PIN_L1_TABLE, zero[8], 0, 0), -XEN_EPERM);
    assert_int_equal(ext_of(v0, MMUEXT_TLB_FLUSH_LOCAL, 0, 0, 1), -XEN_EPERM);
    assert_int_equal(ext_of(v0, MMUEXT_INVLPG_LOCAL, 0, 0, 1), -XEN_EPERM);
    assert_int_equal(ext_of(v0, 99, 0, 0, 1), -XEN_ENOSYS);
    assert_int_equal(ext(vu, 14, 0), -XEN_ENOSYS);
    assert_int_equal(domu->refs, 0);
    /* teardown has passed here already */
    domu->dying = DOMAIN_DYING;
    assert_int_equal(ext_of(v0, MMUEXT_PIN_L1_TABLE, page[8], 0, 1), -XEN_EINVAL);
    domu->dying = 0;
    assert_int_equal(type_of(page[8]), 0);
    assert_false(frame_of(mfn(page[8]))->type_info & FT_PINNED);
}

static void pins_in_pieces(void **state)
{
    struct mmuext_op op[3] = { { .cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = page[10] }, { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = page[20] },
                               { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = page[21] } };
    uint32_t done = 77;

    (void)state;
    build_l2(page[10], 4);
    host_preempt_one_in = 1;
    assert_int_equal(hc_mmuext_op(vu, gva((uint64_t)op), 3, gva((uint64_t)&done), DOMID_SELF), HOST_AGAIN);   /* within the first */
    assert_true(done == 0 && host_again.a[0] == (uint64_t)op && host_again.a[1] == (3 | MM_PREEMPTED));
    host_preempt_one_in = 0;
    assert_int_equal(hc_mmuext_op(vu, gva((uint64_t)op), 3, gva((uint64_t)&done), DOMID_SELF), 0);             /* nobody waits: at once */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, op[i].arg1.mfn), 0);
    host_preempt_one_in = 1;
    assert_false(said("refused"));
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmuext_op, (uint64_t)op, 3, (uint64_t)&done, DOMID_SELF), 0);
    assert_int_equal(done, 3);
    op[0].cmd = op[1].cmd = op[2].cmd = MMUEXT_UNPIN_TABLE;
    assert_int_equal(hc_mmuext_op(vu, gva((uint64_t)&op[1]), 2, gva((uint64_t)&done), DOMID_SELF), HOST_AGAIN);   /* between two */
    assert_true(done == 1 && host_again.a[0] == (uint64_t)&op[2] && host_again.a[1] == (1 | MM_PREEMPTED));
    assert_int_equal(hc_mmuext_op(vu, gva((uint64_t)op), 1, gva((uint64_t)&done), DOMID_SELF), HOST_AGAIN);
    assert_true(frame_of(mfn(page[10]))->type_info & FT_PINNED);             /* as if not begun */
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmuext_op, (uint64_t)op, 1, 0, DOMID_SELF), 0);
    host_preempt_one_in = 0;
    assert_int_equal(hc_mmuext_op(vu, gva((uint64_t)&op[2]), 1UL << 32 | 1, gva(0), DOMID_SELF), 0);
    for (unsigned i = 10; i < 22; i++)
        assert_int_equal(type_of(page[i]), 0);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmuext_op, HV_START, 2, (uint64_t)&done, DOMID_SELF), -XEN_EFAULT);
    assert_int_equal(done, 0);
    done = 77;
    assert_int_equal(host_hypercall(v0, __HYPERVISOR_mmuext_op, (uint64_t)op, 2, (uint64_t)&done, 9), -XEN_ESRCH);
    assert_int_equal(done, 77);                                             /* nobody was named: nothing is told */
}

/* The old root is long in going: the new one is in force, and counted as done. */
static void roots_in_pieces(void **state)
{
    struct mmuext_op op[2] = { { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = page[0] }, { .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = page[22] } };
    uint32_t done = 0;

    (void)state;
    build_l2(page[10], 4);
    words(page[20])[0] = page[21] << 12 | PTE_P;
    words(page[21])[0] = page[10] << 12 | PTE_P;
    words(page[22])[9] = 9;
    assert_int_equal(ext(vu, MMUEXT_NEW_USER_BASEPTR, page[20]), 0);
    host_preempt_one_in = 1;
    assert_int_equal(hc_mmuext_op(vu, gva((uint64_t)op), 1, gva((uint64_t)&done), DOMID_SELF), HOST_AGAIN);
    assert_true(done == 1 && host_again.a[0] == (uint64_t)&op[1] && vu->guest_user_root.raw == page[0] && vu->deferred_put[0].raw == page[20]);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmuext_op, host_again.a[0], host_again.a[1], (uint64_t)&done, DOMID_SELF), 0);
    assert_int_equal(done, 1);
    assert_int_equal(words(page[22])[9], 9);
    assert_false(said("refused"));
    assert_int_equal(type_of(page[20]) + type_of(page[10]), 0);
}

/* An L2 table whose unpinning was interrupted is named by another table: two hold it then, each its own reference. */
static void taken_up_while_it_goes(void **state)
{
    struct mmuext_op op = { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = page[10] };

    (void)state;
    build_l2(page[10], 6);
    assert_int_equal(ext(vu, MMUEXT_PIN_L2_TABLE, page[10]), 0);
    host_preempt_one_in = 1;
    assert_int_equal(hc_mmuext_op(vu, gva((uint64_t)&op), 1, gva(0), DOMID_SELF), HOST_AGAIN);
    assert_int_equal(frame_of(mfn(page[10]))->type_info & FT_COUNT, 1);
    host_preempt_one_in = 0;
    assert_int_equal(update(vu, page[1], 7, page[10] << 12 | PTE_P), 0);
    assert_int_equal(frame_of(mfn(page[10]))->type_info & FT_COUNT, 2);
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[10]), 0);
    assert_int_equal(type_of(page[15]), FT_L1);
    assert_int_equal(update(vu, page[1], 7, 0), 0);
    assert_int_equal(type_of(page[15]) + type_of(page[10]), 0);
}

/* Slots 256 to 271 of a root are the hypervisor's, whatever the guest had there; of other tables they are like any. */
static void the_hypervisors_slots(void **state)
{
    uint64_t *root = words(page[10]), *l3 = words(page[11]);

    (void)state;
    for (unsigned i = 250; i < 280; i++) {
        root[i] = i >= 256 && i <= 271 ? 0xbad << 12 | PTE_P | PTE_PS : 0;
        l3[i] = page[2] << 12 | PTE_P;
    }
    root[0] = page[11] << 12 | PTE_P;
    assert_int_equal(ext(vu, MMUEXT_PIN_L4_TABLE, page[10]), 0);
    for (unsigned i = 256; i < 272; i++)
        assert_true(root[i] == (0xdead000 | PTE_P) && l3[i] == (page[2] << 12 | PTE_P | PTE_U));
    for (unsigned i = 250; i < 280; i++) {
        assert_int_equal(update(vu, page[11], i, page[2] << 12 | PTE_P | PTE_RW), 0);
        assert_int_equal(l3[i], page[2] << 12 | PTE_P | PTE_RW | PTE_U);     /* U is always set */
    }
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[10]), 0);
    for (unsigned i = 250; i < 280; i++)
        assert_true(root[i] == 0 && l3[i] == (page[2] << 12 | PTE_P | PTE_RW | PTE_U));
}

/* A device's page that may be read only is mapped so, whether its entry comes alone or with its table. */
static void read_only_devices(void **state)
{
    uint64_t wish = 0xfee01UL << 12 | PTE_P | PTE_RW, seen;

    (void)state;
    words(zero[1])[0] = wish;
    assert_int_equal(ext(v0, MMUEXT_PIN_L1_TABLE, zero[1]), 0);
    assert_int_equal(words(zero[1])[0], (wish | PTE_U) & ~PTE_RW);
    assert_int_equal(one(v0, zero[1] << 12 | 8, wish, DOMID_SELF), 0);
    assert_int_equal(words(zero[1])[1], (wish | PTE_U) & ~PTE_RW);
    seen = 0;
    assert_int_equal(leaf_change_exact(dom0, dom0, &words(zero[1])[2], 0, wish), 0);
    assert_int_equal(words(zero[1])[2], (wish | PTE_U) & ~PTE_RW);
    assert_int_equal(leaf_change_exact(dom0, dom0, &words(zero[1])[2], seen, wish), -XEN_EAGAIN);    /* it is another by now */
    words(zero[1])[3] = page[7] << 12;                                      /* not present: names nothing */
    assert_int_equal(leaf_change_exact(dom0, dom0, &words(zero[1])[3], page[7] << 12, wish), 0);
    words(zero[1])[4] = zero[7] << 12 | 4;
    uint64_t refs = frame_of(mfn(zero[7]))->refs;
    assert_int_equal(leaf_change_exact(dom0, dom0, &words(zero[1])[4], 0, zero[7] << 12 | PTE_P), -XEN_EAGAIN);
    assert_int_equal(frame_of(mfn(zero[7]))->refs, refs);
    assert_int_equal(leaf_change_exact(dom0, dom0, &words(zero[1])[4], zero[7] << 12 | 4, 0), 0);
    assert_int_equal(frame_of(mfn(zero[7]))->refs, refs);
}

/* F2: what a processor still holds of a frame's life as a writable page goes before it is a table, though that processor flushed since
 * the frame's life before: the stamp is the last life's. */
static void stamped_at_the_last(void **state)
{
    (void)state;
    assert_int_equal(update(vu, page[3], 6, page[6] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(ext(vu, MMUEXT_TLB_FLUSH_ALL, 0), 0);
    host_tlb_fill();
    assert_true(host_tlb_writable[page[6]]);
    assert_int_equal(update(vu, page[3], 6, 0), 0);
    assert_true(host_tlb_writable[page[6]]);
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[6]), 0);
    assert_false(host_tlb_writable[page[6]]);
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[6]), 0);
    /* the same by a reference that is no entry's, as a grant's */
    mfn_t m;
    assert_int_equal(frame_get_typed(domu, gfn(page[7]), FT_WRITABLE, &m), 0);
    assert_int_equal(ext(vu, MMUEXT_TLB_FLUSH_ALL, 0), 0);
    host_tlb_writable[page[7]] = true;
    frame_put_typed(m);
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[7]), 0);
    assert_false(host_tlb_writable[page[7]]);
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[7]), 0);
}

/* A table full of another domain's frames goes with one flush, made before the first of them is given back: the table leads nowhere
 * for anybody by then, and a flush for each would hold the pCPU, 512 times all others. */
static uint64_t refs_at_flush;

static void look_at_refs(void) { refs_at_flush = frame_of(mfn(page[12]))->refs; }

static void one_flush_for_a_foreign_table(void **state)
{
    uint64_t refs = frame_of(mfn(page[12]))->refs;

    (void)state;
    host_run(v0);
    assert_int_equal(ext(v0, MMUEXT_PIN_L1_TABLE, zero[8]), 0);
    for (unsigned i = 0; i < 12; i++)                                       /* among its own */
        assert_int_equal(one(v0, zero[8] << 12 | i * 8, (i % 3 ? page[12] : zero[9]) << 12 | PTE_P | (i & PTE_RW), i % 3 ? 1 : DOMID_SELF), 0);
    assert_true(frame_of(mfn(page[12]))->refs > refs);
    dom0->dirty_pcpus |= 1;
    host_flushed.cr3 = 0;
    host_flush_hook = look_at_refs;
    uint64_t before = frame_of(mfn(page[12]))->refs;
    assert_int_equal(ext(v0, MMUEXT_UNPIN_TABLE, zero[8]), 0);
    assert_int_equal(host_flushed.cr3, 1);
    assert_int_equal(refs_at_flush, before);
    assert_int_equal(frame_of(mfn(page[12]))->refs, refs);
}

/* Teardown's turn at a pinned table is interrupted, dom0 pins the table, and takes that back as the domain is dying: both references are
 * given back (XSA-58's class; end() would find the frame lost). */
static void (*after_put)(void);

int __real_frame_put_typed_preemptible(mfn_t m);
int __wrap_frame_put_typed_preemptible(mfn_t m);
int __wrap_frame_put_typed_preemptible(mfn_t m)
{
    void (*fn)(void) = after_put;
    int rc = __real_frame_put_typed_preemptible(m);

    if (!rc || !fn)
        return rc;
    after_put = NULL;
    fn();
    return rc;
}

/* As far as mmuext.c's pin() comes before it sees that the domain is dying. */
static void pinned_by_dom0(void)
{
    unsigned often = host_preempt_one_in;
    mfn_t m;

    host_preempt_one_in = 0;
    assert_int_equal(frame_get_typed(domu, gfn(page[10]), FT_L2, &m), 0);
    assert_true(frame_pin(m));
    host_preempt_one_in = often;
}

static void pinned_while_it_goes(void **state)
{
    struct frame *f = frame_of(mfn(page[10]));

    (void)state;
    build_l2(page[10], 4);
    assert_int_equal(ext(vu, MMUEXT_PIN_L2_TABLE, page[10]), 0);
    domu->dying = DOMAIN_DYING;
    host_preempt_one_in = 1;
    after_put = pinned_by_dom0;
    while (after_put)
        assert_int_equal(frame_relinquish_all(domu), -XEN_ERESTART);
    host_preempt_one_in = 0;
    assert_true(f->type_info & FT_PINNED);
    if (frame_unpin(mfn(page[10])))
        frame_put_typed_deferred(mfn(page[10]));
    while (domu->relinquish_pass < 2 && frame_relinquish_all(domu))         /* PASS_TYPES is over */
        ;
    assert_int_equal(f->type_info & (FT_COUNT | FT_PINNED), 0);
}

/* The lock of a table, where the short way does not do. */
static void locks(void **state)
{
    uint64_t keep, level[] = { FT_L4, FT_L3, FT_L2, FT_L1 };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct frame *f = frame_of(mfn(page[i]));
        assert_int_equal(table_lock_slow(domu, mfn(page[i])), level[i]);
        assert_true(f->type_info & FT_LOCKED);
        table_unlock(mfn(page[i]));
        assert_false(f->type_info & FT_LOCKED);
        assert_true(table_lock_l1_slow(domu, f) == (i == 3 ? f : NULL));
        if (i == 3)
            table_unlock(mfn(page[3]));
        keep = f->type_info;
        f->type_info |= FT_COUNT;                                           /* no more of them fit */
        assert_int_equal(table_lock_slow(domu, mfn(page[i])), 0);
        mfn_t m;
        assert_int_equal(frame_get_typed(domu, gfn(page[i]), level[i], &m), -XEN_EINVAL);
        assert_int_equal(f->type_info, keep | FT_COUNT);
        f->type_info = keep & ~FT_VALIDATED;
        assert_int_equal(table_lock_slow(domu, mfn(page[i])), 0);
        f->type_info = keep;
        assert_int_equal(table_lock_slow(dom0, mfn(page[i])), 0);
        assert_int_equal(f->type_info, keep);
    }
    assert_int_equal(table_lock_slow(domu, mfn(page[4])), 0);               /* a plain page */
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[8]), 0);
    assert_int_equal(table_lock_slow(domu, mfn(page[8])), FT_L1);
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[8]), 0);
    assert_int_equal(type_of(page[8]), FT_L1);                              /* the lock holds it */
    table_unlock(mfn(page[8]));
    assert_int_equal(type_of(page[8]), 0);
    assert_false(frame_of(mfn(page[8]))->type_info & FT_LOCKED);
}

static void walks(void **state)
{
    uint64_t e[4] = { 9, 9, 9, 9 }, seen;
    mfn_t table, keep = vu->loaded_root;
    unsigned index;

    (void)state;
    assert_int_equal(table_walk(vu, 0, e), 0);
    assert_true(pte_mfn(e[0]) == page[1] && pte_mfn(e[3]) == page[4]);
    assert_int_equal(table_walk(vu, 0x9000, e), 1);
    assert_int_equal(e[3], 0);
    assert_int_equal(table_walk(vu, 1UL << 30, e), 3);
    assert_true(pte_mfn(e[0]) == page[1] && !e[1] && !e[2] && !e[3]);
    vu->loaded_root = mfn(0);
    assert_int_equal(table_walk(vu, 0, e), 4);
    vu->loaded_root = keep;
    assert_true(table_find_leaf(vu, 0x3000, &table, &index) && table.raw == page[3] && index == 3);
    keep = vu->guest_root;
    vu->guest_root = mfn(0);
    assert_false(table_find_leaf(vu, 0x3000, &table, &index));
    vu->guest_root = keep;
    /* stores: to L1 tables of one's own, in the processor's sizes */
    assert_int_equal(update(vu, page[3], 1, page[3] << 12 | PTE_P), 0);
    assert_int_equal(update(vu, page[3], 2, page[6] << 12 | PTE_P), 0);
    assert_int_equal(update(vu, page[3], 3, page[2] << 12 | PTE_P), 0);
    assert_true(table_store_would_trap(vu, 0x1000) && !table_store_would_trap(vu, 0x2000) && !table_store_would_trap(vu, 0x3000) &&
                !table_store_would_trap(vu, 0x9000));
    static const unsigned sizes[] = { 3, 5, 6 };
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(table_emulate_store(vu, 0x1100, sizes[i], 0, 0, &seen), -XEN_EINVAL);
    assert_int_equal(table_emulate_store(vu, 0x2100, 8, 0, 0, &seen), -XEN_EINVAL);
    words(page[3])[40] = page[7] << 12;                                     /* not present: names nothing */
    assert_int_equal(table_emulate_store(vu, 0x1140, 8, page[7] << 12, 0, &seen), 0);
    assert_string_equal(frame_type_name(FT_DESC), "descriptor table");
    assert_string_equal(frame_type_name(8UL << 60), "?");
}

static unsigned chances;
static void count_chance(void) { chances++; }

/* At a domain's end a pinned table is 512 entries of work: there is a preemption point behind each. */
static void an_end_in_pieces(void **state)
{
    (void)state;
    for (unsigned i = 10; i < 20; i++)
        assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[i]), 0);
    host_run(NULL);
    domu->dying = DOMAIN_DYING;
    while (root_drop(vu))
        ;
    host_preempt_hook = count_chance;
    chances = 0;
    assert_int_equal(frame_relinquish_all(domu), 0);
    assert_in_range(chances, 11, 30);                                        /* the ten, and the root's */
    assert_int_equal(domu->tot_pages, 0);
}

static void pages_and_flushes(void **state)
{
    uint64_t vcpus = 1;
    struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    uint32_t done = 0;

    (void)state;
#define EXT(cmd, a, b) (memset(&host_flushed, 0, sizeof(host_flushed)), ext_of(vu, cmd, a, b, DOMID_SELF))
    words(page[5])[0] = 1, words(page[5])[511] = 2;
    assert_int_equal(EXT(MMUEXT_COPY_PAGE, page[6], page[5]), 0);
    assert_true(words(page[6])[0] == 1 && words(page[6])[511] == 2);
    assert_int_equal(EXT(MMUEXT_CLEAR_PAGE, page[6], 0), 0);
    assert_true(words(page[6])[0] == 0 && words(page[6])[511] == 0);
    assert_int_equal(EXT(MMUEXT_COPY_PAGE, page[3], page[5]), -XEN_EINVAL);
    assert_int_equal(EXT(MMUEXT_COPY_PAGE, page[6], zero[5]), -XEN_EINVAL);
    assert_int_equal(EXT(MMUEXT_CLEAR_PAGE, page[3], 0), -XEN_EINVAL);
    assert_int_equal(type_of(page[6]) + type_of(page[5]), 0);

    assert_true(EXT(MMUEXT_FLUSH_CACHE, 0, 0) == -XEN_EACCES && !host_flushed.cache);
    assert_true(EXT(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0) == -XEN_EINVAL && !host_flushed.cache);
    domu->has_devices = true;
    assert_true(EXT(MMUEXT_FLUSH_CACHE, 0, 0) == 0 && host_flushed.cache == 1);
    assert_true(EXT(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0) == 0 && host_flushed.cache == 1);
    domu->has_devices = false;

    assert_true(EXT(MMUEXT_TLB_FLUSH_LOCAL, 0, 0) == 0 && host_flushed.cr3 == 1 && !host_flushed.smp_tlb);
    assert_true(EXT(MMUEXT_INVLPG_LOCAL, 0x7000, 0) == 0 && host_flushed.invlpg == 1 && host_flushed.va == 0x7000 && !host_flushed.cr3);
    assert_true(EXT(MMUEXT_TLB_FLUSH_ALL, 0, 0) == 0 && host_flushed.smp_tlb == 1 && host_flushed.mask == 1 && !host_flushed.smp_invlpg);
    assert_true(EXT(MMUEXT_INVLPG_ALL, 0x7000, 0) == 0 && host_flushed.smp_invlpg == 1 && host_flushed.va == 0x7000 && !host_flushed.smp_tlb);
    assert_true(EXT(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&vcpus) == 0 && host_flushed.smp_tlb == 1 && host_flushed.mask == 1);
    assert_true(EXT(MMUEXT_INVLPG_MULTI, 0x7000, (uint64_t)&vcpus) == 0 && host_flushed.smp_invlpg == 1 && host_flushed.mask == 1);
    vcpus = 2;
    assert_true(EXT(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&vcpus) == 0 && host_flushed.mask == 0);
    assert_true(EXT(MMUEXT_TLB_FLUSH_MULTI, 0, HV_START) == -XEN_EINVAL && !host_flushed.smp_tlb);
    /* within a list, and alone with a count */
    memset(&host_flushed, 0, sizeof(host_flushed));
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmuext_op, (uint64_t)&flush, 1, (uint64_t)&done, DOMID_SELF), 0);
    assert_true(done == 1 && host_flushed.cr3 == 1);
    flush = (struct mmuext_op){ .cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = 0x8000 };
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmuext_op, (uint64_t)&flush, 1, (uint64_t)&done, DOMID_SELF), 0);
    assert_true(host_flushed.invlpg == 1 && host_flushed.va == 0x8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(pins), TEST(pins_in_pieces), TEST(roots_in_pieces), TEST(an_end_in_pieces),
                                        TEST(taken_up_while_it_goes), TEST(the_hypervisors_slots), TEST(read_only_devices), TEST(stamped_at_the_last),
                                        TEST(one_flush_for_a_foreign_table), TEST(pinned_while_it_goes), TEST(locks),
                                        TEST(walks), TEST(pages_and_flushes) };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
