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

/* Forgets what an earlier mapping left in *m. */
static void prepare(struct gnttab_map_grant_ref *op, uint16_t domid, struct os_map *m, char *va, unsigned flags)
{
    m->va = va;
    m->handle = NO_MAP;
    m->frame = 0;
    op->host_addr = va ? mmu_machine(kmap_slot(va)) : 0;
    op->flags = (va ? GNTMAP_host_map | GNTMAP_contains_pte : GNTMAP_device_map) | (flags & OS_MAP_READ ? GNTMAP_readonly : 0);
    op->ref = m->ref;
    op->dom = domid;
    op->status = GNTST_general_error;
}

static void map_round(uint16_t domid, struct os_map *m, unsigned n, char *va, unsigned flags)
{
    struct gnttab_map_grant_ref *op = ops.map;
    for (unsigned i = 0; i < n; i++)
        prepare(&op[i], domid, &m[i], va ? va + i * PAGE_SIZE : 0, flags);
    hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(op), n);
    for (unsigned i = 0; i < n; i++) {
        m[i].status = op[i].status;
        if (op[i].status == GNTST_okay) {
            m[i].handle = op[i].handle;
            m[i].frame = op[i].dev_bus_addr >> PAGE_SHIFT;
        } else if (va) {
            kmap_forget(m[i].va, 1);
            m[i].va = 0;
        }
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

static void unmap_round(struct os_map *const *m, unsigned n)
{
    struct gnttab_unmap_grant_ref *op = ops.unmap;
    must(hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, gva(op), n));
    for (unsigned i = 0; i < n; i++) {
        if (op[i].status != GNTST_okay)
            os_log("grant handle %u does not unmap: status %d", m[i]->handle, op[i].status);
        else if (m[i]->va)
            kmap_forget(m[i]->va, 1);
        m[i]->va = 0;
        m[i]->handle = NO_MAP;
    }
}

void os_grant_unmap(struct os_map *maps, unsigned n)
{
    static struct os_map *some[ROUND];
    unsigned k = 0;
    for (unsigned i = 0; i < n; i++) {
        struct os_map *m = &maps[i];
        if (m->handle == NO_MAP)
            continue;
        some[k] = m;
        ops.unmap[k].host_addr = m->va ? mmu_machine(kmap_slot(m->va)) : 0;
        ops.unmap[k].dev_bus_addr = m->va ? 0 : m->frame << PAGE_SHIFT;
        ops.unmap[k].handle = m->handle;
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
