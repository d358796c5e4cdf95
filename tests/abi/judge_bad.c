/* SPDX-License-Identifier: MIT */
/* judge_bad.c: more bad arguments, of the kinds that other hypervisors have believed (tests/hostile/CLASSES.md; what the tests owe, 10). */
#include "tests/abi/judge.h"

static long mmu(uint64_t ptr, uint64_t val, uint64_t count, uint64_t done, uint64_t domid)
{
    struct mmu_update u[2] = { { ptr, val }, { ptr, val } };
    return hypercall_mmu_update(gva(u), count, done, domid);
}

static void ask_updates(void)
{
    uint64_t slot = maddr_of(table_at(1, (uint64_t)pool[0])), same = LEAF(pool[0]) | PTE_RW;

    family = "bad mmu_update";
    ASK("done unmapped", mmu(slot, same, 1, UNMAPPED, DOMID_SELF));
    ASK("done theirs", mmu(slot, same, 1, THEIRS, DOMID_SELF));
    ASK("count with the upper half", mmu(slot, same, 1UL << 32 | 1, 0, DOMID_SELF));
    ASK("domid of Xen", mmu(slot, same, 1, 0, 0x7ff2));
    ASK("tables of Xen", mmu(slot, same, 1, 0, DOMID_SELF | 0x7ff3UL << 16));
    ASK("frame of low memory", mmu(slot, 0x1000 | PTE_P | PTE_RW | PTE_U, 1, 0, DOMID_SELF));
    ASK("back", mmu(slot, same, 1, 0, DOMID_SELF));
    ASK("machphys of another's", mmu(NO_FRAME * PAGE | MMU_MACHPHYS_UPDATE, 0, 1, 0, DOMID_SELF));
    ASK("list that wraps", hypercall_mmu_update(~0UL - 7, 1, 0, DOMID_SELF));
    ASK("list at the edge of theirs", hypercall_mmu_update(0xffff7ffffffffff8, 1, 0, DOMID_SELF));
}

static long memory(unsigned op, struct xen_memory_reservation r) { return hypercall_memory_op(op, gva(&r)); }

static void ask_reservations(void)
{
    static uint64_t list[4];
    struct xen_memory_reservation r = { .extent_start = gva(list), .nr_extents = 1, .domid = DOMID_SELF };
    struct xen_memory_exchange x = { { gva(list), 1, 0, 0, DOMID_SELF }, { THEIRS, 1, 0, 0, DOMID_SELF }, 0 };
    struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = 0, .idx = 0, .gpfn = 5 };

    family = "memory_op";
    ASK("add_to_physmap", hypercall_memory_op(XENMEM_add_to_physmap, gva(&add)));
    add.domid = NOBODY;
    ASK("add_to_physmap nobody", hypercall_memory_op(XENMEM_add_to_physmap, gva(&add)));
    list[0] = si->nr_pages + 5;
    r.mem_flags = XENMEMF_exact_node_request | 6 << 8;
    ASK("populate node 5", memory(XENMEM_populate_physmap, r));
    r.mem_flags = XENMEMF_address_bits(8);
    ASK("increase below 256", memory(XENMEM_increase_reservation, r));
    r.mem_flags = 0;
    r.nr_extents = 1UL << 58;
    ASK("decrease 2^58", memory(XENMEM_decrease_reservation, r));
    r.nr_extents = 1;
    r.extent_start = THEIRS;
    ASK("decrease list theirs", memory(XENMEM_decrease_reservation, r));
    ASK("populate list theirs", memory(XENMEM_populate_physmap, r));
    ASK("exchange into theirs", hypercall_memory_op(XENMEM_exchange, gva(&x)));
    x.out.extent_start = gva(list);
    x.in.extent_order = x.out.extent_order = 40;
    ASK("exchange order 40", hypercall_memory_op(XENMEM_exchange, gva(&x)));
    x.in.extent_order = x.out.extent_order = 0;
    x.in.nr_extents = x.out.nr_extents = ~0UL;
    ASK("exchange 2^64", hypercall_memory_op(XENMEM_exchange, gva(&x)));
}

static long vop(uint64_t cmd, uint64_t vcpu, const void *arg) { return hypercall_vcpu_op(cmd, vcpu, gva(arg)); }

static void ask_vcpus(void)
{
    struct vcpu_register_vcpu_info table = { va_to_mfn((void *)si->pt_base), 0, 0 };
    struct vcpu_set_periodic_timer wraps = { ~0UL };
    uint64_t at = 0;

    family = "bad vcpu_op";
    ASK("info on a table", vop(VCPUOP_register_vcpu_info, 0, &table));
    ASK("info of 9", vop(VCPUOP_register_vcpu_info, 9, &table));
    ASK("info unmapped", hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, UNMAPPED));
    ASK("periodic wraps", vop(VCPUOP_set_periodic_timer, 0, &wraps));
    ASK("periodic unmapped", hypercall_vcpu_op(VCPUOP_set_periodic_timer, 0, UNMAPPED));
    ASK("nmi of 9", vop(VCPUOP_send_nmi, 9, NULL));
    ASK("down 9", vop(VCPUOP_down, 9, NULL));
    ASK("up 2^32", vop(VCPUOP_up, 1UL << 32, NULL));
    ASK("runstate area unmapped", hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, UNMAPPED));
    hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, gva(&at));
    ASK("timer wraps", hypercall_set_timer_op(~0UL));
    ASK("timer off", hypercall_set_timer_op(0));
}

static long grant_op(unsigned cmd, void *op, uint64_t n) { return hypercall_grant_table_op(cmd, gva(op), n); }

static void ask_grant_ends(void)
{
    struct gnttab_swap_grant_ref swap = { .ref_a = 9, .ref_b = 1U << 30 };
    struct gnttab_unmap_and_replace replace = { .host_addr = (uint64_t)pool[8], .new_addr = (uint64_t)pool[9], .handle = 4096 };
    struct gnttab_copy c = { .len = 8, .flags = GNTCOPY_dest_gref };
    struct gnttab_map_grant_ref m = { .host_addr = THEIRS, .flags = GNTMAP_host_map, .ref = 9 };

    family = "bad grant_table_op";
    ASK("swap past the table", grant_op(GNTTABOP_swap_grant_ref, &swap, 1));
    ASK("swap past the table: status", swap.status);
    ASK("replace no handle", grant_op(GNTTABOP_unmap_and_replace, &replace, 1));
    ASK("replace no handle: status", replace.status);
    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.u.gmfn = va_to_mfn(pool[9]);
    c.dest.u.ref = 1U << 30;
    ASK("copy to a reference past the table", grant_op(GNTTABOP_copy, &c, 1));
    ASK("copy to a reference past the table: status", c.status);
    c.dest.u.ref = 9;
    c.dest.offset = PAGE - 4;
    grant_op(GNTTABOP_copy, &c, 1);
    ASK("copy over the end: status", c.status);
    grant_op(GNTTABOP_map_grant_ref, &m, 1);
    ASK("map at theirs: status", m.status);
    ASK("dump", grant_op(GNTTABOP_dump_table, &m, 2));
    ASK("copy 2^31", grant_op(GNTTABOP_copy, &c, 1UL << 31));
    ASK("map theirs", hypercall_grant_table_op(GNTTABOP_map_grant_ref, THEIRS, 1));
}

static void ask_descriptors(void)
{
    static uint64_t frames[2];
    uint64_t *g = (uint64_t *)pool[5];
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = ODD, .arg2.nr_ents = 1 };

    family = "bad descriptors";
    memset(g, 0, PAGE);
    g[3] = 0x0000ee000008e000UL;                             /* an interrupt gate */
    make_readonly(g);
    frames[0] = va_to_mfn(g);
    ASK("gdt with a gate", hypercall_set_gdt(gva(frames), 512));
    frames[0] = va_to_mfn((void *)si->pt_base);
    ASK("gdt of a table", hypercall_set_gdt(gva(frames), 512));
    ASK("gdt list theirs", hypercall_set_gdt(THEIRS, 512));
    ASK("gdt 2^32", hypercall_set_gdt(gva(frames), 1UL << 32 | 1));
    make_writable(g);
    ASK("ldt odd", hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF));
    ASK("debugreg odd", hypercall_set_debugreg(1, ODD));
    ASK("debugreg at their end", hypercall_set_debugreg(1, 0xffff87fffffffff9UL));
    ASK("debugreg 2^32", hypercall_set_debugreg(1UL << 32, 0));
}

static void ask_lists(void)
{
    static struct multicall_entry e[2];

    family = "bad multicall";
    e[0] = (struct multicall_entry){ .op = 1UL << 32 | __HYPERVISOR_xen_version, .args = { XENVER_pagesize } };
    ASK("upper half", hypercall_multicall(gva(e), 1));
    ASK("upper half: result", e[0].result);
    ASK("theirs", hypercall_multicall(THEIRS, 1));
    e[0] = (struct multicall_entry){ .op = __HYPERVISOR_mmu_update, .args = { THEIRS, 1, 0, DOMID_SELF } };
    e[1] = (struct multicall_entry){ .op = __HYPERVISOR_memory_op, .args = { 63, 0 } };
    ASK("two", hypercall_multicall(gva(e), 2));
    ASK("two: first", e[0].result);
    ASK("two: second", e[1].result);
}

void ask_bad_arguments(void)
{
    ask_updates();
    ask_reservations();
    ask_vcpus();
    ask_grant_ends();
    ask_descriptors();
    ask_lists();
}
