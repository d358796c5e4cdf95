/* SPDX-License-Identifier: MIT */
/* acpi.c: finds MCFG, which tells where PCI's configuration space lies in memory. (ACPI 6.4, 5.2.5 "Root System Description
 * Pointer"; PCI Firmware 3.2, 4.1.2.) The root pointer is looked for where a PC's firmware leaves it, between 0xe0000 and 1 MiB. */
#include "guest-kernel/drivers/acpi.h"
#include "guest-kernel/kernel/vm.h"

#define TABLE_MAX 4096u

/* Copies n bytes of the machine's memory from address; false: not to be had. */
static bool peek(uint64_t address, void *to, size_t n)
{
    uint64_t frames[2] = { address >> PAGE_SHIFT, (address >> PAGE_SHIFT) + 1 };
    unsigned offset = address & (PAGE_SIZE - 1), pages = offset + n > PAGE_SIZE ? 2 : 1;
    char *va = kmap_frames(frames, pages, PTE_NX);
    if (!va)
        return false;
    memcpy(to, va + offset, n);
    kmap_release(va, pages);
    return true;
}

static uint32_t u32_at(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static uint64_t u64_at(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }

static bool sums_to_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    return sum == 0;
}

static bool find_root(uint8_t rsdp[36])
{
    for (uint64_t page = 0xe0000; page < 0x100000; page += PAGE_SIZE) {
        uint64_t frame = page >> PAGE_SHIFT;
        const char *va = kmap_frames(&frame, 1, PTE_NX);
        bool found = false;
        for (unsigned at = 0; va && at + 36 <= PAGE_SIZE && !found; at += 16) {
            memcpy(rsdp, va + at, 36);
            found = memcmp(rsdp, "RSD PTR ", 8) == 0 && sums_to_zero(rsdp, 20);
        }
        if (va)
            kmap_release((void *)va, 1);
        if (found)
            return true;
    }
    return false;
}

/* A table's bytes, at most TABLE_MAX of them; its length, 0 if it is not what it should be. */
static uint32_t table_at(uint64_t address, const char *sign, uint8_t *to)
{
    if (!address || !peek(address, to, 36) || (sign && memcmp(to, sign, 4)))
        return 0;
    uint32_t length = MIN(u32_at(to + 4), TABLE_MAX);
    return length >= 36 && peek(address, to, length) ? length : 0;
}

static void take_mcfg(const uint8_t *t, uint32_t length, struct acpi_mcfg *m)
{
    for (uint32_t at = 44; at + 16 <= length; at += 16)
        if (t[at + 8] == 0 && t[at + 9] == 0 && !m->base)
            *m = (struct acpi_mcfg){ u64_at(t + at), t[at + 10], t[at + 11] };
}

void acpi_find_mcfg(struct acpi_mcfg *m)
{
    uint8_t rsdp[36], *root = kmalloc(2 * TABLE_MAX);
    *m = (struct acpi_mcfg){ 0, 0, 0 };
    if (!root)
        return;
    if (!find_root(rsdp)) {
        kfree(root);
        return;
    }
    uint8_t *table = root + TABLE_MAX;
    bool wide = rsdp[15] >= 2 && u64_at(rsdp + 24);
    uint32_t size = wide ? 8 : 4, length = table_at(wide ? u64_at(rsdp + 24) : u32_at(rsdp + 16), wide ? "XSDT" : "RSDT", root);
    for (uint32_t at = 36; at + size <= length && !m->base; at += size) {
        uint32_t n = table_at(wide ? u64_at(root + at) : u32_at(root + at), "MCFG", table);
        take_mcfg(table, n, m);
    }
    kfree(root);
}
