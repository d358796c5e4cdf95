/* SPDX-License-Identifier: MIT */
/* judge_memory.c: memory_op, and calls about the interface itself. SPEC 4.4 to 4.7, 5.7. */
#include "tests/abi/judge.h"

/* ---- memory ------------------------------------------------------------------------------------- */

static void ask_reservation(void)
{
    static uint64_t list[4];
    struct xen_memory_reservation r = { .extent_start = gva(list), .nr_extents = 1, .domid = DOMID_SELF };

    family = "memory_op";
    list[0] = NO_FRAME;
    ASK("decrease past memory", hypercall_memory_op(XENMEM_decrease_reservation, gva(&r)));
    list[0] = ((uint64_t *)si->mfn_list)[si->nr_pages - 1];
    ASK("decrease own", hypercall_memory_op(XENMEM_decrease_reservation, gva(&r)));
    ASK("increase", hypercall_memory_op(XENMEM_increase_reservation, gva(&r)));
    ASK("decrease", hypercall_memory_op(XENMEM_decrease_reservation, gva(&r)));
    ASK("decrease again", hypercall_memory_op(XENMEM_decrease_reservation, gva(&r)));
    list[0] = si->nr_pages + 5;
    ASK("populate", hypercall_memory_op(XENMEM_populate_physmap, gva(&r)));
    ASK("populate: m2p", machine_to_phys_mapping[list[0]] - si->nr_pages);
    ASK("decrease populated", hypercall_memory_op(XENMEM_decrease_reservation, gva(&r)));
    r.extent_order = 30;
    ASK("populate order 30", hypercall_memory_op(XENMEM_populate_physmap, gva(&r)));
    r.extent_order = 0;
    r.nr_extents = 0;
    ASK("populate none", hypercall_memory_op(XENMEM_populate_physmap, gva(&r)));
    r.nr_extents = 1;
    r.domid = NOBODY;
    ASK("populate nobody", hypercall_memory_op(XENMEM_populate_physmap, gva(&r)));
    r.domid = DOMID_SELF;
    r.extent_start = UNMAPPED;
    ASK("populate list unmapped", hypercall_memory_op(XENMEM_populate_physmap, gva(&r)));
    ASK("populate unmapped", hypercall_memory_op(XENMEM_populate_physmap, UNMAPPED));
}

static void ask_exchange(void)
{
    static uint64_t in[2], out[2];
    struct xen_memory_exchange x = { { gva(in), 1, 0, 0, DOMID_SELF }, { gva(out), 1, 0, 0, DOMID_SELF }, 0 }, y = x;

    in[0] = in[1] = va_to_mfn(pool[6]);
    out[0] = ((uint64_t)pool[6] - VIRT_BASE) / PAGE;
    ASK("exchange mapped", hypercall_memory_op(XENMEM_exchange, gva(&y)));
    y = x;
    y.in.nr_extents = 2;
    ASK("exchange sizes", hypercall_memory_op(XENMEM_exchange, gva(&y)));
    y = x;
    y.nr_exchanged = 2;
    ASK("exchange past its end", hypercall_memory_op(XENMEM_exchange, gva(&y)));
    y = x;
    y.out.domid = NOBODY;
    ASK("exchange two domains", hypercall_memory_op(XENMEM_exchange, gva(&y)));
    y.in.domid = NOBODY;
    ASK("exchange nobody", hypercall_memory_op(XENMEM_exchange, gva(&y)));
    in[0] = NO_FRAME;
    y = x;
    ASK("exchange past memory", hypercall_memory_op(XENMEM_exchange, gva(&y)));
    ASK("exchange unmapped", hypercall_memory_op(XENMEM_exchange, UNMAPPED));
}

static void ask_memory_facts(void)
{
    static uint8_t room[128 * 20];
    struct xen_memory_domain self = { DOMID_SELF }, nobody = { NOBODY };
    struct xen_memory_map small = { 1, gva(room) }, none = { 128, gva(room) }, all = { 128, gva(room) };
    struct xen_machphys_mfn_list no_room = { 0, gva(room), 0 };
    struct xen_machphys_mapping where = { 0, 0, 0 };
    struct xen_foreign_memory_map set = { NOBODY, { 1, gva(room) } }, long_one = { DOMID_SELF, { 100000, gva(room) } };

    ASK("ram page", hypercall_memory_op(XENMEM_maximum_ram_page, 0) > 0);
    ASK("current", hypercall_memory_op(XENMEM_current_reservation, gva(&self)) > 0);
    ASK("current nobody", hypercall_memory_op(XENMEM_current_reservation, gva(&nobody)));
    ASK("current unmapped", hypercall_memory_op(XENMEM_current_reservation, UNMAPPED));
    ASK("maximum nobody", hypercall_memory_op(XENMEM_maximum_reservation, gva(&nobody)));
    ASK("gpfn nobody", hypercall_memory_op(XENMEM_maximum_gpfn, gva(&nobody)));
    ASK("map none", hypercall_memory_op(XENMEM_memory_map, gva(&none)));
    ASK("machine map", hypercall_memory_op(XENMEM_machine_memory_map, gva(&all)));
    ASK("machine map small", hypercall_memory_op(XENMEM_machine_memory_map, gva(&small)));
    ASK("machine map unmapped", hypercall_memory_op(XENMEM_machine_memory_map, UNMAPPED));
    ASK("set map nobody", hypercall_memory_op(XENMEM_set_memory_map, gva(&set)));
    ASK("set map long", hypercall_memory_op(XENMEM_set_memory_map, gva(&long_one)));
    ASK("m2p list", hypercall_memory_op(XENMEM_machphys_mfn_list, gva(&no_room)));
    ASK("m2p where", hypercall_memory_op(XENMEM_machphys_mapping, gva(&where)));
    ASK("m2p where: start", where.v_start == MACH2PHYS_VIRT_START);
    ASK("m2p where unmapped", hypercall_memory_op(XENMEM_machphys_mapping, UNMAPPED));
    ASK("unknown", hypercall_memory_op(63, 0));
}

void ask_memory(void)
{
    ask_reservation();
    ask_exchange();
    ask_memory_facts();
}

/* ---- calls about calls -------------------------------------------------------------------------- */

static void ask_multicall(void)
{
    static struct multicall_entry e[3];

    family = "multicall";
    ASK("none", hypercall_multicall(gva(e), 0));
    ASK("unmapped", hypercall_multicall(UNMAPPED, 1));
    e[0] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } };
    e[1] = (struct multicall_entry){ .op = 63 };
    e[2] = (struct multicall_entry){ .op = __HYPERVISOR_multicall, .args = { gva(e), 1 } };
    ASK("three", hypercall_multicall(gva(e), 3));
    ASK("three: first", e[0].result);
    ASK("three: unknown", e[1].result);
    ASK("three: nested", e[2].result);
}

static void ask_version(void)
{
    static char room[1024];
    struct xen_feature_info f = { 5, 0 };

    family = "xen_version";
    ASK("version", hypercall_xen_version(XENVER_version, 0));
    ASK("page", hypercall_xen_version(XENVER_pagesize, 0));
    for (unsigned cmd = XENVER_extraversion; cmd <= XENVER_platform_parameters; cmd++) {
        say("J xen_version cmd %u = %d", (uint64_t)cmd, hypercall_xen_version(cmd, gva(room)));
        say("J xen_version cmd %u unmapped = %d", (uint64_t)cmd, hypercall_xen_version(cmd, UNMAPPED));
    }
    ASK("start", *(uint64_t *)room == HYPERVISOR_VIRT_START);
    ASK("features 5", hypercall_xen_version(XENVER_get_features, gva(&f)));
    f.submap_idx = 0;
    hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3);
    ASK("features 0", hypercall_xen_version(XENVER_get_features, gva(&f)));
    ASK("features 0: bits", f.submap);
    ASK("handle", hypercall_xen_version(XENVER_guest_handle, gva(room)));
    ASK("command line", hypercall_xen_version(XENVER_commandline, gva(room)));
    ASK("unknown", hypercall_xen_version(99, gva(room)));
    family = "console_io";
    ASK("unknown", hypercall_console_io(99, 0, 0));
    ASK("write none", hypercall_console_io(CONSOLEIO_write, 0, 0));
    ASK("write unmapped", hypercall_console_io(CONSOLEIO_write, 4, UNMAPPED));
    ASK("read none", hypercall_console_io(CONSOLEIO_read, 16, gva(room)));
    family = "vm_assist";
    for (uint64_t type = 0; type < 7; type++) {
        say("J vm_assist on %u = %d", type, hypercall_vm_assist(VMASST_CMD_enable, type));
        if (type != VMASST_TYPE_pae_extended_cr3)
            say("J vm_assist off %u = %d", type, hypercall_vm_assist(VMASST_CMD_disable, type));
    }
    ASK("m2p_strict", hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict));
    ASK("type 64", hypercall_vm_assist(VMASST_CMD_enable, 64));
    ASK("cmd 2", hypercall_vm_assist(2, 0));
}

void ask_general(void)
{
    ask_multicall();
    ask_version();
}
