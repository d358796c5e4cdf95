/* SPDX-License-Identifier: MIT */
/* power.c: waiting, and the ways to end. */
#include "guest-kernel/native/cpu.h"

void plat_irq_window(void)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
}

/* sti holds interrupts off for one more instruction, so none comes between it and hlt. */
void plat_idle(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static void __attribute__((noreturn)) stop(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* QEMU's isa-debug-exit at 0xf4 ends it with 2 * code + 1. */
void plat_poweroff(int code)
{
    if (cmdline_word("debugexit"))
        outl(0xf4, code);
    outw(native_pm1a, 0x2000);                      /* SLP_EN, S5 as QEMU and most firmware number it */
    stop();
}

/* The keyboard controller's reset line, then the PCI one. */
void plat_reboot(void)
{
    outb(0x64, 0xfe);
    outb(0xcf9, 6);
    stop();
}

void plat_crash(void)
{
    if (cmdline_word("debugexit"))
        outl(0xf4, 0x7f);
    stop();
}

unsigned plat_cpu_id(void) { return 0; }            /* the others were never started */

void plat_devices(void) { }                         /* the PC's devices have no drivers yet */
