/* SPDX-License-Identifier: MIT */
/* boot.c: from GRUB to the first domain, in order.                                                  [read 82]
 *
 * boot_main runs on the boot page tables and the boot stack, until there is memory to replace both; boot_go_on is
 * the rest. The last thing the boot pCPU does here is to become an idle vCPU.                                   */
#include "hypervisor/boot/boot.h"
#include "hypervisor/boot/options.h"
#include "hypervisor/boot/smp.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/core/misc.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/mm/memory_op.h"
#include "hypervisor/x86/acpi.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/desc.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/ioapic.h"
#include "hypervisor/x86/machine.h"
#include "hypervisor/x86/patch.h"
#include "hypervisor/x86/serial.h"
#include "hypervisor/x86/smpcall.h"
#include "hypervisor/x86/tsc.h"

#define MBI_MAX   65536
#define RAM       1              /* Multiboot2's memory types are the e820's */
#define LOW_END   (1UL << 20)
#define BOOT_REACH (4UL << 30)

static uint8_t mbi_copy[MBI_MAX] __attribute__((aligned(8)));   /* GRUB's own may lie where we will allocate */
static struct mb2_info boot_info;

/* ---- what GRUB said ---- */

static void unknown_option(const char *word)
{
    log_warn("'%s' on the boot line is not known, or its value cannot be; it is passed over", word);
}

static void nothing(const char *word) { }

/* Twice: the first pass finds the console, on which the second can complain. */
static void take_options(const char *line)
{
    options_parse(line, &boot_options, nothing);
    log_level_hv = boot_options.loglvl;
    log_level_guest = boot_options.guest_loglvl;
    serial_init_early(boot_options.console_port);
    machine_set_debug_exit(boot_options.debugexit);
    options_parse(line, &boot_options, unknown_option);
}

static void take_boot_information(uint32_t magic, uint64_t mbi_phys)
{
    uint32_t size = 0;

    if (magic == MB2_BOOT_MAGIC && mbi_phys < BOOT_REACH - MBI_MAX)
        size = *(uint32_t *)phys_to_virt(mbi_phys);
    if (size > MBI_MAX)
        size = MBI_MAX;
    if (size >= 8)
        memcpy(mbi_copy, phys_to_virt(mbi_phys), size);
    mb2_parse(mbi_copy, size, &boot_info);
    hypervisor_command_line = boot_info.cmdline;
    take_options(boot_info.cmdline);
    if (magic != MB2_BOOT_MAGIC)
        panic("not started by a Multiboot2 boot loader (magic 0x%x): use 'multiboot2' in GRUB", magic);
    if (boot_info.complaint)
        log_warn("boot loader: %s", boot_info.complaint);
    if (!boot_info.nr_ranges)
        panic("the boot loader gave no memory map");
}

/* ---- memory ---- */

static void keep_machine_map(void)
{
    for (uint32_t i = 0; i < boot_info.nr_ranges; i++) {
        const struct mb2_range *r = &boot_info.range[i];
        machine_map[i] = (struct e820_range){ r->addr, r->size, r->type };
    }
    machine_map_entries = boot_info.nr_ranges;
}

static uint64_t page_up(uint64_t a)   { return (a + PAGE_SIZE - 1) >> PAGE_SHIFT; }
static uint64_t page_down(uint64_t a) { return a >> PAGE_SHIFT; }

static void add_ram(void)
{
    for (uint32_t i = 0; i < boot_info.nr_ranges; i++) {
        const struct mb2_range *r = &boot_info.range[i];
        if (r->type == RAM && page_down(r->addr + r->size) > page_up(r->addr))
            heap_add_range(page_up(r->addr), page_down(r->addr + r->size));
    }
}

static bool in_ram(uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < boot_info.nr_ranges; i++) {
        const struct mb2_range *r = &boot_info.range[i];
        if (r->type == RAM && start >= r->addr && end <= r->addr + r->size)
            return true;
    }
    return false;
}

/* Modules must lie in RAM, above the low megabyte and off the image, or they are not what GRUB loads. */
static bool module_sane(const struct mb2_module *m)
{
    uint64_t image = IMAGE_PHYS, image_end = image_to_phys(__bss_end);

    return in_ram(m->start, m->end) && m->start >= LOW_END && (m->end <= image || m->start >= image_end);
}

static void reserve_used(void)
{
    heap_reserve_range(0, LOW_END >> PAGE_SHIFT);
    heap_reserve_range(IMAGE_PHYS >> PAGE_SHIFT, page_up(image_to_phys(__bss_end)));
    for (uint32_t i = 0; i < boot_info.nr_modules; i++) {
        struct mb2_module *m = &boot_info.module[i];
        if (!module_sane(m)) {
            log_warn("module %u does not lie in free RAM; it is not used", i);
            m->end = m->start;
        }
        heap_reserve_range(page_down(m->start), page_up(m->end));
    }
}

static void memory_init(void)
{
    keep_machine_map();
    add_ram();
    reserve_used();
    hypmap_init();
    heap_init();
}

/* ---- how it ends ---- */

static void panic_stop_others(void)
{
    for (uint32_t i = 0; i < nr_pcpus; i++)
        if (pcpus[i] && pcpus[i] != this_pcpu() && pcpus[i]->online)
            apic_send_nmi(pcpus[i]->apic_id);
}

#define PANIC_EXIT_CODE 0x7f

static void panic_end(void)
{
    machine_debug_exit(PANIC_EXIT_CODE);
    if (!boot_options.noreboot)
        machine_reboot();
}

/* ---- the two halves ---- */

static uint64_t ram_mib(void)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < boot_info.nr_ranges; i++)
        if (boot_info.range[i].type == RAM)
            bytes += boot_info.range[i].size;
    return (bytes + (1UL << 20) - 1) >> 20;      /* firmware keeps a little of the last one */
}

static void clocks_and_interrupts(struct pcpu *p)
{
    tsc_init();
    log_set_clock(now_ns);
    smpcall_init();
    ioapic_silence_8259();
    smp_init_this(p);
    ioapic_init();
    wallclock_init();
}

static __attribute__((noreturn)) void boot_go_on(void)
{
    struct pcpu *p = this_pcpu();

    desc_load(p);                                /* from here a fault of ours is caught and named */
    clocks_and_interrupts(p);
    patch_smap_sites();
    core_init();
    guest_init();
    sched_select(boot_options.sched);
    if (timer_init_pcpu(p) || sched_init_pcpu(p))
        panic("no memory for the boot CPU's scheduler");
    cpu_info()->curr = p->idle;
    smp_start_all(boot_options.maxcpus);
    tsc_check_warp();
    hypmap_seal();
    serial_init_irq(guestcons_receive);
    log_err("%u CPU%s, %lu MiB, %s build; guest interface: Xen 4.17 PV, 64-bit", nr_pcpus, nr_pcpus == 1 ? "" : "s",
            ram_mib(), DEBUG_BUILD ? "debug" : "release");
    build_domains(&boot_info);
    idle_loop();
}

/* Leaves the boot stack for the pCPU's own, whose end is its struct cpu_info. */
static __attribute__((noreturn)) void go_on_own_stack(struct cpu_info *info)
{
    __asm__ volatile("mov %0, %%rsp\n and $-16, %%rsp\n xor %%ebp, %%ebp\n call *%1\n ud2"
                     :: "r"(info), "r"(boot_go_on) : "memory");
    __builtin_unreachable();
}

void boot_main(uint32_t magic, uint64_t mbi_phys)
{
    static struct pcpu early;                    /* for lock ranks, until there is a real one */

    cpu_info()->pcpu = &early;
    take_boot_information(magic, mbi_phys);
    panic_set_ops(panic_stop_others, panic_end);
    cpu_detect();
    cpu_init_this();
    acpi_init(boot_info.rsdp_offset ? image_to_phys(mbi_copy) + boot_info.rsdp_offset : 0);
    memory_init();
    go_on_own_stack(smp_boot_pcpu_init()->info);
}
