/* SPDX-License-Identifier: MIT */
/* trap.c: descriptor tables, and which interrupt it was.
 *
 * The 64 gates lead to trap.S, the syscall instruction too. Double fault, NMI and machine check get stacks of their own
 * (IST), so that they find one whatever went wrong. The 8259s are moved out of the exceptions' way and masked: the local
 * APIC has the timer (timer.c), and the I/O APIC brings the serial port's line.                                 */
#include "guest-kernel/native/cpu.h"

struct gate { uint16_t low; uint16_t cs; uint8_t ist, type; uint16_t mid; uint32_t high, zero; };
struct tss { uint32_t zero; uint64_t rsp[3], zero2, ist[7], zero3; uint16_t zero4, iomap; } __attribute__((packed));
struct table_register { uint16_t limit; uint64_t base; } __attribute__((packed));

static struct gate idt[VECTORS] __attribute__((aligned(16)));
static struct tss tss __attribute__((aligned(128)));
static uint64_t gdt[7] = { 0, 0x00209a0000000000, 0x0000920000000000, 0x0000f20000000000, 0x0020fa0000000000, 0, 0 };
static uint8_t fault_stack[2][PAGE_SIZE] __attribute__((aligned(16)));
static uintptr_t fault_va;
static uintptr_t fs_base_now;
uint64_t native_timer_count, native_serial_count;

extern char trap_stubs[], syscall_entry[];
extern uintptr_t trap_stack_top;
void trap_entry(struct trapframe *tf);
void mmu_load(struct plat_space *s);

uintptr_t plat_fault_address(void) { return fault_va; }

void plat_frame_user(struct trapframe *tf, uintptr_t rip, uintptr_t rsp)
{
    *tf = (struct trapframe){ .vector = TRAP_INTERRUPT, .rip = rip, .rsp = rsp, .cs = USER_CS, .ss = USER_SS,
                              .rflags = RFLAGS_IF | 2 };
}

void plat_interrupt(struct trapframe *tf)
{
    switch (tf->error) {
    case VECTOR_TIMER:
        timer_eoi();
        native_timer_count++;
        timer_interrupt();
        break;
    case VECTOR_SERIAL:
        timer_eoi();
        native_serial_count++;
        console_interrupt();
        break;
    default:                                        /* spurious: no EOI */
        if (tf->error >= VECTOR_DEVICE && tf->error < VECTOR_DEVICE + VECTOR_DEVICES)
            irq_interrupt((int)tf->error - VECTOR_DEVICE);
        break;
    }
}

/* From trap.S, for all but system calls. */
void trap_entry(struct trapframe *tf)
{
    if (tf->vector == 14)
        fault_va = read_cr2();
    plat_user_close();                              /* a fault inside user_copy leaves the window open */
    if (tf->vector >= 32) {
        tf->error = tf->vector;
        tf->vector = TRAP_INTERRUPT;
    }
    trap(tf);
}

void plat_context_load(const struct plat_context *c)
{
    trap_stack_top = tss.rsp[0] = c->stack_top;
    if (c->space)
        mmu_load(c->space);
    if (c->fs_base != fs_base_now)
        plat_fs_base(c->fs_base);
}

void plat_fs_base(uintptr_t base)
{
    fs_base_now = base;
    wrmsr(MSR_FSBASE, base);
}

static void set_gate(unsigned v, unsigned ist)
{
    uintptr_t at = (uintptr_t)trap_stubs + 16 * v;
    uint8_t type = v == 3 ? 0xee : 0x8e;            /* int3 is anybody's */
    idt[v] = (struct gate){ .low = at, .mid = at >> 16, .high = at >> 32, .cs = KERNEL_CS, .ist = ist, .type = type };
}

static void tables_load(void)
{
    struct table_register gdtr = { sizeof(gdt) - 1, (uintptr_t)gdt }, idtr = { sizeof(idt) - 1, (uintptr_t)idt };
    uintptr_t t = (uintptr_t)&tss;
    gdt[5] = (sizeof(tss) - 1) | (t & 0xffffff) << 16 | 0x89ul << 40 | (t >> 24 & 0xff) << 56;
    gdt[6] = t >> 32;
    tss.iomap = sizeof(tss);
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2; mov %w3, %%ss" :: "m"(gdtr), "m"(idtr), "r"(0x28), "r"(KERNEL_SS) : "memory");
}

static void pic_off(void)
{
    static const uint8_t init[][2] = { { 0x11, 0x11 }, { 0x20, 0x28 }, { 4, 2 }, { 1, 1 }, { 0xff, 0xff } };
    for (unsigned i = 0; i < ARRAY_SIZE(init); i++) {
        outb(i ? 0x21 : 0x20, init[i][0]);
        outb(i ? 0xa1 : 0xa0, init[i][1]);
    }
}

void trap_boot(void)
{
    for (unsigned v = 0; v < VECTORS; v++)
        set_gate(v, v == 8 || v == 18 ? 1 : v == 2 ? 2 : 0);
    for (unsigned i = 0; i < 2; i++)
        tss.ist[i] = (uintptr_t)fault_stack[i] + PAGE_SIZE;
    tables_load();
    pic_off();
    wrmsr(MSR_STAR, (uint64_t)(USER_SS - 8) << 48 | (uint64_t)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uintptr_t)syscall_entry);
    wrmsr(MSR_SFMASK, 0x47700);                     /* TF IF DF IOPL NT AC */
}
