/* SPDX-License-Identifier: MIT */
/* mm_unit.c: the memory floor's single claims, each by name.
 *
 * Claims: the heap joins what it splits and scrubs what it hands out; a piece allocator gives its pages back; descriptors are
 * fixed or refused (SPEC 5.6); types exclude one another (F3, SPEC 5.4); entries that SPEC 5.3 refuses are refused at every
 * level, and leave everything as it was; calls with hostile counts, handles and domain numbers return the documented error.
 * A failure is a guest's way in, or a leak. mm_property.c tries the combinations.                                        */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypercall-abi/mm.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/descriptor_fix.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"

static struct domain *dom0, *domu;
static struct vcpu *v0, *vu;
static uint64_t page[16];              /* frames of domu's */

static int machine(void **state)
{
    static bool booted;
    mfn_t m;

    (void)state;
    if (!booted) {
        host_boot(8, 600);
        booted = true;
    }
    dom0 = host_domain(0, true, 64);
    domu = host_domain(1, false, 64);
    v0 = host_vcpu(dom0, 0);
    vu = host_vcpu(domu, 0);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(frame_alloc(domu, 0, 0, &m), 0);
        page[i] = m.raw;
    }
    host_run(vu);
    return 0;
}

static void audit_clean(void)
{
    struct audit_result r;

    frame_audit(&r);
    assert_int_equal(r.differences, 0);
    assert_int_equal(r.lost, 0);
}

static int end(void **state)
{
    (void)state;
    audit_clean();
    host_run(NULL);
    struct vcpu *v[] = { vu, v0 };
    for (unsigned i = 0; i < 2; i++) {
        v[i]->domain->dying = DOMAIN_DYING;
        while (root_drop(v[i]))
            ;
        gdt_drop(v[i]);
        ldt_drop(v[i]);
    }
    while (frame_relinquish_all(dom0))
        ;
    while (frame_relinquish_all(domu))
        ;
    assert_int_equal(domu->tot_pages, 0);
    host_domain_free(domu);
    host_domain_free(dom0);
    return 0;
}

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

/* page[0..3] become an L4 down to an L1 with page[4] mapped writable at address 0; the L4 is pinned and loaded. */
static void build_tree(void)
{
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(update(vu, page[i], 0, page[i + 1] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(update(vu, page[3], 0, page[4] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(ext(vu, MMUEXT_PIN_L4_TABLE, page[0]), 0);
    assert_int_equal(ext(vu, MMUEXT_NEW_BASEPTR, page[0]), 0);
}

/* ---- heap ---- */

static void heap_joins(void **state)
{
    uint64_t before = heap_free_frames();
    void *p[64];

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 64; i++) {
            p[i] = heap_alloc(i % 3);
            assert_non_null(p[i]);
            assert_int_equal(virt_to_mfn(p[i]).raw & ((1UL << i % 3) - 1), 0);
            for (unsigned k = 0; k < PAGE_SIZE << i % 3; k += 8)
                assert_int_equal(*(uint64_t *)((char *)p[i] + k), 0);
            memset(p[i], 0x5a, PAGE_SIZE << i % 3);
        }
        for (unsigned i = 0; i < 64; i++)
            heap_free(p[(i * 37) % 64], (i * 37) % 64 % 3);
        assert_int_equal(heap_free_frames(), before);
    }
    void *big = heap_alloc(7);
    assert_non_null(big);
    heap_free(big, 7);
    assert_null(heap_alloc(10));                       /* 1,024 frames of 592 */
    mfn_t m;
    assert_int_equal(heap_take(0, 17, &m), 0);         /* below 128 KiB */
    assert_true(m.raw < 32);
    heap_give(m, 0);
    assert_int_equal(heap_take(0, 14, &m), -XEN_ENOMEM);
}

static void pieces_go_back(void **state)
{
    uint64_t before = heap_free_frames();
    static const size_t size[] = { 1, 24, 32, 33, 64, 100, 256, 1000, 2048, 2049, 4096, 9000 };
    void *p[600];

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        size_t n = size[i % 12] > 4000 && i > 100 ? 48 : size[i % 12];
        p[i] = kalloc(n);
        assert_non_null(p[i]);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(((char *)p[i])[k], 0);
        if (n >= 64)
            assert_int_equal((uintptr_t)p[i] % 64, 0);
        memset(p[i], (int)i, n);
    }
    for (unsigned i = 0; i < 600; i++)
        kfree(p[(i * 7) % 600]);
    kfree(NULL);
    assert_null(kalloc(2UL << 20));
    assert_int_equal(heap_free_frames(), before);
}

/* ---- descriptors ---- */

static void descriptors(void **state)
{
    uint64_t d;

    (void)state;
    d = 0;
    assert_true(descriptor_fix(&d));
    assert_int_equal(d, 0);
    d = 0x00cf92000000ffff;                            /* data, DPL 0, not accessed */
    assert_true(descriptor_fix(&d));
    assert_int_equal(d, 0x00cff3000000ffff);
    d = 0x00af9a000000ffff;                            /* 64-bit code */
    assert_true(descriptor_fix(&d));
    assert_int_equal(d, 0x00affb000000ffff);
    for (uint64_t type = 1; type < 16; type++) {       /* LDT, TSS, gates */
        d = type << 40 | DESC_PRESENT | DESC_DPL;
        assert_false(descriptor_fix(&d));
        d &= ~DESC_PRESENT;
        assert_true(descriptor_fix(&d));
    }
    for (uint64_t bits = 0; bits < 256; bits++) {      /* whatever passes and is present: ring 3's, accessed, no gate */
        d = bits << 40;
        if (descriptor_fix(&d) && (d & DESC_PRESENT) && (d & (DESC_SEGMENT | DESC_TYPE)))
            assert_int_equal(d & (DESC_DPL | DESC_ACCESSED | DESC_SEGMENT), DESC_DPL | DESC_ACCESSED | DESC_SEGMENT);
    }
}

static void gdt_frames(void **state)
{
    uint64_t list[2] = { page[5], page[6] };

    (void)state;
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_set_gdt, (uint64_t)list, 7169, 0, 0), -XEN_EINVAL);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_set_gdt, HV_START, 1, 0, 0), -XEN_EFAULT);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_set_gdt, (uint64_t)list, 1024, 0, 0), 0);
    build_tree();
    assert_int_equal(update(vu, page[3], 1, page[5] << 12 | PTE_P | PTE_RW), -XEN_EINVAL);   /* F3 */
    assert_int_equal(update(vu, page[3], 1, page[5] << 12 | PTE_P), 0);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_update_descriptor, page[5] << 12 | 8, 0x00008e0000000000, 0, 0), -XEN_EINVAL);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_update_descriptor, page[5] << 12 | 4, 0, 0, 0), -XEN_EINVAL);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_update_descriptor, page[5] << 12 | 8, 0x00cf92000000ffff, 0, 0), 0);
    assert_int_equal(((uint64_t *)mfn_to_virt(mfn(page[5])))[1], 0x00cff3000000ffff);
    list[0] = page[4];                                 /* mapped writable */
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_set_gdt, (uint64_t)list, 512, 0, 0), -XEN_EINVAL);
    assert_int_equal(vu->gdt_entries, 1024);           /* the old one stays */
}

/* ---- entries ---- */

static void types_exclude(void **state)
{
    (void)state;
    build_tree();
    for (unsigned i = 0; i < 4; i++) {                 /* a table is not mapped writable; read-only it may be */
        assert_int_equal(update(vu, page[3], 2, page[i] << 12 | PTE_P | PTE_RW), -XEN_EINVAL);
        assert_int_equal(update(vu, page[3], 2, page[i] << 12 | PTE_P), 0);
    }
    assert_int_equal(update(vu, page[3], 2, 0), 0);
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[4]), -XEN_EINVAL);   /* what is mapped writable is no table */
    assert_int_equal(update(vu, page[3], 0, page[4] << 12 | PTE_P), 0);
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[4]), 0);
    assert_int_equal(update(vu, page[3], 0, page[4] << 12 | PTE_P | PTE_RW), -XEN_EINVAL);
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[4]), -XEN_EINVAL);   /* once */
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[4]), 0);
    assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[4]), -XEN_EINVAL);
}

static void recursion_is_refused(void **state)
{
    (void)state;
    build_tree();
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 4; k++)
            if (k != i + 1 && !(i == 3))
                assert_int_equal(update(vu, page[i], 5, page[k] << 12 | PTE_P), -XEN_EINVAL);
}

static void bits_are_refused(void **state)
{
    static const uint64_t upper[] = { PTE_PS, PTE_PWT, PTE_PCD, PTE_G };

    (void)state;
    build_tree();
    for (unsigned level = 0; level < 3; level++)
        for (unsigned i = 0; i < 4; i++) {
            uint64_t same = page[level + 1] << 12 | PTE_P | PTE_RW;
            assert_int_equal(update(vu, page[level], 0, same | upper[i]), -XEN_EINVAL);   /* on the flags-only path (XSA-148) */
            assert_int_equal(update(vu, page[level], 7, same | upper[i]), -XEN_EINVAL);
        }
    for (unsigned slot = 256; slot <= 271; slot++)
        assert_int_equal(update(vu, page[0], slot, 0), -XEN_EINVAL);
    static const uint64_t leaf[] = { PTE_PWT, PTE_PCD, PTE_PAT };
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(update(vu, page[3], 0, page[4] << 12 | PTE_P | PTE_RW | leaf[i]), -XEN_EINVAL);
        assert_int_equal(update(vu, page[3], 9, page[6] << 12 | PTE_P | leaf[i]), -XEN_EINVAL);
    }
    assert_int_equal(update(vu, page[3], 9, page[6] << 12 | PTE_P | PTE_G), 0);           /* U forced, G stripped */
    assert_int_equal(((uint64_t *)mfn_to_virt(mfn(page[3])))[9], page[6] << 12 | PTE_P | PTE_U);
    assert_int_equal(update(vu, page[3], 10, 0xdead0000 << 1), 0);                        /* not present: anything */
}

static void foreign_frames(void **state)
{
    mfn_t m;
    struct mmu_update req;

    (void)state;
    assert_int_equal(frame_alloc(dom0, 0, 0, &m), 0);
    build_tree();
    assert_int_equal(update(vu, page[3], 1, m.raw << 12 | PTE_P), -XEN_EINVAL);
    assert_int_equal(update(vu, page[3], 1, 0xfed00UL << 12 | PTE_P), -XEN_EPERM);
    assert_int_equal(update(vu, page[3], 1, PTE_ADDR | PTE_P), -XEN_EINVAL);
    assert_int_equal(update(vu, m.raw, 1, 0), -XEN_EINVAL);
    assert_int_equal(update(vu, ~0UL >> 12, 1, 0), -XEN_EINVAL);
    req = (struct mmu_update){ page[3] << 12 | 8, m.raw << 12 | PTE_P };
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, 0), -XEN_EPERM);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, DOMID_XEN), -XEN_EPERM);
    /* dom0 maps domu's frame into a table of its own, and lets go of it only after domu has died: end() does that */
    mfn_t table;
    assert_int_equal(frame_alloc(dom0, 0, 0, &table), 0);
    host_run(v0);
    assert_int_equal(ext(v0, MMUEXT_PIN_L1_TABLE, table.raw), 0);
    req = (struct mmu_update){ table.raw << 12, page[7] << 12 | PTE_P | PTE_RW };
    assert_int_equal(host_hypercall(v0, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, 1), 0);
    assert_int_equal(host_hypercall(v0, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, 99), -XEN_ESRCH);
    host_run(vu);
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, page[7]), -XEN_EINVAL);   /* dom0 writes it */
}

static void requests_are_counted(void **state)
{
    struct mmu_update req[40];
    uint32_t done = 77;

    (void)state;
    build_tree();
    for (unsigned i = 0; i < 40; i++)
        req[i] = (struct mmu_update){ page[3] << 12 | (i + 20) * 8, page[6] << 12 | PTE_P };
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)req, 40, (uint64_t)&done, DOMID_SELF), 0);
    assert_int_equal(done, 40);
    req[25].val = page[3] << 12 | PTE_P | PTE_RW;
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)req, 40, (uint64_t)&done, DOMID_SELF), -XEN_EINVAL);
    assert_int_equal(done, 25);
    assert_non_null(strstr(host_log, "mmu_update[25] refused"));
    req[25].ptr |= 4;
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)req, 40, (uint64_t)&done, DOMID_SELF), -XEN_EINVAL);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, HV_START, 1, (uint64_t)&done, DOMID_SELF), -XEN_EFAULT);
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, 0, 0, 0, DOMID_SELF), 0);
    assert_int_equal(ext(vu, 33, 0), -XEN_ENOSYS);
    assert_int_equal(ext(vu, MMUEXT_MARK_SUPER, page[0]), -XEN_EOPNOTSUPP);
    assert_int_equal(ext(vu, MMUEXT_FLUSH_CACHE, 0), -XEN_EACCES);
}

static void accessed_and_dirty_stay(void **state)
{
    struct mmu_update req = { page[3] << 12 | MMU_PT_UPDATE_PRESERVE_AD, page[4] << 12 | PTE_P };
    uint64_t *slot = mfn_to_virt(mfn(page[3]));

    (void)state;
    build_tree();
    slot[0] |= PTE_A | PTE_D;                          /* as the processor does */
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, DOMID_SELF), 0);
    assert_int_equal(slot[0], page[4] << 12 | PTE_P | PTE_U | PTE_A | PTE_D);
    req.ptr &= ~3UL;
    assert_int_equal(host_hypercall(vu, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, DOMID_SELF), 0);
    assert_int_equal(slot[0], page[4] << 12 | PTE_P | PTE_U);
}

static void stores_are_emulated(void **state)
{
    uint64_t *slot = mfn_to_virt(mfn(page[3])), seen = 0;

    (void)state;
    build_tree();
    assert_int_equal(update(vu, page[3], 1, page[3] << 12 | PTE_P), 0);         /* the L1 table at address 0x1000, read-only */
    assert_true(table_store_would_trap(vu, 0x1000));
    assert_false(table_store_would_trap(vu, 0));
    assert_int_equal(table_emulate_store(vu, 0x1008 + 8, 8, 0, page[6] << 12 | PTE_P | PTE_RW, &seen), 0);
    assert_int_equal(slot[2], page[6] << 12 | PTE_P | PTE_RW | PTE_U);
    assert_int_equal(table_emulate_store(vu, 0x1010, 1, slot[2] & 0xff, PTE_P, &seen), 0);      /* one byte: read-only now */
    assert_int_equal(slot[2], page[6] << 12 | PTE_P | PTE_U);
    assert_int_equal(table_emulate_store(vu, 0x1010, 4, 5, 0, &seen), -XEN_EAGAIN);
    assert_int_equal(seen, (uint32_t)slot[2]);
    assert_int_equal(table_emulate_store(vu, 0x1018, 8, 0, page[2] << 12 | PTE_P | PTE_RW, &seen), -XEN_EINVAL);
    assert_int_equal(table_emulate_store(vu, 0x1011, 2, 0, 0, &seen), -XEN_EINVAL);
    assert_int_equal(table_emulate_store(vu, HV_START, 8, 0, 0, &seen), -XEN_EINVAL);
}

/* ---- memory ---- */

static long memory(unsigned op, void *arg)
{
    return host_hypercall(vu, __HYPERVISOR_memory_op, op, (uint64_t)arg, 0, 0);
}

static void reservations(void **state)
{
    uint64_t list[4] = { 3, 4, 5, 6 };
    struct xen_memory_reservation r = { .extent_start = (uint64_t)list, .nr_extents = 4, .domid = DOMID_SELF };
    struct xen_memory_domain who = { DOMID_SELF };

    (void)state;
    assert_int_equal(memory(XENMEM_current_reservation, &who), 16);
    assert_int_equal(memory(XENMEM_populate_physmap, &r), 4);
    assert_int_equal(memory(XENMEM_current_reservation, &who), 20);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(m2p(mfn(list[i])), 3 + i);
    assert_int_equal(memory(XENMEM_decrease_reservation, &r), 4);
    assert_int_equal(memory(XENMEM_decrease_reservation, &r), 0);      /* not twice */
    assert_int_equal(memory(XENMEM_current_reservation, &who), 16);
    domu->max_pages = 18;
    assert_int_equal(memory(XENMEM_increase_reservation, &r), 2);
    r.nr_extents = 1UL << 40;
    assert_int_equal(memory(XENMEM_increase_reservation, &r), 0);
    r.nr_extents = 1;
    r.extent_order = 60;
    assert_int_equal(memory(XENMEM_increase_reservation, &r), 0);      /* XSA-31 */
    assert_int_equal(memory(XENMEM_decrease_reservation, &r), 0);
    r.domid = 0;
    r.extent_order = 0;
    assert_int_equal(memory(XENMEM_populate_physmap, &r), 0);          /* not the caller's to fill */
    who.domid = 0;
    assert_int_equal(memory(XENMEM_current_reservation, &who), -XEN_EPERM);
    assert_int_equal(memory(XENMEM_memory_map, &who), -XEN_ENOSYS);
    assert_int_equal(memory(XENMEM_machine_memory_map, &who), -XEN_EPERM);
    assert_int_equal(memory(XENMEM_maximum_ram_page, NULL), 600);
    assert_int_equal(memory(63, NULL), -XEN_ENOSYS);
}

/* The page of shared_info is a frame of the domain's, but not the domain's to give up. */
static void shared_pages(void **state)
{
    uint64_t list[1];
    struct xen_memory_reservation r = { .extent_start = (uint64_t)list, .nr_extents = 1, .domid = DOMID_SELF };
    void *p;
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc_shared(domu, &p, &m), 0);
    build_tree();
    list[0] = m.raw;
    assert_int_equal(memory(XENMEM_decrease_reservation, &r), 0);
    assert_int_equal(update(vu, page[3], 1, m.raw << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(ext(vu, MMUEXT_PIN_L1_TABLE, m.raw), -XEN_EINVAL);
    frame_free_shared(domu, m);
    assert_int_equal(domu->shared_pages, 1);           /* the guest maps it still */
    assert_int_equal(update(vu, page[3], 1, 0), 0);
    assert_int_equal(domu->shared_pages, 0);
}

static void exchanges(void **state)
{
    uint64_t in[4], out[1] = { 100 }, before;
    struct xen_memory_exchange x = { .in = { .extent_start = (uint64_t)in, .nr_extents = 4, .domid = DOMID_SELF },
                                     .out = { .extent_start = (uint64_t)out, .nr_extents = 1, .extent_order = 2, .domid = DOMID_SELF } };

    (void)state;
    memcpy(in, &page[8], sizeof(in));
    assert_int_equal(memory(XENMEM_exchange, &x), -XEN_EPERM);         /* contiguous memory is for those with devices */
    domu->has_devices = true;
    before = heap_free_frames();
    x.in.nr_extents = ~0UL;
    assert_int_equal(memory(XENMEM_exchange, &x), -XEN_EINVAL);
    x.in.nr_extents = 4;
    in[3] = in[0];                                                     /* the same frame twice */
    assert_int_equal(memory(XENMEM_exchange, &x), -XEN_EINVAL);
    in[3] = page[11];
    x.out.extent_start = HV_START;                                     /* XSA-29, 212 */
    assert_int_equal(memory(XENMEM_exchange, &x), -XEN_EFAULT);
    x.out.extent_start = (uint64_t)out;
    audit_clean();
    assert_int_equal(memory(XENMEM_exchange, &x), 0);
    assert_int_equal(x.nr_exchanged, 4);
    assert_int_equal(heap_free_frames(), before);
    assert_int_equal(domu->tot_pages, 16);
    assert_int_equal(out[0] & 3, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(frame_of(mfn(out[0] + i))->owner, 1);
        assert_int_equal(m2p(mfn(out[0] + i)), 100 + i);
    }
    domu->has_devices = false;
}

static void ranges(void **state)
{
    (void)state;
    assert_true(gva_range_ok(gva(0), 8));
    assert_true(gva_range_ok(gva(0x7ffffffffff8), 8));
    assert_false(gva_range_ok(gva(0x7ffffffffff9), 8));
    assert_false(gva_range_ok(gva(HV_START), 1));
    assert_false(gva_range_ok(gva(HV_END - 1), 1));
    assert_true(gva_range_ok(gva(HV_END), 8));
    assert_false(gva_range_ok(gva(~0UL), 8));
    assert_false(gva_range_ok(gva(0), ~0UL));
    assert_false(gva_range_ok(gva(HV_END), ~0UL - HV_END + 2));
}

static void interrupted_work(void **state)
{
    (void)state;
    for (unsigned n = 2; n < 40; n++) {
        host_preempt_one_in = 2;
        host_seed(n);
        build_tree();
        for (unsigned i = 1; i < 9; i++)
            assert_int_equal(update(vu, page[0], i, page[1] << 12 | PTE_P), 0);
        assert_int_equal(ext(vu, MMUEXT_NEW_USER_BASEPTR, page[0]), 0);
        assert_int_equal(ext(vu, MMUEXT_NEW_USER_BASEPTR, 0), 0);
        host_run(NULL);
        while (root_drop(vu))
            ;
        host_run(vu);
        assert_int_equal(ext(vu, MMUEXT_UNPIN_TABLE, page[0]), 0);
        host_preempt_one_in = 0;
        assert_int_equal(mm_finish_deferred(vu), 0);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(frame_of(mfn(page[i]))->type_info & FT_COUNT, 0);
            assert_int_equal(ext(vu, MMUEXT_CLEAR_PAGE, page[i]), 0);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine, end)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(heap_joins), TEST(pieces_go_back), TEST(descriptors), TEST(gdt_frames), TEST(types_exclude),
                                        TEST(recursion_is_refused), TEST(bits_are_refused), TEST(foreign_frames),
                                        TEST(requests_are_counted), TEST(accessed_and_dirty_stay), TEST(stores_are_emulated),
                                        TEST(reservations), TEST(shared_pages), TEST(exchanges), TEST(ranges), TEST(interrupted_work) };
    return cmocka_run_group_tests_name("mm", tests, NULL, NULL);
}
