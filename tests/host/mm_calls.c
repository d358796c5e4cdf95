/* SPDX-License-Identifier: MIT */
/* mm_calls.c: memory_op, mmu_update and update_va_mapping to the letter of SPEC 5.5 and 5.7: what each operation does, when it stops to
 * go on later and where, whose tables and whose frames a domain word names, what is flushed, what an unreadable or unwritable argument
 * leaves behind, and what a refused guest reads. If one fails, a guest is told something else than what happened, or a count of
 * somebody's references is wrong for ever. mm_tables.c has mmuext_op, mm_unit.c the types, mm_property.c the combinations.         */
#include "tests/host/mm_world.h"

/* ---- memory_op ---- */

static long memory(struct vcpu *v, unsigned op, void *arg) { return host_hypercall(v, __HYPERVISOR_memory_op, op, (uint64_t)arg, 0, 0); }

static void address_bits(void **state)
{
    unsigned bits = 99;

    (void)state;
    assert_true(memory_address_bits(0, &bits) && bits == 0);
    assert_true(memory_address_bits(13, &bits) && bits == 13);
    assert_false(memory_address_bits(12, &bits));                     /* not even one frame lies so low */
    assert_false(memory_address_bits(1, &bits));
    assert_true(memory_address_bits(XENMEMF_node(5) | 32, &bits));    /* a wish; there is one node */
    assert_true(memory_address_bits(XENMEMF_exact_node_request | XENMEMF_node(0) | 32, &bits));
    assert_true(memory_address_bits(XENMEMF_exact_node_request, &bits));
    assert_false(memory_address_bits(XENMEMF_exact_node_request | XENMEMF_node(1), &bits));
}

static void extents(void **state)
{
    uint64_t list[8] = { 0 }, room = 40, seen = 0;
    struct xen_memory_reservation r = { .nr_extents = 4, .domid = DOMID_SELF };

    (void)state;
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), 4);       /* without a list */
    r.extent_start = (uint64_t)list;
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_true(list[i] && frame_of(mfn(list[i]))->owner == 1);
    room -= 8;
    r.extent_order = 1;
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), 0);       /* not for those without devices */
    r.extent_order = 10;
    assert_int_equal(memory(v0, XENMEM_increase_reservation, &r), 0);       /* for nobody */
    r.extent_order = 0;
    r.mem_flags = 12;
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), 0);
    r.mem_flags = XENMEMF_exact_node_request | XENMEMF_node(1);
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), 0);
    r.mem_flags = 0;
    r.domid = DOMID_IO;
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), 0);
    r.domid = DOMID_XEN;
    assert_int_equal(memory(v0, XENMEM_increase_reservation, &r), 0);
    r.domid = 1;
    assert_int_equal(memory(v0, XENMEM_increase_reservation, &r), 4);       /* by dom0, for another */
    room -= 4;
    /* four frames at once, numbered in a row, and not one more */
    r = (struct xen_memory_reservation){ .extent_start = (uint64_t)list, .nr_extents = 1, .extent_order = 2, .domid = DOMID_SELF };
    list[0] = 7000;
    assert_int_equal(memory(v0, XENMEM_populate_physmap, &r), 1);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(m2p(mfn(list[0] + i)), 7000 + i);
    for (uint64_t m = 0; m < max_mfn; m++)
        seen += m2p(mfn(m)) == 7004;
    assert_int_equal(seen, 0);
    assert_int_equal(memory(v0, XENMEM_decrease_reservation, &r), 1);
    assert_int_equal(frame_of(mfn(list[0] + 3))->owner, OWNER_NONE);
    /* no more at once than its place in cmd can count */
    r = (struct xen_memory_reservation){ .nr_extents = (0xffffffffUL >> MEMOP_EXTENT_SHIFT) + 1, .domid = DOMID_SELF };
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), 0);
    r.nr_extents--;
    assert_int_equal(memory(vu, XENMEM_increase_reservation, &r), room);
}

static void extents_in_pieces(void **state)
{
    uint64_t list[4] = { 1, 2, 3, 4 };
    struct xen_memory_reservation r = { .extent_start = (uint64_t)list, .nr_extents = 4, .domid = DOMID_SELF };

    (void)state;
    host_preempt_one_in = 1;
    assert_int_equal(hc_memory_op(vu, XENMEM_populate_physmap, gva((uint64_t)&r)), HOST_AGAIN);
    assert_int_equal(host_again.a[0], XENMEM_populate_physmap | 1UL << MEMOP_EXTENT_SHIFT);
    assert_int_equal(host_again.a[1], (uint64_t)&r);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_memory_op, host_again.a[0], host_again.a[1], 0, 0), 4);
    host_preempt_one_in = 0;
    assert_int_equal(hc_memory_op(vu, XENMEM_decrease_reservation, gva((uint64_t)&r)), 4);
    assert_int_equal(hc_memory_op(vu, XENMEM_decrease_reservation | 9UL << MEMOP_EXTENT_SHIFT, gva((uint64_t)&r)), 9);
}

static void questions(void **state)
{
    struct xen_memory_domain who = { DOMID_SELF };
    struct xen_machphys_mapping map;
    void *p;
    mfn_t m;

    (void)state;
    assert_int_equal(memory(vu, XENMEM_current_reservation, &who), 24);
    assert_int_equal(memory(vu, XENMEM_maximum_reservation, &who), 64);
    assert_int_equal(memory(vu, XENMEM_maximum_gpfn, &who), -XEN_EINVAL);
    assert_int_equal(frame_alloc_shared(domu, &p, &m), 0);
    ((struct shared_info *)p)->arch.max_pfn = 4711;
    domu->shared_info_mfn = m;
    assert_int_equal(memory(vu, XENMEM_maximum_gpfn, &who), 4710);
    domu->shared_info_mfn = mfn(0);
    frame_free_shared(domu, m);
    who.domid = 1;
    assert_int_equal(memory(v0, XENMEM_current_reservation, &who), 24);
    who.domid = 9;
    assert_int_equal(memory(v0, XENMEM_current_reservation, &who), -XEN_ESRCH);
    who.domid = DOMID_IO;
    assert_int_equal(memory(v0, XENMEM_current_reservation, &who), -XEN_ESRCH);
    who.domid = DOMID_XEN;
    assert_int_equal(memory(v0, XENMEM_current_reservation, &who), -XEN_ESRCH);
    assert_int_equal(memory(vu, XENMEM_current_reservation, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(memory(vu, XENMEM_machphys_mapping, &map), 0);
    assert_true(map.v_start == MACH2PHYS_VIRT_START && map.v_end == MACH2PHYS_VIRT_END && map.max_mfn == MACH2PHYS_NR_ENTRIES - 1);
    assert_int_equal(memory(vu, XENMEM_machphys_mapping, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(memory(vu, XENMEM_add_to_physmap, &map), -XEN_EINVAL);
}

static void memory_maps(void **state)
{
    struct e820entry e[129] = { { 0, 1 << 20, E820_RAM }, { 1 << 20, 4096, E820_RESERVED } }, got[2];
    struct xen_foreign_memory_map f = { .domid = 1, .map = { 2, (uint64_t)e } };
    struct xen_memory_map map = { 7, (uint64_t)got };
    uint64_t before;

    (void)state;
    assert_int_equal(memory(v0, XENMEM_set_memory_map, &f), 0);
    before = heap_free_frames();
    assert_int_equal(memory(vu, XENMEM_memory_map, &map), 0);
    assert_int_equal(map.nr_entries, 2);
    assert_memory_equal(got, e, sizeof(got));
    assert_int_equal(memory(vu, XENMEM_memory_map, &map), 0);               /* just as many as there are */
    map.nr_entries = 1;
    assert_int_equal(memory(vu, XENMEM_memory_map, &map), -XEN_EINVAL);
    assert_int_equal(map.nr_entries, 1);
    map = (struct xen_memory_map){ 2, HV_START };
    assert_int_equal(memory(vu, XENMEM_memory_map, &map), -XEN_EFAULT);
    assert_int_equal(memory(vu, XENMEM_memory_map, (void *)HV_START), -XEN_EFAULT);
    map.buffer = (uint64_t)got;
    faults_fill(&map, sizeof(map));
    assert_int_equal(memory(vu, XENMEM_memory_map, read_only_page), -XEN_EFAULT);
    for (unsigned i = 0; i < 60; i++) {                                     /* the map before, and one that failed, are given back */
        assert_int_equal(memory(vu, XENMEM_set_memory_map, &f), 0);
        f.map.buffer = HV_START;
        assert_int_equal(memory(v0, XENMEM_set_memory_map, &f), -XEN_EFAULT);
        f.map.buffer = (uint64_t)e;
    }
    assert_int_equal(heap_free_frames(), before);
    f.map.nr_entries = 128;
    assert_int_equal(memory(v0, XENMEM_set_memory_map, &f), 0);
    f.map.nr_entries = 129;
    assert_int_equal(memory(v0, XENMEM_set_memory_map, &f), -XEN_EINVAL);
    f.map.nr_entries = 1;
    assert_int_equal(memory(v0, XENMEM_set_memory_map, (void *)HV_START), -XEN_EFAULT);
    static const domid_t nobody[] = { DOMID_IO, DOMID_XEN, 9 };
    for (unsigned i = 0; i < 3; i++) {
        f.domid = nobody[i];
        assert_int_equal(memory(v0, XENMEM_set_memory_map, &f), -XEN_ESRCH);
    }
    f.domid = 0;
    assert_int_equal(memory(vu, XENMEM_set_memory_map, &f), -XEN_EPERM);
    assert_int_equal(domu->memory_map_entries, 128);
    uint64_t taken = 0;
    for (mfn_t m; !heap_take(0, 0, &m); taken++)                             /* no memory left: kept in a list */
        *words(m.raw) = taken ? domu->max_pages : 0, domu->max_pages = m.raw;
    f.domid = 1;
    for (int rc = 0; !rc;) {                                                /* what the piece allocator has still */
        rc = (int)memory(v0, XENMEM_set_memory_map, &f);
        if (rc)
            assert_int_equal(rc, -XEN_ENOMEM);
        else
            break;
    }
    while (taken-- > 0) {
        uint64_t m = domu->max_pages;
        domu->max_pages = *words(m);
        heap_give(mfn(m), 0);
    }
    domu->max_pages = 64;
}

static void the_machine(void **state)
{
    struct e820_range got[2] = { { 0 } };
    struct xen_memory_map map = { 2, (uint64_t)got };
    uint64_t starts[3] = { 0 }, keep = m2p_frames;
    struct xen_machphys_mfn_list list = { 3, (uint64_t)starts, 77 };

    (void)state;
    machine_map_entries = 2;
    machine_map[1].addr = 42;
    assert_int_equal(memory(vu, XENMEM_machine_memory_map, &map), -XEN_EPERM);
    assert_int_equal(memory(v0, XENMEM_machine_memory_map, &map), 0);
    assert_true(map.nr_entries == 2 && got[1].addr == 42);
    map.nr_entries = 5;
    assert_int_equal(memory(v0, XENMEM_machine_memory_map, &map), 0);
    assert_int_equal(map.nr_entries, 2);
    map.nr_entries = 1;
    assert_int_equal(memory(v0, XENMEM_machine_memory_map, &map), -XEN_EINVAL);
    map.nr_entries = 2;
    faults_fill(&map, sizeof(map));
    assert_int_equal(memory(v0, XENMEM_machine_memory_map, read_only_page), -XEN_EFAULT);
    map.buffer = HV_START;
    assert_int_equal(memory(v0, XENMEM_machine_memory_map, &map), -XEN_EFAULT);
    assert_int_equal(memory(v0, XENMEM_machine_memory_map, (void *)HV_START), -XEN_EFAULT);
    machine_map_entries = 0;

    m2p_frames = 513;                                                       /* two pieces of 2 MiB */
    assert_int_equal(memory(vu, XENMEM_machphys_mfn_list, &list), -XEN_EPERM);
    assert_int_equal(memory(v0, XENMEM_machphys_mfn_list, &list), 0);
    assert_true(list.nr_extents == 2 && starts[0] == virt_to_mfn(m2p_table).raw && starts[1] == starts[0] + 512 && !starts[2]);
    list.max_extents = 1;
    starts[1] = 0;
    assert_int_equal(memory(v0, XENMEM_machphys_mfn_list, &list), 0);
    assert_true(list.nr_extents == 1 && !starts[1]);
    m2p_frames = 512;
    list.max_extents = 3;
    assert_int_equal(memory(v0, XENMEM_machphys_mfn_list, &list), 0);
    assert_int_equal(list.nr_extents, 1);
    list.extent_start = HV_START;
    assert_int_equal(memory(v0, XENMEM_machphys_mfn_list, &list), -XEN_EFAULT);
    assert_int_equal(memory(v0, XENMEM_machphys_mfn_list, (void *)HV_START), -XEN_EFAULT);
    m2p_frames = keep;
}

/* ---- mmu_update ---- */

static void requests(void **state)
{
    struct mmu_update req = { page[3] << 12 | 8, page[6] << 12 | PTE_P };
    uint32_t done = 77;

    (void)state;
    assert_int_equal(one(vu, page[6] << 12 | MMU_MACHPHYS_UPDATE, 4242, DOMID_SELF), 0);
    assert_int_equal(m2p(mfn(page[6])), 4242);
    words(page[3])[0] |= PTE_A;
    uint64_t entry = words(page[3])[0];
    assert_int_equal(one(vu, page[3] << 12 | MMU_MACHPHYS_UPDATE, page[7] << 12 | PTE_P, DOMID_SELF), 0);   /* a table's number, not its entry */
    assert_true(m2p(mfn(page[3])) == (page[7] << 12 | PTE_P) && words(page[3])[0] == entry);
    assert_int_equal(one(vu, zero[0] << 12 | MMU_MACHPHYS_UPDATE, 1, DOMID_SELF), -XEN_EINVAL);
    assert_true(said("malformed"));
    assert_int_equal(one(v0, page[6] << 12 | MMU_MACHPHYS_UPDATE, 4243, 1), 0);
    assert_int_equal(m2p(mfn(page[6])), 4243);
    host_log[0] = 0;
    assert_int_equal(one(vu, page[3] << 12 | 8 | 4, page[6] << 12 | PTE_P, DOMID_SELF), -XEN_EINVAL);
    assert_true(said("malformed"));
    assert_int_equal(one(vu, zero[0] << 12, 1, DOMID_SELF), -XEN_EINVAL);
    assert_true(said("lies in no table"));
    assert_int_equal(one(vu, page[3] << 12 | 8, page[2] << 12 | PTE_P | PTE_RW, DOMID_SELF), -XEN_EINVAL);
    assert_true(said("L2 table"));
    assert_int_equal(one(vu, page[5] << 12 | 16, 99, DOMID_SELF), 0);        /* a plain page is written, */
    assert_int_equal(words(page[5])[2], 99);
    assert_int_equal(type_of(page[5]), 0);                                  /* and let go of */
    /* a single one with a count of what was done; a count's upper half is nobody's */
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, (uint64_t)&done, DOMID_SELF), 0);
    assert_int_equal(done, 1);
    req.val = page[7] << 12 | PTE_P;
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)&req, 1UL << 32 | 1, (uint64_t)&done, DOMID_SELF), 0);
    assert_int_equal(pte_mfn(words(page[3])[1]), page[7]);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, HV_START, 1, 0, DOMID_SELF), -XEN_EFAULT);
    faults_fill(&req, 0);
    memset(&req, 0, sizeof(req));
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)read_only_page + 4096 - 8, 1, 0, DOMID_SELF), -XEN_EFAULT);
}

/* The domain word: low half whose frames, high half, plus one, whose tables. */
static void whose(void **state)
{
    uint64_t tables = 2UL << 16;

    (void)state;
    assert_int_equal(ext_of(v0, MMUEXT_PIN_L1_TABLE, page[8], 0, 1), 0);
    assert_int_equal(one(v0, page[8] << 12, page[9] << 12 | PTE_P | PTE_RW, tables | 1), 0);
    assert_int_equal(pte_mfn(words(page[8])[0]), page[9]);
    assert_int_equal(one(v0, page[8] << 12, 0, 1), -XEN_EINVAL);             /* not a table of dom0's */
    assert_int_equal(one(vu, zero[8] << 12, 0, 1UL << 16 | DOMID_SELF), -XEN_EPERM);
    assert_int_equal(one(v0, page[8] << 12, 0, 10UL << 16 | 1), -XEN_ESRCH);
    assert_int_equal(one(v0, page[8] << 12, 0, tables | 9), -XEN_ESRCH);
    assert_int_equal(one(v0, page[8] << 12, 0, (DOMID_XEN + 1UL) << 16 | 1), -XEN_EPERM);
    assert_int_equal(one(v0, page[8] << 12, 0, tables | 1), 0);
    assert_int_equal(domu->refs, 0);
    assert_int_equal(ext_of(v0, MMUEXT_UNPIN_TABLE, page[8], 0, 1), 0);
}

static void lists_in_pieces(void **state)
{
    struct mmu_update req[130];
    uint32_t done = 5;

    (void)state;
    for (unsigned i = 0; i < 130; i++)
        req[i] = (struct mmu_update){ page[3] << 12 | (i + 20) * 8, page[6] << 12 | PTE_P };
    assert_int_equal(hc_mmu_update(vu, gva((uint64_t)req), 130, gva((uint64_t)&done), DOMID_SELF), 0);   /* nobody waits: at once */
    host_preempt_one_in = 1;
    assert_int_equal(hc_mmu_update(vu, gva((uint64_t)req), 130, gva((uint64_t)&done), DOMID_SELF), HOST_AGAIN);
    assert_int_equal(done, 64);
    assert_true(host_again.a[0] == (uint64_t)&req[64] && host_again.a[1] == (66 | MM_PREEMPTED) && host_again.a[2] == (uint64_t)&done);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, host_again.a[0], host_again.a[1], host_again.a[2], DOMID_SELF), 0);
    assert_int_equal(done, 130);
    assert_int_equal(hc_mmu_update(vu, gva((uint64_t)req), 64, gva((uint64_t)&done), DOMID_SELF), 0);     /* all of it: nothing is left */
    /* of a higher table: after each, but for the last */
    for (unsigned i = 0; i < 3; i++)
        req[i] = (struct mmu_update){ page[2] << 12 | (i + 20) * 8, (page[10] + i) << 12 | PTE_P };
    assert_int_equal(hc_mmu_update(vu, gva((uint64_t)req), 3, gva((uint64_t)&done), DOMID_SELF), HOST_AGAIN);
    assert_int_equal(done, 1);
    assert_int_equal(hc_mmu_update(vu, gva((uint64_t)(req + 1)), 1, gva((uint64_t)&done), DOMID_SELF), 0);
    host_preempt_one_in = 0;
    assert_int_equal(hc_mmu_update(vu, gva((uint64_t)req), 3, gva((uint64_t)&done), DOMID_SELF), 0);
    assert_int_equal(done, 3);
    assert_false(said("refused"));
}

/* What an entry named is long in going: the request is done, the call goes on when it has gone; so do the other ways of changing tables. */
static void what_is_put_off(void **state)
{
    struct mmu_update req[2] = { { page[1] << 12 | 8, 0 }, { page[3] << 12 | 8, page[6] << 12 | PTE_P } };
    uint32_t done = 0;

    (void)state;
    for (unsigned way = 0; way < 6; way++) {
        build_l2(page[10], 6);
        assert_int_equal(update(vu, page[3], 1, 0), 0);
        assert_int_equal(update(vu, page[1], 1, page[10] << 12 | PTE_P), 0);
        assert_int_equal(type_of(page[10]), FT_L2);
        host_preempt_one_in = 1;
        assert_int_equal(hc_mmu_update(vu, gva((uint64_t)req), 1 + !way, gva((uint64_t)&done), DOMID_SELF), HOST_AGAIN);
        assert_int_equal(done, 1);
        assert_int_equal(host_again.a[0], (uint64_t)&req[1]);
        assert_int_equal(vu->deferred_put[0].raw, page[10]);
        assert_int_equal(words(page[3])[1], 0);
        struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = page[20] };
        long rc = way == 0 ? hc_mmu_update(vu, gva(host_again.a[0]), host_again.a[1], gva(host_again.a[2]), DOMID_SELF) :
                  way == 1 ? hc_update_va_mapping(vu, 0x1000, page[6] << 12 | PTE_P, 0) :
                  way == 2 ? hc_update_va_mapping_otherdomain(vu, 0x1000, page[6] << 12 | PTE_P, 0, 1) :
                  way == 3 ? hc_mmuext_op(vu, gva((uint64_t)&op), 1, gva(0), DOMID_SELF) :
                  way == 4 ? hc_mmuext_op(vu, gva((uint64_t)&op), 1, gva(0), 0) :
                             hc_mmu_update(vu, gva((uint64_t)req), 1, gva(0), 0);
        assert_int_equal(rc, HOST_AGAIN);                  /* that first, and it takes more than one step */
        assert_int_equal(words(page[3])[1], 0);
        assert_int_equal(type_of(page[20]), 0);
        assert_int_equal(domu->refs + dom0->refs, 0);
        if (way < 4)
            assert_int_equal(host_hypercall(vu, host_again.nr, host_again.a[0], host_again.a[1], host_again.a[2], host_again.a[3]), 0);
        host_preempt_one_in = 0;
        assert_int_equal(mm_finish_deferred(vu), 0);
        if (way < 3)
            assert_int_equal(pte_mfn(words(page[3])[1]), page[6]);
        if (way == 3)
            assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[20]), 0);
        for (unsigned i = 0; i < 7; i++)
            assert_int_equal(type_of(page[10] + i), 0);
    }
    assert_false(said("refused"));
}

/* ---- update_va_mapping ---- */

static void by_address(void **state)
{
    uint64_t all = UVMF_TLB_FLUSH | UVMF_ALL, vcpus = 1;

    (void)state;
#define VA(val, flags) host_hypercall(vu, __HYPERVISOR_update_va_mapping, 0x5000, val, flags, 0)
#define FLUSHED(...) (memset(&host_flushed, 0, sizeof(host_flushed)), VA(page[6] << 12 | PTE_P, __VA_ARGS__) == 0)
    assert_int_equal(VA(page[6] << 12 | PTE_P, 0), 0);
    assert_int_equal(pte_mfn(words(page[3])[5]), page[6]);
    assert_int_equal(VA(page[2] << 12 | PTE_P | PTE_RW, 0), -XEN_EINVAL);
    assert_true(said("update_va_mapping of 0x5000 refused") && said("L2 table") && !said("no L1 table"));
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_update_va_mapping, 1UL << 30, page[6] << 12 | PTE_P, 0, 0), -XEN_EINVAL);
    assert_true(said("no L1 table"));
    host_log[0] = 0;
    assert_true(FLUSHED(0) && !host_flushed.cr3 && !host_flushed.invlpg && !host_flushed.smp_tlb && !host_flushed.smp_invlpg);
    assert_true(FLUSHED(UVMF_INVLPG) && host_flushed.invlpg == 1 && host_flushed.va == 0x5000 && !host_flushed.cr3);
    assert_true(FLUSHED(UVMF_TLB_FLUSH) && host_flushed.cr3 == 1 && !host_flushed.invlpg);
    assert_true(FLUSHED(UVMF_FLUSHTYPE_MASK) && !host_flushed.cr3 && !host_flushed.invlpg);
    assert_true(FLUSHED(all) && host_flushed.smp_tlb == 1 && host_flushed.mask == 1 && !host_flushed.smp_invlpg && !host_flushed.invlpg);
    assert_true(FLUSHED(UVMF_INVLPG | UVMF_ALL) && host_flushed.smp_invlpg == 1 && !host_flushed.smp_tlb && host_flushed.va == 0x5000);
    assert_false(said("refused"));
    /* those vCPUs: where they are, if they hold anything of the domain's */
    struct vcpu *second = host_vcpu(domu, MAX_VCPUS - 1);
    second->last_pcpu = 7;
    assert_true(FLUSHED(UVMF_INVLPG | (uint64_t)&vcpus) && host_flushed.smp_invlpg == 1 && host_flushed.mask == 1);
    domu->dirty_pcpus |= 1 << 9;
    vcpus = ~0UL;
    assert_true(FLUSHED(UVMF_INVLPG | (uint64_t)&vcpus) && host_flushed.mask == 1);
    domu->dirty_pcpus |= 1 << 7;
    assert_true(FLUSHED(UVMF_INVLPG | (uint64_t)&vcpus) && host_flushed.mask == (1 | 1 << 7));
    domu->dirty_pcpus = 1;
    vcpus = 2;
    assert_true(FLUSHED(UVMF_INVLPG | (uint64_t)&vcpus) && host_flushed.mask == 0);
    assert_int_equal(VA(0, UVMF_INVLPG | HV_START), -XEN_EFAULT);
    assert_int_equal(words(page[3])[5], 0);                                 /* and the change was made */
    /* dom0 maps another's frame */
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_update_va_mapping_otherdomain, 0x5000, zero[5] << 12 | PTE_P, 0, 0), -XEN_EPERM);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_update_va_mapping_otherdomain, 0x5000, page[5] << 12 | PTE_P, 0, 1), 0);
    assert_int_equal(pte_mfn(words(page[3])[5]), page[5]);
    assert_int_equal(host_hypercall(v0, __HYPERVISOR_update_va_mapping_otherdomain, 0x5000, page[5] << 12 | PTE_P, 0, 9), -XEN_ESRCH);
    assert_int_equal(host_hypercall(v0, __HYPERVISOR_update_va_mapping_otherdomain, 0x5000, page[5] << 12 | PTE_P, 0, 1), -XEN_EINVAL);
    assert_int_equal(domu->refs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(address_bits), TEST(extents), TEST(extents_in_pieces), TEST(questions), TEST(memory_maps),
                                        TEST(the_machine), TEST(requests), TEST(whose), TEST(lists_in_pieces), TEST(what_is_put_off),
                                        TEST(by_address) };
    return cmocka_run_group_tests_name("memory calls", tests, NULL, NULL);
}
