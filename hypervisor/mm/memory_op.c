/* SPDX-License-Identifier: MIT */
/* memory_op.c: how domains get frames, give them up, and ask about memory.                    [read 32]
 *
 * The operations with extents answer with the number of extents done, also when they stop early: that is how
 * a guest learns that memory has run out. They go through a list in the guest's memory, each element copied
 * when it is its turn, and stop between extents to go on later, the place being in cmd's upper bits.
 * exchange.c is the one operation that gives and takes at once. SPEC 5.7.                                 */
#include "hypervisor/mm/memory_op.h"

#include "hypercall-abi/mm.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/subop.h"

#define MAX_MAP_ENTRIES 128
#define MAX_EXTENTS     (0xffffffffUL >> MEMOP_EXTENT_SHIFT)
#define M2P_PIECE       (2UL << 20)

struct e820_range machine_map[128];
uint32_t machine_map_entries;

/* The domain of whose memory the call is. Put by mm_foreign_put. */
static struct domain *memory_owner(struct vcpu *v, domid_t id, int *rc)
{
    *rc = -XEN_ESRCH;
    return id == DOMID_IO || id == DOMID_XEN ? NULL : mm_foreign_domain(v, id, rc);
}

/* ---- extents ------------------------------------------------------------------------------------------- */

struct extents {
    struct domain *d;
    gva_t    list;
    uint64_t done;
    unsigned order, bits;
};

bool memory_address_bits(uint32_t mem_flags, unsigned *bits)
{
    *bits = XENMEMF_get_address_bits(mem_flags);
    if (*bits && *bits <= PAGE_SHIFT)
        return false;
    return !(mem_flags & XENMEMF_exact_node_request) || XENMEMF_get_node(mem_flags) == 0 || XENMEMF_get_node(mem_flags) == 0xff;
}

static gva_t element(const struct extents *x) { return gva_index(x->list, x->done, sizeof(uint64_t)); }

/* One extent each; false: no more. */
static bool increase_one(struct extents *x)
{
    mfn_t m;

    if (frame_alloc(x->d, x->order, x->bits, &m))
        return false;
    return !x->list.raw || !copy_to_guest_8(element(x), m.raw);
}

static bool populate_one(struct extents *x)
{
    uint64_t pfn;
    mfn_t m;

    if (copy_from_guest_8(&pfn, element(x)) || frame_alloc(x->d, x->order, x->bits, &m))
        return false;
    for (uint64_t i = 0; i < 1UL << x->order; i++)
        m2p_set(mfn(m.raw + i), pfn + i);
    return !copy_to_guest_8(element(x), m.raw);
}

static bool decrease_one(struct extents *x)
{
    uint64_t first;

    if (copy_from_guest_8(&first, element(x)))
        return false;
    for (uint64_t i = 0; i < 1UL << x->order; i++) {
        mfn_t m;
        int rc;
        if (frame_get(x->d, gfn(first + i), &m))
            return false;
        rc = frame_release(x->d, m);
        frame_put(m);
        if (rc)
            return false;
    }
    return true;
}

static long run_extents(struct vcpu *v, unsigned op, const struct xen_memory_reservation *r, struct extents *x, gva_t arg)
{
    bool (*one)(struct extents *x) = op == XENMEM_increase_reservation ? increase_one :
                                     op == XENMEM_populate_physmap ? populate_one : decrease_one;
    uint64_t start = x->done;

    for (; x->done < r->nr_extents; x->done++) {
        if (x->done != start && preempt_needed())
            return hypercall_continue(v, __HYPERVISOR_memory_op, 2, op | x->done << MEMOP_EXTENT_SHIFT, arg.raw, 0, 0, 0);
        if (!one(x))
            break;
    }
    return (long)x->done;
}

static long op_extents(struct vcpu *v, unsigned op, uint64_t start, gva_t arg)
{
    struct xen_memory_reservation r;
    struct extents x = { .done = start };
    int rc;
    long done;

    if (copy_from_guest(&r, arg, sizeof(r)) || r.nr_extents > MAX_EXTENTS || start >= r.nr_extents ||
        !memory_address_bits(r.mem_flags, &x.bits))
        return (long)start;
    if (r.extent_order > (op == XENMEM_decrease_reservation ? 9 : memory_max_order(v->domain)))
        return (long)start;
    x.list = gva(r.extent_start);
    x.order = r.extent_order;
    x.d = memory_owner(v, r.domid, &rc);
    if (!x.d)
        return (long)start;
    done = run_extents(v, op, &r, &x, arg);
    mm_foreign_put(v, x.d);
    return done;
}

/* ---- questions about a domain ---------------------------------------------------------------------------- */

/* From its shared page, which teardown may be giving back just now. */
static long max_gpfn(struct domain *d)
{
    mfn_t m;
    long answer;

    if (frame_get(d, gfn(d->shared_info_mfn.raw), &m))
        return -XEN_EINVAL;
    answer = (long)(READ_ONCE(((struct shared_info *)mfn_to_virt(m))->arch.max_pfn) - 1);
    frame_put(m);
    return answer;
}

static long ask(struct vcpu *v, const struct xen_memory_domain *who, long (*answer)(struct domain *d))
{
    int rc;
    struct domain *d = memory_owner(v, who->domid, &rc);
    long n = d ? answer(d) : rc;

    mm_foreign_put(v, d);
    return n;
}

static long tot_pages(struct domain *d) { return (long)d->tot_pages; }
static long max_pages(struct domain *d) { return (long)d->max_pages; }

static long op_current_reservation(struct vcpu *v, void *op, gva_t arg) { return ask(v, op, tot_pages); }
static long op_maximum_reservation(struct vcpu *v, void *op, gva_t arg) { return ask(v, op, max_pages); }
static long op_maximum_gpfn(struct vcpu *v, void *op, gva_t arg) { return ask(v, op, max_gpfn); }

/* ---- memory maps ----------------------------------------------------------------------------------------- */

static long op_memory_map(struct vcpu *v, void *op, gva_t arg)
{
    struct domain *d = v->domain;
    struct xen_memory_map *map = op;
    long rc = 0;

    spin_lock(&d->lock);
    if (!d->memory_map_entries)
        rc = -XEN_ENOSYS;
    else if (map->nr_entries < d->memory_map_entries)
        rc = -XEN_EINVAL;
    else if (copy_to_guest(gva(map->buffer), d->memory_map, d->memory_map_entries * sizeof(struct e820entry)))
        rc = -XEN_EFAULT;
    map->nr_entries = d->memory_map_entries;
    spin_unlock(&d->lock);
    return rc;
}

static long store_map(struct domain *d, const struct xen_memory_map *map)
{
    struct e820entry *new = kalloc(MAX_MAP_ENTRIES * sizeof(*new)), *old;

    if (!new)
        return -XEN_ENOMEM;
    if (copy_from_guest(new, gva(map->buffer), map->nr_entries * sizeof(*new))) {
        kfree(new);
        return -XEN_EFAULT;
    }
    spin_lock(&d->lock);
    old = d->memory_map;
    d->memory_map = new;
    d->memory_map_entries = map->nr_entries;
    spin_unlock(&d->lock);
    kfree(old);
    return 0;
}

static long op_set_memory_map(struct vcpu *v, void *op, gva_t arg)
{
    const struct xen_foreign_memory_map *f = op;
    struct domain *d;
    int rc;

    if (f->map.nr_entries > MAX_MAP_ENTRIES)
        return -XEN_EINVAL;
    d = memory_owner(v, f->domid, &rc);
    if (!d)
        return rc;
    rc = (int)store_map(d, &f->map);
    mm_foreign_put(v, d);
    return rc;
}

static long op_machine_map(struct vcpu *v, void *op, gva_t arg)
{
    struct xen_memory_map *map = op;

    if (map->nr_entries < machine_map_entries)
        return -XEN_EINVAL;
    map->nr_entries = machine_map_entries;
    return copy_to_guest(gva(map->buffer), machine_map, machine_map_entries * sizeof(machine_map[0])) ? -XEN_EFAULT : 0;
}

/* ---- the M2P --------------------------------------------------------------------------------------------- */

static long op_machphys_mapping(struct vcpu *v, void *op, gva_t arg)
{
    const struct xen_machphys_mapping map = { MACH2PHYS_VIRT_START, MACH2PHYS_VIRT_END, MACH2PHYS_NR_ENTRIES - 1 };

    return copy_to_guest(arg, &map, sizeof(map));
}

static long op_machphys_list(struct vcpu *v, void *op, gva_t arg)
{
    struct xen_machphys_mfn_list *list = op;
    uint64_t pieces = (m2p_frames * PAGE_SIZE + M2P_PIECE - 1) / M2P_PIECE, first = virt_to_mfn(m2p_table).raw;

    list->nr_extents = 0;
    for (; list->nr_extents < list->max_extents && list->nr_extents < pieces; list->nr_extents++)
        if (copy_to_guest_8(gva_index(gva(list->extent_start), list->nr_extents, 8),
                            first + list->nr_extents * (M2P_PIECE / PAGE_SIZE)))
            return -XEN_EFAULT;
    return 0;
}

/* ---- dispatch -------------------------------------------------------------------------------------------- */

static long op_maximum_ram_page(struct vcpu *v, void *op, gva_t arg) { return (long)max_mfn; }
static long op_exchange(struct vcpu *v, void *op, gva_t arg)         { return memory_exchange(v, arg); }
/* For guests that are not paravirtual. */
static long op_physmap(struct vcpu *v, void *op, gva_t arg)          { return -XEN_EINVAL; }

static const struct subop ops[] = {
    [XENMEM_exchange] = { op_exchange, 0, 0 },
    [XENMEM_maximum_ram_page] = { op_maximum_ram_page, 0, 0 },
    [XENMEM_current_reservation] = { op_current_reservation, sizeof(struct xen_memory_domain), 0 },
    [XENMEM_maximum_reservation] = { op_maximum_reservation, sizeof(struct xen_memory_domain), 0 },
    [XENMEM_maximum_gpfn] = { op_maximum_gpfn, sizeof(struct xen_memory_domain), 0 },
    [XENMEM_memory_map] = { op_memory_map, sizeof(struct xen_memory_map), SUBOP_BACK },
    [XENMEM_set_memory_map] = { op_set_memory_map, sizeof(struct xen_foreign_memory_map), 0 },
    [XENMEM_machine_memory_map] = { op_machine_map, sizeof(struct xen_memory_map), SUBOP_DOM0 | SUBOP_BACK },
    [XENMEM_machphys_mapping] = { op_machphys_mapping, 0, 0 },
    [XENMEM_machphys_mfn_list] = { op_machphys_list, sizeof(struct xen_machphys_mfn_list), SUBOP_DOM0 | SUBOP_BACK },
    [XENMEM_add_to_physmap] = { op_physmap, 0, 0 },
    [XENMEM_remove_from_physmap] = { op_physmap, 0, 0 },
};

long hc_memory_op(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    unsigned op = cmd & MEMOP_CMD_MASK;

    if (op == XENMEM_increase_reservation || op == XENMEM_decrease_reservation || op == XENMEM_populate_physmap)
        return op_extents(v, op, cmd >> MEMOP_EXTENT_SHIFT, arg);
    return subop_run(v, ops, sizeof(ops) / sizeof(ops[0]), op, arg);
}
