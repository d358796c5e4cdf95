/* SPDX-License-Identifier: MIT */
/* os_glue_map.c: frames of others that they let us use: mapped, mapped for devices only, or copied.
 *
 * Addresses come from the kmap area. The hypervisor writes our page-table entries itself, named by their machine address,
 * so that it needs no walk, and clears them at the unmap, after which no processor of ours has an old translation. SPEC 10. */
#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/grant.h"
#include "pv-drivers/os.h"

#define ROUND  128u                                 /* operations a hypercall                       */
#define NO_MAP (~0u)

/* Where they stand: nothing here sleeps, and nothing interrupts it. */
static union {
    struct gnttab_map_grant_ref   map[ROUND];
    struct gnttab_unmap_grant_ref unmap[ROUND];
    struct gnttab_copy            copy[ROUND];
} ops;

static void map_round(uint16_t domid, struct os_map *maps, unsigned n, char *va, unsigned flags)
{
    const uint32_t how = (va ? GNTMAP_host_map | GNTMAP_contains_pte : GNTMAP_device_map) | (flags & OS_MAP_READ ? GNTMAP_readonly : 0);
    struct gnttab_map_grant_ref *op = ops.map;
    for (struct os_map *m = maps, *end = m + n; m < end; m++, op++) {
        m->va = va;
        op->host_addr = 0;
        if (va) {
            op->host_addr = mmu_machine(kmap_slot(va));
            va += PAGE_SIZE;
        }
        op->flags = how;
        op->ref = m->ref;
        op->dom = domid;
        op->status = GNTST_general_error;
    }
    hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(ops.map), n);
    op = ops.map;
    for (struct os_map *m = maps, *end = m + n; m < end; m++, op++) {
        m->status = op->status;
        m->handle = op->handle;
        m->frame = op->dev_bus_addr >> PAGE_SHIFT;
        if (op->status == GNTST_okay)
            continue;
        m->handle = NO_MAP;
        m->frame = 0;
        if (m->va)
            kmap_forget(m->va, 1);
        m->va = 0;
    }
}

int os_grant_map(uint16_t domid, struct os_map *maps, unsigned n, unsigned flags)
{
    char *va = (flags & OS_MAP_DEVICE) || !n ? 0 : kmap_reserve(n);
    if (!va && n && !(flags & OS_MAP_DEVICE))
        return -ENOMEM;
    for (unsigned at = 0; at < n; at += ROUND)
        map_round(domid, maps + at, MIN(n - at, ROUND), va ? va + at * PAGE_SIZE : 0, flags);
    return 0;
}

static void unmap_round(struct os_map *const *maps, unsigned n)
{
    const struct gnttab_unmap_grant_ref *op = ops.unmap;
    must(hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, gva(op), n));
    for (const struct gnttab_unmap_grant_ref *end = op + n; op < end; op++) {
        struct os_map *m = *maps++;
        if (op->status != GNTST_okay)
            os_log("grant handle %u does not unmap: status %d", op->handle, op->status);
        else if (m->va)
            kmap_forget(m->va, 1);
        m->va = 0;
        m->handle = NO_MAP;
    }
}

void os_grant_unmap(struct os_map *maps, unsigned n)
{
    static struct os_map *some[ROUND];
    unsigned k = 0;
    for (struct os_map *m = maps, *end = m + n; m < end; m++) {
        struct gnttab_unmap_grant_ref *op = &ops.unmap[k];
        if (m->handle == NO_MAP)
            continue;
        op->host_addr = 0;
        op->dev_bus_addr = m->frame << PAGE_SHIFT;
        op->handle = m->handle;
        if (m->va) {
            op->host_addr = mmu_machine(kmap_slot(m->va));
            op->dev_bus_addr = 0;
        }
        some[k] = m;
        if (++k == ROUND) {
            unmap_round(some, k);
            k = 0;
        }
    }
    if (k)
        unmap_round(some, k);
}

static void copy_prepare(struct gnttab_copy *op, uint16_t domid, const struct os_copy *c)
{
    struct gnttab_copy_ptr theirs = { .u.ref = c->ref, .domid = domid, .offset = c->offset };
    struct gnttab_copy_ptr ours = { .u.gmfn = os_frame(c->local), .domid = DOMID_SELF,
                                    .offset = (uintptr_t)c->local & (PAGE_SIZE - 1) };
    *op = (struct gnttab_copy){ .source = c->to_guest ? ours : theirs, .dest = c->to_guest ? theirs : ours, .len = c->len,
                                .flags = c->to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref, .status = GNTST_general_error };
}

int os_grant_copy(uint16_t domid, struct os_copy *c, unsigned n)
{
    struct gnttab_copy *op = ops.copy;
    for (unsigned at = 0; at < n; at += ROUND) {
        unsigned some = MIN(n - at, ROUND);
        for (unsigned i = 0; i < some; i++)
            copy_prepare(&op[i], domid, &c[at + i]);
        hypercall_grant_table_op(GNTTABOP_copy, gva(op), some);
        for (unsigned i = 0; i < some; i++)
            c[at + i].status = op[i].status;
    }
    return 0;
}
