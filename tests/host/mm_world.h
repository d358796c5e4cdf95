/* SPDX-License-Identifier: MIT */
/* mm_world.h: two domains for mm_calls.c and mm_tables.c: dom0, and domu with a tree of page tables, loaded. */
#ifndef MM_WORLD_H
#define MM_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypercall-abi/mm.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/memory_op.h"
#include "hypervisor/mm/mm_internal.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"

static struct domain *dom0, *domu;
static struct vcpu *v0, *vu;
static uint64_t page[24];              /* frames of domu's: 0..3 a tree, L4 first; 4 mapped by it, writable, at address 0 */
static uint64_t zero[16];              /* frames of dom0's */

static long update(struct vcpu *v, uint64_t table, unsigned index, uint64_t entry)
{
    struct mmu_update req = { table << PAGE_SHIFT | index * 8, entry };
    return host_hypercall(v, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, DOMID_SELF);
}

static long ext_of(struct vcpu *v, unsigned cmd, uint64_t a, uint64_t b, uint64_t domid)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = a, .arg2.src_mfn = b };
    return host_hypercall(v, __HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, domid);
}

static long ext(struct vcpu *v, unsigned cmd, uint64_t a) { return ext_of(v, cmd, a, 0, DOMID_SELF); }

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
    for (unsigned i = 0; i < 24 + 16; i++) {
        assert_int_equal(frame_alloc(i < 24 ? domu : dom0, 0, 0, &m), 0);
        *(i < 24 ? &page[i] : &zero[i - 24]) = m.raw;
    }
    host_run(vu);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(update(vu, page[i], 0, page[i + 1] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(update(vu, page[3], 0, page[4] << 12 | PTE_P | PTE_RW), 0);
    assert_int_equal(ext(vu, MMUEXT_PIN_L4_TABLE, page[0]), 0);
    assert_int_equal(ext(vu, MMUEXT_NEW_BASEPTR, page[0]), 0);
    host_run(vu);
    host_log[0] = 0;
    return 0;
}

static int end(void **state)
{
    struct audit_result r;
    struct vcpu *v[] = { vu, v0 };

    (void)state;
    host_preempt_one_in = 0;
    host_preempt_hook = NULL;
    frame_audit(&r);
    assert_int_equal(r.differences + r.lost, 0);
    host_run(NULL);
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
    assert_int_equal(domu->tot_pages + dom0->tot_pages, 0);
    kfree(domu->memory_map);
    host_domain_free(domu);
    host_domain_free(dom0);
    return 0;
}

static uint64_t *words(uint64_t m) { return mfn_to_virt(mfn(m)); }
static __attribute__((unused)) bool said(const char *what) { return strstr(host_log, what) != NULL; }
static __attribute__((unused)) uint64_t type_of(uint64_t m) { return frame_of(mfn(m))->type_info & FT_COUNT ? frame_of(mfn(m))->type_info & FT_TYPE : 0; }

/* n references of its own L2 table's in L1 tables: one that takes more than one step to take down, at frames first, first+1, ... */
static __attribute__((unused)) void build_l2(uint64_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        words(first)[i] = (first + 1 + i) << 12 | PTE_P;
}

static __attribute__((unused)) long one(struct vcpu *v, uint64_t ptr, uint64_t val, uint64_t domid)
{
    struct mmu_update req = { ptr, val };
    return host_hypercall(v, __HYPERVISOR_mmu_update, (uint64_t)&req, 1, 0, domid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine, end)

#endif
