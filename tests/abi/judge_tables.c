/* SPDX-License-Identifier: MIT */
/* judge_tables.c: page tables and descriptor tables. SPEC 5.5, 5.6. */
#include "tests/abi/judge.h"

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

void ask_page_tables(void)
{
    ask_mmu_update();
    ask_va_mapping();
    ask_mmuext_op();
    ask_descriptors();
}
