/* SPDX-License-Identifier: MIT */
/* judge.c: a guest kernel that asks hypercalls what they answer, good arguments and bad, and prints each answer.
 *
 * Claim (SPEC 4.2): for the same argument Enso and Xen 4.17 give the same answer. The guest runs as dom0 on either
 * and prints a line `J label = answer` for each question; judge.py compares Enso's lines with those recorded on
 * Xen, and knows the differences that SPEC.md admits. No question leaves the machine in another state than it found
 * it in, as far as later questions can see. Boot code and printing are the attackers' (tests/hostile).     */
#include "hypercall-abi/callback.h"
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/physdev.h"
#include "hypercall-abi/platform.h"
#include "hypercall-abi/sched.h"
#include "hypercall-abi/sysctl.h"
#include "hypercall-abi/vcpu.h"
#include "hypercall-abi/version.h"
#include "tests/hostile/hostile.h"

struct start_info *si;
struct shared_info *shared;
unsigned failures;
uint8_t pool[POOL_PAGES][PAGE] __attribute__((aligned(4096)));
extern char trap_stubs[], failsafe_entry[], event_entry[];

#define NOBODY      77                    /* a domain that there is not */
#define UNMAPPED    0x500000000000UL
#define THEIRS      0xffff830000000000UL  /* an address of the hypervisor's */
#define ODD         0x0000900000000000UL  /* not canonical */
#define NO_FRAME    0x3ffffffffUL         /* past all memory */
#define LEAF(p)     (va_to_mfn(p) * PAGE | PTE_P | PTE_U | PTE_A | PTE_D)

uint64_t option(const char *name, uint64_t otherwise)
{
    return otherwise;
}

void unexpected_trap(uint64_t vector, uint64_t rip);
void unexpected_trap(uint64_t vector, uint64_t rip)
{
    struct sched_shutdown s = { SHUTDOWN_crash };
    say("J trap %u near %x = 1", vector, rip);
    hypercall_sched_op(SCHEDOP_shutdown, gva(&s));
}

static const char *family;
static void answer(const char *label, long value)
{
    say("J %s %s = %d", family, label, value);
}
#define ASK(label, question) answer(label, question)

/* ---- page tables -------------------------------------------------------------------------------- */

static long mmu(uint64_t ptr, uint64_t val, uint64_t domid)
{
    struct mmu_update u = { ptr, val };
    return hypercall_mmu_update(gva(&u), 1, 0, domid);
}

static void ask_mmu_update(void)
{
    uint64_t slot1 = maddr_of(table_at(1, (uint64_t)pool[0])), slot2 = maddr_of(table_at(2, (uint64_t)pool[0]));
    uint64_t root = si->pt_base, slot4 = maddr_of((void *)root), own = va_to_mfn(pool[1]);
    struct mmu_update two[2] = { { slot1, LEAF(pool[0]) | PTE_RW }, { NO_FRAME * PAGE, 0 } };
    uint32_t done = 99;

    family = "mmu_update";
    ASK("nothing", hypercall_mmu_update(0, 0, 0, DOMID_SELF));
    ASK("list unmapped", hypercall_mmu_update(UNMAPPED, 1, 0, DOMID_SELF));
    ASK("list theirs", hypercall_mmu_update(THEIRS, 1, 0, DOMID_SELF));
    ASK("second bad", hypercall_mmu_update(gva(two), 2, gva(&done), DOMID_SELF));
    ASK("second bad: done", done);
    ASK("same entry", mmu(slot1, LEAF(pool[0]) | PTE_RW, DOMID_SELF));
    ASK("preserve", mmu(slot1 | MMU_PT_UPDATE_PRESERVE_AD, LEAF(pool[0]) | PTE_RW, DOMID_SELF));
    ASK("no translate", mmu(slot1 | MMU_PT_UPDATE_NO_TRANSLATE, LEAF(pool[0]) | PTE_RW, DOMID_SELF));
    ASK("own domid", mmu(slot1, LEAF(pool[0]) | PTE_RW, 0));
    ASK("domid nobody", mmu(slot1, LEAF(pool[0]) | PTE_RW, NOBODY));
    ASK("domid invalid", mmu(slot1, LEAF(pool[0]) | PTE_RW, DOMID_INVALID));
    ASK("tables of nobody", mmu(slot1, LEAF(pool[0]) | PTE_RW, DOMID_SELF | (NOBODY + 1) << 16));
    ASK("entry past memory", mmu(NO_FRAME * PAGE, 0, DOMID_SELF));
    ASK("frame past memory", mmu(slot1, NO_FRAME * PAGE | PTE_P | PTE_U, DOMID_SELF));
    ASK("writable table", mmu(slot1, va_to_mfn((void *)root) * PAGE | PTE_P | PTE_RW | PTE_U, DOMID_SELF));
    ASK("readable table", mmu(slot1, va_to_mfn((void *)root) * PAGE | PTE_P | PTE_U, DOMID_SELF));
    ASK("back", mmu(slot1, LEAF(pool[0]) | PTE_RW, DOMID_SELF));
    ASK("not present", mmu(slot1, 0x123456000, DOMID_SELF));
    ASK("back again", mmu(slot1, LEAF(pool[0]) | PTE_RW, DOMID_SELF));
    ASK("L2 superpage", mmu(slot2, LEAF(pool[0]) | PTE_RW | PTE_PS, DOMID_SELF));
    ASK("L2 to data", mmu(slot2, LEAF(pool[0]) | PTE_RW, DOMID_SELF));
    ASK("L4 slot theirs", mmu(slot4 + 256 * 8, 0, DOMID_SELF));
    ASK("L4 slot theirs, last", mmu(slot4 + 271 * 8, 0, DOMID_SELF));
    ASK("L4 recursive", mmu(slot4 + 300 * 8, va_to_mfn((void *)root) * PAGE | PTE_P | PTE_RW | PTE_U, DOMID_SELF));
    ASK("L4 empty slot", mmu(slot4 + 300 * 8, 0, DOMID_SELF));
    ASK("data page", mmu(maddr_of(pool[2]), 0x1234, DOMID_SELF));
    ASK("data page: value", *(volatile uint64_t *)pool[2]);
    ASK("machphys", mmu(own * PAGE | MMU_MACHPHYS_UPDATE, ((uint64_t)pool[1] - VIRT_BASE) / PAGE, DOMID_SELF));
    ASK("machphys past memory", mmu(NO_FRAME * PAGE | MMU_MACHPHYS_UPDATE, 1, DOMID_SELF));
}

static void ask_va_mapping(void)
{
    family = "update_va_mapping";
    ASK("same", hypercall_update_va_mapping((uint64_t)pool[0], LEAF(pool[0]) | PTE_RW, UVMF_NONE));
    ASK("flush", hypercall_update_va_mapping((uint64_t)pool[0], LEAF(pool[0]) | PTE_RW, UVMF_TLB_FLUSH | UVMF_ALL));
    ASK("invlpg", hypercall_update_va_mapping((uint64_t)pool[0], LEAF(pool[0]) | PTE_RW, UVMF_INVLPG | UVMF_LOCAL));
    ASK("bitmap unmapped", hypercall_update_va_mapping((uint64_t)pool[0], LEAF(pool[0]) | PTE_RW, UVMF_INVLPG | UNMAPPED));
    ASK("no table", hypercall_update_va_mapping(UNMAPPED, 0, UVMF_NONE));
    ASK("theirs", hypercall_update_va_mapping(THEIRS, 0, UVMF_NONE));
    ASK("writable table", hypercall_update_va_mapping((uint64_t)pool[0], va_to_mfn((void *)si->pt_base) * PAGE | 7, UVMF_NONE));
    family = "update_va_mapping_otherdomain";
    ASK("own", hypercall_update_va_mapping_otherdomain((uint64_t)pool[0], LEAF(pool[0]) | PTE_RW, UVMF_NONE, 0));
    ASK("nobody", hypercall_update_va_mapping_otherdomain((uint64_t)pool[0], LEAF(pool[0]) | PTE_RW, UVMF_NONE, NOBODY));
    ASK("invalid", hypercall_update_va_mapping_otherdomain((uint64_t)pool[0], LEAF(pool[0]) | PTE_RW, UVMF_NONE, DOMID_INVALID));
}

static long ext(uint32_t cmd, uint64_t arg1, uint64_t arg2, uint64_t domid)
{
    struct mmuext_op op = { .cmd = cmd };
    op.arg1.mfn = arg1;
    op.arg2.src_mfn = arg2;
    return hypercall_mmuext_op(gva(&op), 1, 0, domid);
}

static void ask_mmuext_op(void)
{
    uint64_t page = va_to_mfn(pool[3]), root = va_to_mfn((void *)si->pt_base);

    family = "mmuext_op";
    ASK("nothing", hypercall_mmuext_op(0, 0, 0, DOMID_SELF));
    ASK("list unmapped", hypercall_mmuext_op(UNMAPPED, 1, 0, DOMID_SELF));
    ASK("nobody", ext(MMUEXT_PIN_L1_TABLE, page, 0, NOBODY));
    ASK("unknown", ext(99, 0, 0, DOMID_SELF));
    ASK("pin writable", ext(MMUEXT_PIN_L1_TABLE, page, 0, DOMID_SELF));
    ASK("pin past memory", ext(MMUEXT_PIN_L1_TABLE, NO_FRAME, 0, DOMID_SELF));
    ASK("unpin unpinned", ext(MMUEXT_UNPIN_TABLE, page, 0, DOMID_SELF));
    ASK("unpin past memory", ext(MMUEXT_UNPIN_TABLE, NO_FRAME, 0, DOMID_SELF));
    memset(pool[3], 0, PAGE);
    make_readonly(pool[3]);
    ASK("pin", ext(MMUEXT_PIN_L1_TABLE, page, 0, DOMID_SELF));
    ASK("pin twice", ext(MMUEXT_PIN_L1_TABLE, page, 0, DOMID_SELF));
    ASK("pin as L2", ext(MMUEXT_PIN_L2_TABLE, page, 0, DOMID_SELF));
    ASK("clear a table", ext(MMUEXT_CLEAR_PAGE, page, 0, DOMID_SELF));
    ASK("copy onto a table", ext(MMUEXT_COPY_PAGE, page, va_to_mfn(pool[4]), DOMID_SELF));
    ASK("unpin", ext(MMUEXT_UNPIN_TABLE, page, 0, DOMID_SELF));
    make_writable(pool[3]);
    ASK("root of data", ext(MMUEXT_NEW_BASEPTR, page, 0, DOMID_SELF));
    ASK("root past memory", ext(MMUEXT_NEW_BASEPTR, NO_FRAME, 0, DOMID_SELF));
    ASK("root again", ext(MMUEXT_NEW_BASEPTR, root, 0, DOMID_SELF));
    ASK("user root none", ext(MMUEXT_NEW_USER_BASEPTR, 0, 0, DOMID_SELF));
    ASK("user root of data", ext(MMUEXT_NEW_USER_BASEPTR, page, 0, DOMID_SELF));
    ASK("flush local", ext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, DOMID_SELF));
    ASK("flush all", ext(MMUEXT_TLB_FLUSH_ALL, 0, 0, DOMID_SELF));
    ASK("flush bitmap unmapped", ext(MMUEXT_TLB_FLUSH_MULTI, 0, UNMAPPED, DOMID_SELF));
    ASK("invlpg", ext(MMUEXT_INVLPG_LOCAL, (uint64_t)pool, 0, DOMID_SELF));
    ASK("invlpg odd", ext(MMUEXT_INVLPG_LOCAL, ODD, 0, DOMID_SELF));
    ASK("invlpg all", ext(MMUEXT_INVLPG_ALL, (uint64_t)pool, 0, DOMID_SELF));
    ASK("cache", ext(MMUEXT_FLUSH_CACHE, 0, 0, DOMID_SELF));
    ASK("cache global", ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0, DOMID_SELF));
    ASK("ldt none", ext(MMUEXT_SET_LDT, 0, 0, DOMID_SELF));
    ASK("ldt crooked", ext(MMUEXT_SET_LDT, (uint64_t)pool + 8, 4, DOMID_SELF));
    ASK("ldt long", ext(MMUEXT_SET_LDT, (uint64_t)pool, 8193, DOMID_SELF));
    ASK("ldt theirs", ext(MMUEXT_SET_LDT, THEIRS, 4, DOMID_SELF));
    ASK("clear", ext(MMUEXT_CLEAR_PAGE, page, 0, DOMID_SELF));
    ASK("clear past memory", ext(MMUEXT_CLEAR_PAGE, NO_FRAME, 0, DOMID_SELF));
    ASK("copy", ext(MMUEXT_COPY_PAGE, page, va_to_mfn(pool[4]), DOMID_SELF));
    ASK("copy past memory", ext(MMUEXT_COPY_PAGE, page, NO_FRAME, DOMID_SELF));
    ASK("mark super", ext(MMUEXT_MARK_SUPER, page, 0, DOMID_SELF));
}

static void ask_descriptors(void)
{
    static uint64_t frames[16];
    uint64_t data = 0x00cff3000000ffffUL, gate = 0x0000ec0000080000UL;

    family = "set_gdt";
    ASK("none", hypercall_set_gdt(gva(frames), 0));
    ASK("too long", hypercall_set_gdt(gva(frames), 7169));
    ASK("list unmapped", hypercall_set_gdt(UNMAPPED, 1));
    frames[0] = NO_FRAME;
    ASK("past memory", hypercall_set_gdt(gva(frames), 1));
    frames[0] = va_to_mfn(pool[5]);
    ASK("writable", hypercall_set_gdt(gva(frames), 1));
    make_readonly(pool[5]);
    ASK("read-only", hypercall_set_gdt(gva(frames), 512));
    family = "update_descriptor";
    ASK("crooked", hypercall_update_descriptor(maddr_of(pool[5]) + 4, data));
    ASK("past memory", hypercall_update_descriptor(NO_FRAME * PAGE, data));
    ASK("data segment", hypercall_update_descriptor(maddr_of(pool[5]) + 8, data));
    ASK("call gate", hypercall_update_descriptor(maddr_of(pool[5]) + 16, gate));
    ASK("empty", hypercall_update_descriptor(maddr_of(pool[5]) + 8, 0));
    ASK("on a table", hypercall_update_descriptor(maddr_of((void *)si->pt_base), 0));
    family = "set_gdt";
    ASK("none again", hypercall_set_gdt(gva(frames), 0));
    make_writable(pool[5]);
}

/* ---- the processor ------------------------------------------------------------------------------ */

static void ask_state(void)
{
    struct trap_info t[2] = { { 200, 0, FLAT_KERNEL_CS, ODD } };
    struct callback_register c = { CALLBACKTYPE_nmi, 0, ODD };
    struct callback_unregister u = { CALLBACKTYPE_event, 0 };

    family = "state";
    ASK("trap odd", hypercall_set_trap_table(gva(t)));
    ASK("trap unmapped", hypercall_set_trap_table(UNMAPPED));
    ASK("callbacks odd", hypercall_set_callbacks((uint64_t)event_entry, ODD, 0));
    ASK("stack", hypercall_stack_switch(FLAT_KERNEL_SS, 0));
    ASK("ts set", hypercall_fpu_taskswitch(1));
    ASK("ts clear", hypercall_fpu_taskswitch(0));
    ASK("callback odd", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    c = (struct callback_register){ 99, 0, (uint64_t)event_entry };
    ASK("callback type", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    c = (struct callback_register){ CALLBACKTYPE_sysenter_deprecated, 0, (uint64_t)event_entry };
    ASK("callback old sysenter", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    c = (struct callback_register){ CALLBACKTYPE_event, 0, (uint64_t)event_entry };
    ASK("callback event", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    ASK("callback unmapped", hypercall_callback_op(CALLBACKOP_register, UNMAPPED));
    ASK("callback cmd", hypercall_callback_op(99, gva(&c)));
    ASK("unregister event", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    u.type = CALLBACKTYPE_syscall32;
    ASK("unregister syscall32", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    u.type = CALLBACKTYPE_nmi;
    ASK("unregister nmi", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    u.type = 99;
    ASK("unregister type", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    ASK("base fs", hypercall_set_segment_base(SEGBASE_FS, 0));
    ASK("base fs odd", hypercall_set_segment_base(SEGBASE_FS, ODD));
    ASK("base user odd", hypercall_set_segment_base(SEGBASE_GS_USER, ODD));
    ASK("base kernel odd", hypercall_set_segment_base(SEGBASE_GS_KERNEL, ODD));
    ASK("base which", hypercall_set_segment_base(9, 0));
    ASK("selector none", hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0));
    ASK("selector bad", hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0x1237));
}

static void ask_debugregs(void)
{
    family = "debugreg";
    ASK("dr0", hypercall_set_debugreg(0, 0x1000));
    ASK("dr0 is", hypercall_get_debugreg(0));
    ASK("dr0 theirs", hypercall_set_debugreg(0, THEIRS));
    ASK("dr0 zero", hypercall_set_debugreg(0, 0));
    ASK("dr6", hypercall_set_debugreg(6, 0));
    ASK("dr6 is", hypercall_get_debugreg(6));
    ASK("dr6 high", hypercall_set_debugreg(6, 1UL << 32));
    ASK("dr7", hypercall_set_debugreg(7, 0x400));
    ASK("dr7 is", hypercall_get_debugreg(7));
    ASK("dr7 detect", hypercall_set_debugreg(7, 0x2400));
    ASK("dr7 io", hypercall_set_debugreg(7, 0x20401));
    ASK("dr7 high", hypercall_set_debugreg(7, 1UL << 32));
    ASK("dr4", hypercall_set_debugreg(4, 0xffff0ff0));
    ASK("dr8", hypercall_set_debugreg(8, 0));
    ASK("get dr4", hypercall_get_debugreg(4));
    ASK("get dr8", hypercall_get_debugreg(8));
}

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

/* ---- events ------------------------------------------------------------------------------------- */

static uint32_t port_for(uint16_t remote)
{
    struct evtchn_alloc_unbound a = { DOMID_SELF, remote, 0 };
    return hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a)) ? 0 : a.port;
}

static long port_op(uint32_t cmd, uint32_t port)
{
    return hypercall_event_channel_op(cmd, gva(&port));
}

static void ask_ports(void)
{
    static const uint32_t bad[] = { 0, 3000, 5000, 0xffffffff };
    uint32_t port = port_for(NOBODY);

    family = "event_channel_op";
    for (unsigned i = 0; i < 4; i++) {
        say("J event_channel_op close %u = %d", (uint64_t)bad[i], port_op(EVTCHNOP_close, bad[i]));
        say("J event_channel_op send %u = %d", (uint64_t)bad[i], port_op(EVTCHNOP_send, bad[i]));
        say("J event_channel_op unmask %u = %d", (uint64_t)bad[i], port_op(EVTCHNOP_unmask, bad[i]));
    }
    ASK("unknown", hypercall_event_channel_op(99, gva(&port)));
    ASK("unmapped", hypercall_event_channel_op(EVTCHNOP_send, UNMAPPED));
    ASK("alloc for nobody", port != 0);
    ASK("send unbound", port_op(EVTCHNOP_send, port));
    ASK("unmask unbound", port_op(EVTCHNOP_unmask, port));
    ASK("close", port_op(EVTCHNOP_close, port));
    ASK("close twice", port_op(EVTCHNOP_close, port));
    struct evtchn_alloc_unbound a = { NOBODY, DOMID_SELF, 0 };
    ASK("alloc in nobody", hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a)));
    struct evtchn_reset r = { NOBODY };
    ASK("reset nobody", hypercall_event_channel_op(EVTCHNOP_reset, gva(&r)));
    struct evtchn_set_priority p = { 5, 3 };
    ASK("priority", hypercall_event_channel_op(EVTCHNOP_set_priority, gva(&p)));
    struct evtchn_expand_array x = { 0 };
    ASK("expand", hypercall_event_channel_op(EVTCHNOP_expand_array, gva(&x)));
    struct evtchn_init_control c = { .control_gfn = NO_FRAME };
    ASK("control", hypercall_event_channel_op(EVTCHNOP_init_control, gva(&c)));
}

static void ask_bindings(void)
{
    uint32_t port = port_for(DOMID_SELF);
    struct evtchn_bind_interdomain b = { DOMID_SELF, port, 0 };
    struct evtchn_status s = { .dom = DOMID_SELF };

    ASK("bind to oneself", hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b)));
    uint32_t other = b.local_port;
    ASK("bind again", hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b)));
    ASK("send bound", port_op(EVTCHNOP_send, port));
    s.port = port;
    ASK("status", hypercall_event_channel_op(EVTCHNOP_status, gva(&s)));
    ASK("status is", s.status);
    ASK("status other end", s.u.interdomain.port == other);
    ASK("close one end", port_op(EVTCHNOP_close, port));
    s.port = other;
    hypercall_event_channel_op(EVTCHNOP_status, gva(&s));
    ASK("status of the other end", s.status);
    ASK("close other end", port_op(EVTCHNOP_close, other));
    hypercall_event_channel_op(EVTCHNOP_status, gva(&s));
    ASK("status closed", s.status);
    s.port = 5000;
    ASK("status past", hypercall_event_channel_op(EVTCHNOP_status, gva(&s)));
    s.dom = NOBODY;
    ASK("status nobody", hypercall_event_channel_op(EVTCHNOP_status, gva(&s)));
    b = (struct evtchn_bind_interdomain){ NOBODY, 1, 0 };
    ASK("bind nobody", hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b)));
}

static void ask_interrupts(void)
{
    struct evtchn_bind_virq v = { 99, 0, 0 };
    struct evtchn_bind_ipi i = { 9, 0 };
    struct evtchn_bind_vcpu to = { 0, 0 };
    struct evtchn_bind_pirq q = { 0xffffff, 0, 0 };

    ASK("virq 99", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    v = (struct evtchn_bind_virq){ VIRQ_TIMER, 9, 0 };
    ASK("virq vcpu 9", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    v = (struct evtchn_bind_virq){ VIRQ_DOM_EXC, 1, 0 };
    ASK("global virq vcpu 1", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    v = (struct evtchn_bind_virq){ VIRQ_DEBUG, 0, 0 };
    ASK("virq", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    ASK("virq twice", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    ASK("send virq", port_op(EVTCHNOP_send, v.port));
    to.port = v.port;
    ASK("move virq", hypercall_event_channel_op(EVTCHNOP_bind_vcpu, gva(&to)));
    ASK("close virq", port_op(EVTCHNOP_close, v.port));
    ASK("ipi vcpu 9", hypercall_event_channel_op(EVTCHNOP_bind_ipi, gva(&i)));
    i.vcpu = 0;
    ASK("ipi", hypercall_event_channel_op(EVTCHNOP_bind_ipi, gva(&i)));
    to.port = i.port;
    ASK("move ipi", hypercall_event_channel_op(EVTCHNOP_bind_vcpu, gva(&to)));
    to.vcpu = 9;
    ASK("move to vcpu 9", hypercall_event_channel_op(EVTCHNOP_bind_vcpu, gva(&to)));
    ASK("send ipi", port_op(EVTCHNOP_send, i.port));
    ASK("close ipi", port_op(EVTCHNOP_close, i.port));
    ASK("pirq", hypercall_event_channel_op(EVTCHNOP_bind_pirq, gva(&q)));
}

/* ---- scheduling and time ------------------------------------------------------------------------- */

static void ask_sched(void)
{
    static uint32_t ports[2] = { 5000, 1 };
    struct sched_poll poll = { gva(ports), 1, 1 };
    struct sched_remote_shutdown far = { NOBODY, SHUTDOWN_poweroff };
    struct sched_watchdog w = { 0, 0 };

    family = "sched_op";
    ASK("unknown", hypercall_sched_op(99, 0));
    ASK("yield", hypercall_sched_op(SCHEDOP_yield, 0));
    ASK("shutdown unmapped", hypercall_sched_op(SCHEDOP_shutdown, UNMAPPED));
    ASK("poll bad port", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    poll.nr_ports = 129;
    ASK("poll many", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    poll.nr_ports = 0;
    ASK("poll none, time passed", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    poll = (struct sched_poll){ UNMAPPED, 1, 1 };
    ASK("poll unmapped", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    ASK("remote nobody", hypercall_sched_op(SCHEDOP_remote_shutdown, gva(&far)));
    w = (struct sched_watchdog){ 9, 5 };
    ASK("watchdog 9", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    w = (struct sched_watchdog){ 1, 5 };
    ASK("watchdog unarmed", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    w = (struct sched_watchdog){ 0, 500 };
    ASK("watchdog first", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    ASK("watchdog second", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    ASK("watchdog third", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    for (w = (struct sched_watchdog){ 1, 0 }; w.id <= 2; w.id++)
        say("J sched_op watchdog %u off = %d", (uint64_t)w.id, hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    family = "set_timer_op";
    ASK("stop", hypercall_set_timer_op(0));
}

static long vop(uint64_t cmd, uint64_t vcpu, const void *arg)
{
    return hypercall_vcpu_op(cmd, vcpu, gva(arg));
}

static void ask_vcpu(void)
{
    struct vcpu_set_periodic_timer fast = { 1000 }, slow = { 1UL << 60 };
    struct vcpu_set_singleshot_timer past = { 1, VCPU_SSHOTTMR_future };
    struct vcpu_register_vcpu_info crooked = { va_to_mfn(pool[7]), 4, 0 }, beyond = { va_to_mfn(pool[7]), 4090 & ~7, 0 };
    struct vcpu_register_vcpu_info no_frame = { NO_FRAME, 0, 0 };
    struct vcpu_register_runstate_memory_area theirs = { .addr.v = THEIRS }, off = { .addr.v = 0 };
    struct vcpu_runstate_info state;

    family = "vcpu_op";
    ASK("up?", vop(VCPUOP_is_up, 0, NULL));
    ASK("up? 9", vop(VCPUOP_is_up, 9, NULL));
    ASK("up? 100000", vop(VCPUOP_is_up, 100000, NULL));
    ASK("unknown", vop(99, 0, NULL));
    ASK("up", vop(VCPUOP_up, 0, NULL));
    ASK("runstate", vop(VCPUOP_get_runstate_info, 0, &state));
    ASK("runstate is", state.state);
    ASK("runstate unmapped", hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, UNMAPPED));
    ASK("area theirs", vop(VCPUOP_register_runstate_memory_area, 0, &theirs));
    ASK("area off", vop(VCPUOP_register_runstate_memory_area, 0, &off));
    ASK("time area theirs", vop(VCPUOP_register_vcpu_time_memory_area, 0, &theirs));
    ASK("periodic fast", vop(VCPUOP_set_periodic_timer, 0, &fast));
    ASK("periodic slow", vop(VCPUOP_set_periodic_timer, 0, &slow));
    ASK("periodic stop", vop(VCPUOP_stop_periodic_timer, 0, NULL));
    ASK("singleshot past", vop(VCPUOP_set_singleshot_timer, 0, &past));
    ASK("singleshot stop", vop(VCPUOP_stop_singleshot_timer, 0, NULL));
    ASK("info crooked", vop(VCPUOP_register_vcpu_info, 0, &crooked));
    ASK("info beyond", vop(VCPUOP_register_vcpu_info, 0, &beyond));
    ASK("info past memory", vop(VCPUOP_register_vcpu_info, 0, &no_frame));
    ASK("initialise unmapped", hypercall_vcpu_op(VCPUOP_initialise, 0, UNMAPPED));
}

/* ---- grants ------------------------------------------------------------------------------------- */

static long map_status(uint16_t dom, uint32_t ref, uint32_t flags, uint64_t at)
{
    struct gnttab_map_grant_ref m = { .host_addr = at, .flags = flags, .ref = ref, .dom = dom };
    long rc = hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(&m), 1);
    return rc ? rc - 1000 : m.status;
}

static long copy_status(struct gnttab_copy c)
{
    long rc = hypercall_grant_table_op(GNTTABOP_copy, gva(&c), 1);
    return rc ? rc - 1000 : c.status;
}

static void ask_grant_table(void)
{
    static uint64_t frames[64];
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    struct gnttab_setup_table t = { DOMID_SELF, 1, 0, gva(frames) };
    struct gnttab_get_version g = { .dom = DOMID_SELF };
    struct gnttab_set_version v = { 1 };

    family = "grant_table_op";
    ASK("unknown", hypercall_grant_table_op(99, gva(&q), 1));
    ASK("none", hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(&q), 0));
    ASK("unmapped", hypercall_grant_table_op(GNTTABOP_map_grant_ref, UNMAPPED, 1));
    ASK("query", hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 1));
    ASK("query: status", q.status);
    ASK("query two", hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 2));
    q.dom = NOBODY;
    hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 1);
    ASK("query nobody: status", q.status);
    ASK("setup", hypercall_grant_table_op(GNTTABOP_setup_table, gva(&t), 1));
    ASK("setup: status", t.status);
    t.nr_frames = 100000;
    ASK("setup long", hypercall_grant_table_op(GNTTABOP_setup_table, gva(&t), 1));
    ASK("setup long: status", t.status);
    t = (struct gnttab_setup_table){ NOBODY, 1, 0, gva(frames) };
    hypercall_grant_table_op(GNTTABOP_setup_table, gva(&t), 1);
    ASK("setup nobody: status", t.status);
    ASK("get version", hypercall_grant_table_op(GNTTABOP_get_version, gva(&g), 1));
    ASK("get version is", g.version);
    ASK("set version 1", hypercall_grant_table_op(GNTTABOP_set_version, gva(&v), 1));
    v.version = 7;
    ASK("set version 7", hypercall_grant_table_op(GNTTABOP_set_version, gva(&v), 1));
}

static void ask_grants(void)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = (uint64_t)pool[8], .handle = 12345 };
    struct gnttab_copy c = { .len = 16 };
    uint64_t a = va_to_mfn(pool[9]), b = va_to_mfn(pool[10]);

    ASK("map no kind", map_status(0, 0, 0, (uint64_t)pool[8]));
    ASK("map nobody", map_status(NOBODY, 0, GNTMAP_host_map, (uint64_t)pool[8]));
    ASK("map empty entry", map_status(0, 8, GNTMAP_host_map, (uint64_t)pool[8]));
    ASK("map past table", map_status(0, 1000000, GNTMAP_host_map, (uint64_t)pool[8]));
    ASK("unmap", hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, gva(&u), 1));
    ASK("unmap: status", u.status);
    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.u.gmfn = a;
    c.dest.u.gmfn = b;
    *(uint64_t *)pool[9] = 0x1122334455667788;
    ASK("copy", copy_status(c));
    ASK("copy: done", *(volatile uint64_t *)pool[10] == 0x1122334455667788);
    c.source.offset = 4090;
    ASK("copy crossing", copy_status(c));
    c.source.offset = 0;
    c.dest.u.gmfn = va_to_mfn((void *)si->pt_base);
    ASK("copy onto a table", copy_status(c));
    c.dest.u.gmfn = NO_FRAME;
    ASK("copy past memory", copy_status(c));
    c.dest.u.gmfn = b;
    c.dest.domid = NOBODY;
    ASK("copy to nobody", copy_status(c));
    c.dest.domid = DOMID_SELF;
    c.flags = GNTCOPY_source_gref;
    c.source.u.gmfn = 0;
    c.source.u.ref = 8;
    ASK("copy from empty entry", copy_status(c));
}

/* ---- devices and control ------------------------------------------------------------------------- */

static void ask_physdev(void)
{
    uint32_t four = 4, one = 1;
    struct physdev_irq_status_query q = { 99999, 0 };
    struct physdev_eoi e = { 99999 };
    struct physdev_set_iobitmap big = { gva(pool), 65537 }, none = { 0, 0 };
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = 99, .index = 1, .pirq = 1 };
    struct physdev_unmap_pirq u = { DOMID_SELF, -1 };
    struct physdev_apic a = { 0x12345000, 1, 0 };

    family = "physdev_op";
    ASK("unknown", hypercall_physdev_op(99, gva(&q)));
    ASK("unmapped", hypercall_physdev_op(PHYSDEVOP_set_iopl, UNMAPPED));
    ASK("iopl 4", hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&four)));
    ASK("iopl 1", hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&one)));
    ASK("bitmap long", hypercall_physdev_op(PHYSDEVOP_set_iobitmap, gva(&big)));
    ASK("bitmap none", hypercall_physdev_op(PHYSDEVOP_set_iobitmap, gva(&none)));
    ASK("status 99999", hypercall_physdev_op(PHYSDEVOP_irq_status_query, gva(&q)));
    ASK("eoi 99999", hypercall_physdev_op(PHYSDEVOP_eoi, gva(&e)));
    ASK("map type", hypercall_physdev_op(PHYSDEVOP_map_pirq, gva(&m)));
    m.domid = NOBODY;
    ASK("map nobody", hypercall_physdev_op(PHYSDEVOP_map_pirq, gva(&m)));
    ASK("unmap -1", hypercall_physdev_op(PHYSDEVOP_unmap_pirq, gva(&u)));
    u.pirq = 200;
    ASK("unmap unmapped", hypercall_physdev_op(PHYSDEVOP_unmap_pirq, gva(&u)));
    ASK("apic nowhere", hypercall_physdev_op(PHYSDEVOP_apic_read, gva(&a)));
}

static struct xen_domctl ctl;
static long domctl(uint32_t cmd, uint16_t domain)
{
    ctl.cmd = cmd;
    ctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    ctl.domain = domain;
    return hypercall_domctl(gva(&ctl));
}

static void ask_domctl(void)
{
    family = "domctl";
    ASK("unmapped", hypercall_domctl(UNMAPPED));
    ctl.interface_version = 1;
    ASK("version", hypercall_domctl(gva(&ctl)));
    ASK("unknown", domctl(9999, 0));
    ASK("info", domctl(XEN_DOMCTL_getdomaininfo, 0));
    ASK("info: domain", ctl.u.getdomaininfo.domain);
    ASK("info past", domctl(XEN_DOMCTL_getdomaininfo, 5000));
    memset(&ctl.u, 0, sizeof(ctl.u));
    ASK("pause nobody", domctl(XEN_DOMCTL_pausedomain, NOBODY));
    ASK("pause oneself", domctl(XEN_DOMCTL_pausedomain, 0));
    ASK("unpause oneself", domctl(XEN_DOMCTL_unpausedomain, 0));
    ASK("destroy oneself", domctl(XEN_DOMCTL_destroydomain, 0));
    ASK("destroy nobody", domctl(XEN_DOMCTL_destroydomain, NOBODY));
    ASK("resume oneself", domctl(XEN_DOMCTL_resumedomain, 0));
    ASK("max_vcpus nobody", domctl(XEN_DOMCTL_max_vcpus, NOBODY));
    ctl.u.createdomain.max_vcpus = 0;
    ASK("create without vcpus", domctl(XEN_DOMCTL_createdomain, 0));
    ctl.u.createdomain.max_vcpus = 1;
    ctl.u.createdomain.flags = 1U << 20;
    ASK("create flags", domctl(XEN_DOMCTL_createdomain, 0));
    memset(&ctl.u, 0, sizeof(ctl.u));
    ctl.u.getvcpuinfo.vcpu = 0;
    ASK("vcpu info", domctl(XEN_DOMCTL_getvcpuinfo, 0));
    ASK("vcpu info: running", ctl.u.getvcpuinfo.running);
    ctl.u.getvcpuinfo.vcpu = 50;
    ASK("vcpu info 50", domctl(XEN_DOMCTL_getvcpuinfo, 0));
    ctl.u.vcpucontext.vcpu = 0;
    ASK("context of oneself", domctl(XEN_DOMCTL_getvcpucontext, 0));
    ctl.u.vcpuaffinity = (struct xen_domctl_vcpuaffinity){ .vcpu = 0, .flags = 0 };
    ASK("affinity nothing", domctl(XEN_DOMCTL_setvcpuaffinity, 0));
    ctl.u.vcpuaffinity.vcpu = 50;
    ASK("affinity vcpu 50", domctl(XEN_DOMCTL_setvcpuaffinity, 0));
    ctl.u.scheduler_op = (struct xen_domctl_scheduler_op){ .sched_id = 99, .cmd = XEN_DOMCTL_SCHEDOP_getinfo };
    ASK("scheduler 99", domctl(XEN_DOMCTL_scheduler_op, 0));
    ctl.u.getpageframeinfo3 = (struct xen_domctl_getpageframeinfo3){ 1025, gva(pool) };
    ASK("frames 1025", domctl(XEN_DOMCTL_getpageframeinfo3, NOBODY));
    ctl.u.address_size.size = 32;
    ASK("address size", domctl(XEN_DOMCTL_get_address_size, 0));
    ASK("address size is", ctl.u.address_size.size);
}

static struct xen_sysctl sys;
static long sysctl(uint32_t cmd)
{
    sys.cmd = cmd;
    sys.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hypercall_sysctl(gva(&sys));
}

static void ask_sysctl(void)
{
    static struct xen_platform_op p;

    family = "sysctl";
    ASK("unmapped", hypercall_sysctl(UNMAPPED));
    sys.interface_version = 1;
    ASK("version", hypercall_sysctl(gva(&sys)));
    ASK("unknown", sysctl(9999));
    ASK("physinfo", sysctl(XEN_SYSCTL_physinfo));
    ASK("physinfo: cpus", sys.u.physinfo.nr_cpus);
    memset(&sys.u, 0, sizeof(sys.u));
    sys.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){ 0, 4, gva(pool), 0 };
    ASK("domains", sysctl(XEN_SYSCTL_getdomaininfolist));
    ASK("domains: how many", sys.u.getdomaininfolist.num_domains);
    sys.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){ 0, 4, UNMAPPED, 0 };
    ASK("domains unmapped", sysctl(XEN_SYSCTL_getdomaininfolist));
    ASK("availheap", sysctl(XEN_SYSCTL_availheap));
    family = "platform_op";
    ASK("unmapped", hypercall_platform_op(UNMAPPED));
    ASK("version", hypercall_platform_op(gva(&p)));
    p.interface_version = XENPF_INTERFACE_VERSION;
    p.cmd = 9999;
    ASK("unknown", hypercall_platform_op(gva(&p)));
    p.cmd = XENPF_settime64;
    p.u.settime64 = (struct xenpf_settime64){ 1700000000, 0, 1, 0 };
    ASK("settime mbz", hypercall_platform_op(gva(&p)));
}

static void set_up_traps(void)
{
    static struct trap_info t[257];

    for (unsigned i = 0; i < 256; i++)
        t[i] = (struct trap_info){ i, 0, FLAT_KERNEL_CS, (uint64_t)trap_stubs + 16 * i };
    hypercall_set_trap_table(gva(t));
    hypercall_set_callbacks((uint64_t)event_entry, (uint64_t)failsafe_entry, (uint64_t)failsafe_entry);
}

void hostile_main(struct start_info *start);
void hostile_main(struct start_info *start)
{
    struct sched_shutdown off = { SHUTDOWN_reboot };       /* which Xen can do without dom0's ACPI */

    si = start;
    set_up_traps();
    ask_mmu_update();
    ask_va_mapping();
    ask_mmuext_op();
    ask_descriptors();
    ask_state();
    ask_debugregs();
    ask_reservation();
    ask_exchange();
    ask_memory_facts();
    ask_multicall();
    ask_version();
    ask_ports();
    ask_bindings();
    ask_interrupts();
    ask_sched();
    ask_vcpu();
    ask_grant_table();
    ask_grants();
    ask_physdev();
    ask_domctl();
    ask_sysctl();
    say("J end = 0");
    hypercall_sched_op(SCHEDOP_shutdown, gva(&off));
}
