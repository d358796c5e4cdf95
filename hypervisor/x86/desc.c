/* SPDX-License-Identifier: MIT */
/* desc.c: the tables that the CPU itself reads: GDT, IDT, TSS, and the stubs that syscall jumps to.     [read 8]
 *
 * One IDT for all pCPUs; interrupt gates only, so that the hypervisor is entered with interrupts off. #DF, NMI,
 * #MC and #DB have stacks of their own (pitfalls A1): a #DB held back by a guest's MOV SS arrives in ring 0 at
 * the first instruction of the syscall stub, with the guest's stack pointer still in rsp.
 *
 * syscall switches no stack and leaves no register to work with, so each pCPU has stubs of its own in one
 * executable page, near enough to its stack block to reach it relative to rip (pitfalls A2).                 */
#include "hypervisor/x86/desc.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/insn.h"

/* ---- the IDT ---- */

struct gate { uint16_t offset0, selector; uint8_t ist, type; uint16_t offset16; uint32_t offset32, zero; };
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, \"64-Bit Mode IDT\"");

#define GATE_INTERRUPT 0x8e            /* present, DPL 0, 64-bit interrupt gate */
#define GATE_DPL3      0x60

enum { IST_NONE, IST_DF, IST_NMI, IST_MC, IST_DB };

extern const uint64_t trap_entry_table[256];      /* guest/entry.S */
extern const char syscall_entry[], syscall32_entry[], sysenter_entry[];

static struct gate idt[256] __attribute__((aligned(4096)));

static uint8_t ist_of(unsigned vector)
{
    switch (vector) {
    case 1:  return IST_DB;
    case 2:  return IST_NMI;
    case 8:  return IST_DF;
    case 18: return IST_MC;
    default: return IST_NONE;
    }
}

/* Only INT3 and INTO may be raised by a guest directly: every other `int n` arrives as #GP with the vector in the
 * error code, and guest/trap.c bounces it if the guest's own trap table says so. */
static uint8_t gate_type(unsigned vector)
{
    return GATE_INTERRUPT | (vector == 3 || vector == 4 ? GATE_DPL3 : 0);
}

static void idt_fill(void)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t to = trap_entry_table[v];
        idt[v] = (struct gate){ .offset0 = (uint16_t)to, .selector = HV_CS, .ist = ist_of(v), .type = gate_type(v),
                                .offset16 = (uint16_t)(to >> 16), .offset32 = (uint32_t)(to >> 32) };
    }
}

/* ---- the TSS ---- */

struct tss {
    uint32_t pad0;
    uint64_t rsp[3], pad1, ist[7], pad2;
    uint16_t pad3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, \"Task Management in 64-bit Mode\"");

/* ---- descriptors ---- */

#define DESC_CODE64 0x00af9b000000ffffUL   /* present, accessed, 64-bit code */
#define DESC_CODE32 0x00cf9b000000ffffUL
#define DESC_DATA   0x00cf93000000ffffUL
#define DESC_DPL3   (3UL << 45)
#define SYS_TSS     0x9UL
#define SYS_LDT     0x2UL

static uint64_t *descriptor(const struct pcpu *p, uint16_t selector)
{
    return (uint64_t *)p->gdt + (selector - FIRST_HV_SELECTOR) / 8;
}

/* A 16-byte system descriptor. */
static void set_system(const struct pcpu *p, uint16_t selector, uint64_t type, uint64_t base, uint32_t limit)
{
    uint64_t *d = descriptor(p, selector);

    d[1] = base >> 32;
    d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (type | 0x80) << 40 | (uint64_t)(limit >> 16 & 0xf) << 48 |
           (base >> 24 & 0xff) << 56;
}

static void gdt_fill(const struct pcpu *p)
{
    *descriptor(p, HV_CS) = DESC_CODE64;
    *descriptor(p, HV_DS) = DESC_DATA;
    *descriptor(p, FLAT_RING3_CS32) = DESC_CODE32 | DESC_DPL3;
    *descriptor(p, FLAT_RING3_DS32) = DESC_DATA | DESC_DPL3;
    *descriptor(p, FLAT_RING3_CS64) = DESC_CODE64 | DESC_DPL3;
}

/* ---- the stack block ---- */

static uint64_t regs_end(const struct pcpu *p)
{
    return (uint64_t)(&p->info->regs + 1);
}

static void tss_fill(struct pcpu *p)
{
    uint64_t block = (uint64_t)(p->info + 1) - STACK_BLOCK;
    struct tss *t = p->tss;

    t->rsp[0] = regs_end(p);
    t->ist[IST_DF - 1] = block + 2 * PAGE_SIZE;
    t->ist[IST_NMI - 1] = block + 4 * PAGE_SIZE;
    t->ist[IST_MC - 1] = block + 6 * PAGE_SIZE;
    t->ist[IST_DB - 1] = block + 8 * PAGE_SIZE;
    t->iomap = sizeof(*t);             /* past the limit: no port is open to ring 3 */
}

/* ---- syscall stubs ---- */

#define STUB_SYSCALL   0
#define STUB_SYSCALL32 64
#define STUB_TARGETS   128             /* the addresses the stubs jump through */

/* Appends an opcode and a displacement from the next instruction to `target`. */
static uint8_t *emit_rel(uint8_t *at, const char *opcode, size_t n, uint64_t target, uint64_t va_delta)
{
    int64_t disp = (int64_t)(target - ((uint64_t)at + va_delta + n + 4));
    int32_t disp32 = (int32_t)disp;

    BUG_ON(disp != disp32);
    memcpy(at, opcode, n);
    memcpy(at + n, &disp32, 4);
    return at + n + 4;
}

/* mov %rsp, regs.rsp(%rip); lea regs.rsp(%rip), %rsp; jmp *target(%rip): the guest's rsp in its place, and ours at it. */
static void emit_stub(const struct pcpu *p, uint8_t *page, uint64_t va_delta, unsigned offset, unsigned slot, const char *to)
{
    uint8_t *at = page + offset;
    uint64_t *target = (uint64_t *)(page + STUB_TARGETS) + slot;

    *target = (uint64_t)to;
    at = emit_rel(at, "\x48\x89\x25", 3, (uint64_t)&p->info->regs.rsp, va_delta);
    at = emit_rel(at, "\x48\x8d\x25", 3, (uint64_t)&p->info->regs.rsp, va_delta);
    emit_rel(at, "\xff\x25", 2, (uint64_t)target + va_delta, va_delta);
}

static int stubs_make(struct pcpu *p)
{
    uint8_t *page = heap_alloc(0);
    uint64_t va_delta;

    if (!page)
        return -XEN_ENOMEM;
    memset(page, 0xcc, PAGE_SIZE);
    p->exec_page = hypmap_exec_page(virt_to_mfn(page));
    if (!p->exec_page)
        return -XEN_ENOMEM;
    va_delta = (uint64_t)p->exec_page - (uint64_t)page;
    emit_stub(p, page, va_delta, STUB_SYSCALL, 0, syscall_entry);
    emit_stub(p, page, va_delta, STUB_SYSCALL32, 1, syscall32_entry);
    hypmap_seal_frame(virt_to_mfn(page));
    return 0;
}

int desc_alloc(struct pcpu *p)
{
    uint8_t *block = hypmap_stack_block();

    p->gdt = heap_alloc(0);
    p->tss = heap_alloc(0);
    if (!block || !p->gdt || !p->tss)
        return -XEN_ENOMEM;
    p->info = (struct cpu_info *)(block + STACK_BLOCK) - 1;
    p->info->pcpu = p;
    tss_fill(p);
    gdt_fill(p);
    return stubs_make(p);
}

/* ---- loading ---- */

static void reload_segments(void)
{
    __asm__ volatile("pushq %0\n lea 1f(%%rip), %%rax\n push %%rax\n lretq\n1:"
                     :: "i"(HV_CS) : "rax", "memory");
    __asm__ volatile("mov %0, %%ss" :: "r"(HV_DS));
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" :: "r"(0));
}

#define SYSCALL_MASK (FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_AC)
#define MSR_SYSENTER_CS  0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176

static void load_syscall_msrs(const struct pcpu *p)
{
    wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)HV_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)p->exec_page + STUB_SYSCALL);
    wrmsr(MSR_CSTAR, (uint64_t)p->exec_page + STUB_SYSCALL32);
    wrmsr(MSR_FMASK, SYSCALL_MASK);
    wrmsr(MSR_SYSENTER_CS, HV_CS);
    wrmsr(MSR_SYSENTER_ESP, regs_end(p));
    wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
}

void desc_load(struct pcpu *p)
{
    struct desc_ptr idtr = { sizeof(idt) - 1, (uint64_t)idt };

    if (!idt[0].type)
        idt_fill();
    desc_use_own(p);
    reload_segments();
    set_system(p, HV_TSS, SYS_TSS, (uint64_t)p->tss, sizeof(struct tss) - 1);   /* not busy, or ltr faults */
    ltr(HV_TSS);
    lldt(0);
    lidt(&idtr);
    load_syscall_msrs(p);
}

uint64_t desc_hv_gdt_mfn(const struct pcpu *p)
{
    return virt_to_mfn(p->gdt).raw;
}

#define GDT_LIMIT (FIRST_HV_SELECTOR + PAGE_SIZE - 1)

void desc_use_window(uint64_t window_va)
{
    struct desc_ptr gdtr = { GDT_LIMIT, window_va };

    lgdt(&gdtr);
}

/* The own GDT is just the hypervisor's page, addressed so that its selectors fit. Nothing loads a lower one here. */
void desc_use_own(struct pcpu *p)
{
    struct desc_ptr gdtr = { GDT_LIMIT, (uint64_t)p->gdt - FIRST_HV_SELECTOR };

    lgdt(&gdtr);
}

void desc_load_ldt(struct pcpu *p, uint64_t va, uint32_t entries)
{
    if (!entries) {
        lldt(0);
        return;
    }
    set_system(p, HV_LDT, SYS_LDT, va, entries * 8 - 1);
    lldt(HV_LDT);
}
