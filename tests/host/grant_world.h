/* SPDX-License-Identifier: MIT */
/* grant_world.h: a lender and a borrower, for grant_unit.c and grant_ends.c: d1 lends pages 0.. by entries of its choice, d2 maps them at
 * the addresses of its own small tree. Included by each once, so all is static.                                           */
#ifndef GRANT_WORLD_H
#define GRANT_WORLD_H

#pragma GCC diagnostic ignored "-Wunused-function"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine, end)

#endif
