/* SPDX-License-Identifier: MIT */
/* mm_descriptors.c: claims: a vCPU's window shows the processor the frames of its GDT and LDT, read-only, checked, and nothing else, in
 * force at once; frames that leave it are let go of; LDT pages come when they are first used, from where the guest's tables say; a
 * single descriptor is changed in whatever frame it lies, if the frame may hold it (SPEC 5.6). A failure is a gate of the guest's
 * making in ring 0's tables, or a reference too few.                                                                             */
#include "tests/host/mm_world.h"
#include "hypervisor/x86/desc.h"

#define CODE 0x00cffb000000ffffUL
#define GATE 0x00008e0000000000UL
#define RO   (PTE_P | PTE_A | PTE_NX)

static uint64_t window(struct vcpu *v, unsigned n) { return v->domain->perdomain_l1[v->id / 16][v->id % 16 * 32 + n]; }
static uint64_t count(uint64_t m) { return type_of(m) == FT_DESC ? frame_of(mfn(m))->type_info & FT_COUNT : 0; }
static long set_gdt(const uint64_t *list, uint64_t n) { return host_hypercall(vu, __HYPERVISOR_set_gdt, (uint64_t)list, n, 0, 0); }

static void gdts(void **state)
{
    uint64_t list[15];
    gfn_t frames[15];

    (void)state;
    for (unsigned i = 0; i < 15; i++)
        frames[i] = gfn(list[i] = page[5 + i % 2]);
    memset(&host_flushed, 0, sizeof(host_flushed));
    assert_int_equal(set_gdt(list, 14 * 512), 0);
    assert_true(host_flushed.cr3 == 1 && vu->gdt_entries == 14 * 512 && count(page[5]) == 7 && count(page[6]) == 7);
    for (unsigned i = 0; i < 14; i++)
        assert_int_equal(window(vu, i), list[i] << 12 | RO);
    assert_int_equal(set_gdt(list, 14 * 512 + 1), -XEN_EINVAL);
    assert_int_equal(set_gdt(list, 513), 0);
    assert_true(window(vu, 1) == (list[1] << 12 | RO) && window(vu, 2) == 0 && window(vu, 13) == 0);
    assert_true(count(page[5]) == 1 && count(page[6]) == 1);
    assert_int_equal(gdt_set(vu, frames, 15, 512), -XEN_EINVAL);
    assert_int_equal(gdt_set(vu, frames, 1, 513), -XEN_EINVAL);
    assert_int_equal(gdt_set(vu, frames, 14, 100), 0);
    /* what it must not hold, wherever it stands; what stands behind the page is not looked at */
    words(page[7])[511] = GATE;
    list[1] = page[7];
    assert_int_equal(set_gdt(list, 1024), -XEN_EINVAL);
    assert_true(said("set_gdt refused") && count(page[5]) == 7);
    list[1] = zero[0];
    assert_int_equal(set_gdt(list, 1024), -XEN_EINVAL);
    words(page[7])[511] = 0;
    list[1] = page[7];
    uint64_t behind = words(page[7] + 1)[0];
    words(page[7] + 1)[0] = GATE;
    assert_int_equal(set_gdt(list, 1024), 0);
    words(page[7] + 1)[0] = behind;
    /* another vCPU's is not loaded here */
    struct vcpu *second = host_vcpu(domu, 17);
    memset(&host_flushed, 0, sizeof(host_flushed));
    assert_int_equal(gdt_set(second, frames, 1, 512), 0);
    assert_true(!host_flushed.cr3 && window(second, 0) == (page[5] << 12 | RO) && count(page[5]) == 2);
    gdt_drop(second);
    assert_true(!second->gdt_entries && !window(second, 0));
    assert_int_equal(set_gdt(NULL, 0), 0);
    assert_true(!vu->gdt_entries && !window(vu, 0) && !type_of(page[5]) && !type_of(page[7]));
}

static long set_ldt(uint64_t base, unsigned entries)
{
    return ext_of(vu, MMUEXT_SET_LDT, base, entries, DOMID_SELF);
}

static void ldts(void **state)
{
    (void)state;
    assert_int_equal(update(vu, page[3], 6, page[5] << 12 | PTE_P), 0);     /* its first page at 0x6000; the second is not there */
    words(page[3])[7] = page[6] << 12;
    assert_int_equal(set_ldt(0x6000, 8193), -XEN_EINVAL);
    assert_int_equal(set_ldt(0x6008, 1), -XEN_EINVAL);
    assert_int_equal(set_ldt(HV_START, 1), -XEN_EINVAL);
    assert_int_equal(set_ldt(HV_START - PAGE_SIZE, 513), -XEN_EINVAL);
    assert_int_equal(set_ldt(HV_START, 0), 0);
    assert_int_equal(set_ldt(0x6000, 8192), 0);
    assert_true(host_flushed.ldt == LDT_WINDOW(0) && host_flushed.ldt_entries == 8192 && vu->ldt_entries == 8192 && vu->ldt_base == 0x6000);
    memset(&host_flushed, 0, sizeof(host_flushed));
    assert_int_equal(set_ldt(0x6000, 8192), 0);                             /* no change */
    assert_int_equal(host_flushed.ldt_loads, 0);
    assert_int_equal(set_ldt(0x6000, 1000), 0);
    assert_true(host_flushed.ldt_loads == 2 && host_flushed.ldt_entries == 1000);
    assert_true(ldt_fault(vu, 0));
    assert_true(window(vu, 16) == (page[5] << 12 | RO) && count(page[5]) == 1);
    assert_false(ldt_fault(vu, 8));                                         /* it is there: the fault has another cause */
    assert_false(ldt_fault(vu, 4096));                                      /* not mapped */
    assert_int_equal(update(vu, page[3], 7, page[6] << 12 | PTE_P), 0);
    assert_false(ldt_fault(vu, 8000));                                      /* the first that is none of its */
    words(page[6])[9] = GATE;
    assert_false(ldt_fault(vu, 4096));
    words(page[6])[9] = 0;
    assert_true(ldt_fault(vu, 7999));
    assert_true(window(vu, 17) == (page[6] << 12 | RO) && count(page[6]) == 1);
    memset(&host_flushed, 0, sizeof(host_flushed));
    assert_int_equal(set_ldt(0x6000, 999), 0);                              /* what was shown is shown no more */
    assert_true(host_flushed.cr3 == 1 && !window(vu, 16) && !window(vu, 17) && !type_of(page[5]) && !type_of(page[6]));
    assert_true(ldt_fault(vu, 0));
    assert_int_equal(set_ldt(0, 0), 0);
    assert_true(!vu->ldt_entries && !vu->ldt_base && host_flushed.ldt == 0 && host_flushed.ldt_entries == 0 && !type_of(page[5]));
    assert_int_equal(set_ldt(0x40000000, 512), 0);                          /* where there are no tables */
    assert_false(ldt_fault(vu, 0));
    assert_int_equal(set_ldt(0, 0), 0);
    struct vcpu *second = host_vcpu(domu, 1);
    memset(&host_flushed, 0, sizeof(host_flushed));
    assert_int_equal(ldt_set(second, 0x6000, 5), 0);
    assert_true(second->ldt_entries == 5 && !host_flushed.ldt_loads && !host_flushed.cr3);
    ldt_drop(second);
    assert_true(!second->ldt_entries && !second->ldt_base && !host_flushed.ldt_loads);
}

static void loaded_and_read(void **state)
{
    uint64_t list[1] = { page[5] }, d = 0;

    (void)state;
    words(page[5])[7] = CODE;
    words(page[6])[8] = CODE;
    assert_int_equal(set_gdt(list, 8), 0);
    assert_int_equal(update(vu, page[3], 6, page[6] << 12 | PTE_P), 0);
    assert_int_equal(set_ldt(0x6000, 9), 0);
    memset(&host_flushed, 0, sizeof(host_flushed));
    descriptor_load(vu, host_pcpu);
    assert_int_equal(window(vu, 14), idle_root.raw << 12 | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX);
    assert_true(host_flushed.gdt == GDT_WINDOW(0) && host_flushed.ldt == LDT_WINDOW(0) && host_flushed.ldt_entries == 9);
    assert_true(descriptor_read(vu, 7 << 3, &d) && d == CODE);
    assert_false(descriptor_read(vu, 8 << 3, &d));
    words(idle_root.raw)[6] = 4711;
    assert_true(descriptor_read(vu, 0xe033, &d) && d == 4711);              /* the hypervisor's */
    words(idle_root.raw)[6] = 0;
    assert_false(descriptor_read(vu, 0xf003, &d));
    d = 0;
    assert_true(descriptor_read(vu, 8 << 3 | 4, &d) && d == CODE);          /* brings the page */
    assert_int_equal(count(page[6]), 1);
    assert_true(descriptor_read(vu, 8 << 3 | 7, &d) && d == CODE);
    assert_false(descriptor_read(vu, 9 << 3 | 4, &d));
    assert_int_equal(set_ldt(0x9000, 9), 0);                                /* not mapped */
    assert_false(descriptor_read(vu, 4, &d));
    assert_int_equal(set_ldt(0, 0), 0);
    descriptor_load(vu, host_pcpu);
    assert_true(host_flushed.ldt == 0 && host_flushed.ldt_entries == 0);
    vu->domain->perdomain_l1[0][14] = 0;                                    /* the audit knows of no pCPU's frames there */
}

static long change(uint64_t maddr, uint64_t desc) { return host_hypercall(vu, __HYPERVISOR_update_descriptor, maddr, desc, 0, 0); }

static void one_descriptor(void **state)
{
    uint64_t list[1] = { page[5] };

    (void)state;
    assert_int_equal(set_gdt(list, 512), 0);
    assert_int_equal(change(page[5] << 12 | 8, CODE), 0);
    assert_true(words(page[5])[1] == CODE && count(page[5]) == 1);
    assert_int_equal(change(page[5] << 12 | 8, GATE), -XEN_EINVAL);
    assert_int_equal(change(page[5] << 12 | 4, CODE), -XEN_EINVAL);
    assert_int_equal(change(zero[5] << 12 | 8, CODE), -XEN_EINVAL);
    assert_int_equal(change(page[3] << 12 | 8, CODE), -XEN_EINVAL);          /* a page table */
    assert_int_equal(change(page[4] << 12 | 4088, CODE), 0);                 /* a page that is mapped, writable */
    assert_int_equal(words(page[4])[511], CODE);
    assert_int_equal(set_gdt(NULL, 0), 0);
    words(page[5])[2] = GATE;                                               /* a plain page again: what else it holds is its own affair */
    assert_int_equal(change(page[5] << 12 | 8, 0), 0);
    assert_int_equal(words(page[5])[1], 0);
    assert_int_equal(type_of(page[5]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(gdts), TEST(ldts), TEST(loaded_and_read), TEST(one_descriptor) };
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
