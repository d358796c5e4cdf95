/* SPDX-License-Identifier: MIT */
/* boot.c: from the loader's tables to struct plat_boot.
 *
 * GRUB left a list of Multiboot2 tags: the memory map, our command line, the initrd as a module, ACPI's root pointer. We
 * take from them what kernel_main asks for, cut what is in use out of the free ranges, and start the parts of the PC in
 * order: page tables, descriptor tables, clock, serial port.                                                   */
#include "guest-kernel/native/cpu.h"

struct mb_tag { uint32_t type, size; };
struct mb_module { struct mb_tag tag; uint32_t start, end; };
struct mb_map { struct mb_tag tag; uint32_t entry_size, version; };
struct mb_entry { uint64_t base, length; uint32_t type, zero; };
enum { MB_END = 0, MB_CMDLINE = 1, MB_MODULE = 3, MB_MAP = 6, MB_ACPI_OLD = 14, MB_ACPI_NEW = 15 };

static struct plat_boot boot;
static char cmdline_copy[512];
bool native_debugexit;
uint16_t native_pm1a = 0x604;                       /* QEMU's q35, should ACPI say nothing */

extern char __kernel_end[];

/* Takes [start, end) out of the free ranges. */
static void range_cut(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < boot.ranges; i++) {
        struct plat_range *r = &boot.range[i];
        if (end <= r->start || start >= r->end)
            continue;
        if (start > r->start && end < r->end && boot.ranges < PLAT_RANGES) {
            for (unsigned j = boot.ranges++; j > i + 1; j--)
                boot.range[j] = boot.range[j - 1];
            boot.range[i + 1] = (struct plat_range){ end, r->end };
            r->end = start;
        } else if (start > r->start) {
            r->end = start;
        } else {
            r->start = MIN(end, r->end);
        }
    }
}

/* A page from the lowest range above 1 MiB; the first GiB is mapped from the start. */
void *boot_page(void)
{
    for (unsigned i = 0; i < boot.ranges; i++) {
        struct plat_range *r = &boot.range[i];
        if (r->start >= 256 && r->start < r->end)
            return memset(pfn_to_virt(r->start++), 0, PAGE_SIZE);
    }
    for (;;)
        __asm__ volatile("hlt");
}

static void take_map(const struct mb_map *map)
{
    const char *p = (const char *)(map + 1), *end = (const char *)map + map->tag.size;
    for (; p + sizeof(struct mb_entry) <= end; p += map->entry_size) {
        const struct mb_entry *e = (const struct mb_entry *)p;
        uint64_t start = (e->base + PAGE_SIZE - 1) >> PAGE_SHIFT, stop = (e->base + e->length) >> PAGE_SHIFT;
        if (e->type != 1 || stop <= start || boot.ranges == PLAT_RANGES || map->entry_size < sizeof(*e))
            continue;
        boot.range[boot.ranges++] = (struct plat_range){ start, stop };
        boot.max_pfn = MAX(boot.max_pfn, stop);
    }
}

/* ACPI: root pointer -> RSDT -> FADT ("FACP") -> PM1a control block. Tables below 1 GiB only: more is not mapped yet. */
static const uint8_t *acpi_table(uint64_t pa)
{
    return pa != 0 && pa < (1ul << 30) - 4096 ? (const uint8_t *)DIRECT_BASE + pa : 0;
}

static uint32_t u32_at(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }

static void take_acpi(const uint8_t *rsdp)
{
    const uint8_t *rsdt = acpi_table(u32_at(rsdp + 16));
    if (!rsdt || memcmp(rsdt, "RSDT", 4) != 0)
        return;
    uint32_t length = MIN(u32_at(rsdt + 4), 4096u);
    for (uint32_t at = 36; at + 4 <= length; at += 4) {
        const uint8_t *t = acpi_table(u32_at(rsdt + at));
        if (t && memcmp(t, "FACP", 4) == 0 && u32_at(t + 64) != 0)
            native_pm1a = u32_at(t + 64);
    }
}

/* GRUB passes the arguments without the file's name. */
static void take_tags(uint32_t info)
{
    const char *p = (const char *)DIRECT_BASE + info, *end = p + *(const uint32_t *)p;
    for (p += 8; p + sizeof(struct mb_tag) <= end;) {
        const struct mb_tag *t = (const struct mb_tag *)p;
        const struct mb_module *m = (const struct mb_module *)t;
        if (t->type == MB_END || t->size < sizeof(*t))
            break;
        if (t->type == MB_CMDLINE) {
            strlcpy(cmdline_copy, (const char *)(t + 1), sizeof(cmdline_copy));
        } else if (t->type == MB_MAP) {
            take_map((const struct mb_map *)t);
        } else if (t->type == MB_MODULE && !boot.initrd && m->end > m->start) {
            boot.initrd = (const char *)DIRECT_BASE + m->start;
            boot.initrd_size = m->end - m->start;
        } else if (t->type == MB_ACPI_OLD || t->type == MB_ACPI_NEW) {
            take_acpi((const uint8_t *)(t + 1));
        }
        p += ROUND_UP(t->size, 8u);
    }
}

static unsigned count_cpus(void)
{
    uint32_t r[4];
    cpuid(1, 0, r);
    return r[3] & 1 << 28 ? MAX(r[1] >> 16 & 0xff, 1u) : 1;
}

void native_boot(uint32_t info)
{
    take_tags(info);
    boot.platform = "native";
    boot.cmdline = cmdline_copy;
    boot.cpus = count_cpus();
    range_cut(0, 1);                                /* page 0 stays unused: null is null */
    range_cut(0x100, ((uintptr_t)__kernel_end - KERNEL_BASE) >> PAGE_SHIFT);
    if (boot.initrd)
        range_cut(virt_to_pfn(boot.initrd), virt_to_pfn((const char *)boot.initrd + boot.initrd_size + PAGE_SIZE - 1));
    mmu_boot(&boot);
    trap_boot();
    console_boot();
    timer_boot();
    kernel_main(&boot);
}
