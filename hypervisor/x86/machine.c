/* SPDX-License-Identifier: MIT */
/* machine.c: switching the PC off, or starting it again.                                                [read 19]
 *
 * Every way is tried in turn, the proper one first: a machine that was asked to stop must not go on.  */
#include "hypervisor/x86/acpi.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/machine.h"

#define DEBUG_EXIT_PORT 0xf4
#define SLP_EN          (1U << 13)
#define QEMU_PM1A       0x604

static bool debug_exit;

void machine_set_debug_exit(bool on)
{
    debug_exit = on;
}

static void spin_a_while(void)
{
    for (unsigned i = 0; i < 1000000; i++)
        cpu_pause();
}

void machine_debug_exit(int code)
{
    if (debug_exit) {
        outb(DEBUG_EXIT_PORT, (uint8_t)code);
        spin_a_while();
    }
}

static __attribute__((noreturn)) void halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

void machine_exit(int code)
{
    cli();
    machine_debug_exit(code);
    if (acpi.s5_valid && acpi.pm1a_cnt) {
        outw(acpi.pm1a_cnt, (uint16_t)(acpi.s5_typ_a << 10 | SLP_EN));
        if (acpi.pm1b_cnt)
            outw(acpi.pm1b_cnt, (uint16_t)(acpi.s5_typ_b << 10 | SLP_EN));
        spin_a_while();
    }
    outw(QEMU_PM1A, SLP_EN);             /* should its tables have been unreadable */
    halt();
}

void machine_reboot(void)
{
    static const struct desc_ptr nothing;

    cli();
    if (acpi.reset_valid) {
        outb(acpi.reset_port, acpi.reset_value);
        spin_a_while();
    }
    outb(0xcf9, 2);
    outb(0xcf9, 6);
    spin_a_while();
    outb(0x64, 0xfe);                    /* the keyboard controller's reset line */
    spin_a_while();
    lidt(&nothing);                      /* a fault without an IDT resets the CPU */
    __asm__ volatile("int3");
    halt();
}
