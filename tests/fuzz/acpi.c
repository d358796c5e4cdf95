/* SPDX-License-Identifier: MIT */
/* acpi.c: tables of a wild BIOS, read by the hypervisor's boot.
 *
 * The input is a row of tables; the target gives them their places in 4 GiB of physical memory, and right checksums (a fuzzer does not find
 * those). Around each table memory is poisoned, and behind the 4 GiB that the boot page tables reach there is nothing at all. */
#include "hypervisor/x86/acpi.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "hypervisor/lib/print.h"
#include "tests/fuzz/fuzz.h"

#define REACH  (4ul << 30)
#define PLACE  0x100000ul                     /* the tables', 64 KiB each */
#define TABLES 12u

uint64_t fuzz_memory;

void log_at(enum log_level level, const char *fmt, ...) { (void)level; (void)fmt; }

static uint8_t *at(uint64_t pa) { return (uint8_t *)fuzz_memory + pa; }

static void put(uint64_t pa, uint64_t v, unsigned n) { memcpy(at(pa), &v, n); }

static void right_sum(uint64_t pa, uint32_t n, uint32_t where)
{
    uint8_t sum = 0;

    *at(pa + where) = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += *at(pa + i);
    *at(pa + where) = (uint8_t)-sum;
}

/* One table from the input. Its length may be more than what there is of it, up to what is mapped here. */
static void place(struct fuzz_input *in, unsigned slot)
{
    static const char names[][5] = { "APIC", "FACP", "HPET", "MCFG", "RSDT", "XSDT", "DSDT", "WILD" };
    uint64_t pa = PLACE + 0x10000 * slot;
    uint8_t kind = (uint8_t)fuzz_take(in, 1);
    uint32_t n = (uint32_t)fuzz_take(in, 2) & 0x3ff, length;
    size_t got;
    const uint8_t *body = fuzz_bytes(in, n, &got);

    length = 36 + (uint32_t)got + (kind & 8 ? 0x100 : 0);
    ASAN_UNPOISON_MEMORY_REGION(at(pa), length < 48 ? 48 : length);
    memset(at(pa), 0, length < 48 ? 48 : length);
    memcpy(at(pa), names[kind & 7], 4);
    memcpy(at(pa + 36), body, got);
    put(pa + 4, kind & 16 ? 35u + (kind >> 5) : length, 4);
    if ((kind & 7) == 1 && length >= 44)                        /* its DSDT is the next one, or where no table is */
        put(pa + 40, kind & 32 ? kind & 64 ? 0xfffffff0 : 0x10000003 : PLACE + 0x10000 * (slot + 1), 4);
    right_sum(pa, length, 9);
}

static void root(uint64_t pa, unsigned tables, uint8_t how)
{
    unsigned width = how & 1 ? 8 : 4;
    uint64_t list = 0x80000;

    ASAN_UNPOISON_MEMORY_REGION(at(list), 36 + tables * width);
    memset(at(list), 0, 36 + tables * width);
    memcpy(at(list), how & 1 ? "XSDT" : "RSDT", 4);
    put(list + 4, 36 + tables * width, 4);
    for (unsigned i = 0; i < tables; i++)
        put(list + 36 + i * width, how & 2 && i == 0 ? ~0ul << (how >> 4) : PLACE + 0x10000 * i, width);
    right_sum(list, 36 + tables * width, 9);
    memset(at(pa), 0, 36);
    memcpy(at(pa), "RSD PTR ", 8);
    *at(pa + 15) = how & 4 ? 2 : 0;
    put(pa + 16, list, 4);
    put(pa + 24, list, 8);
    right_sum(pa, 20, 8);
    right_sum(pa, 36, 32);
}

static void begin(void)
{
    if (!fuzz_memory) {
        void *all = mmap(NULL, REACH + 0x200000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (all == MAP_FAILED || mprotect(all, REACH, PROT_READ | PROT_WRITE))
            abort();
        fuzz_memory = (uint64_t)all;
    }
    ASAN_UNPOISON_MEMORY_REGION(at(PLACE), 0x10000 * (TABLES + 2));
    for (uint64_t pa = PLACE; pa < PLACE + 0x10000 * (TABLES + 2); pa += 0x10000) {
        memset(at(pa), 0, 36);                       /* no table: a length of 0 */
        ASAN_POISON_MEMORY_REGION(at(pa + 36), 0x10000 - 36);
    }
    ASAN_POISON_MEMORY_REGION(at(0x80000), 0x1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t how = (uint8_t)fuzz_take(&in, 1);
    uint64_t rsdp = how & 8 ? 0xe0000 + (fuzz_take(&in, 2) & 0xfff0) : 0xf0000;
    unsigned n = 0;

    begin();
    memset(&acpi, 0, sizeof(acpi));
    memset(at(0xe0000), 0, 0x20000);
    while (in.left && n < TABLES)
        place(&in, n++);
    root(rsdp, n, how);
    acpi_init(how & 8 ? 0 : how == 0xf4 ? REACH - 64 : rsdp);
    FUZZ_CHECK(acpi.nr_cpus <= 64 && acpi.nr_ioapics <= 8 && acpi.nr_overrides <= 16);
    for (uint32_t i = 0; i < acpi.nr_overrides; i++)
        FUZZ_CHECK(acpi.override[i].irq < 16);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint8_t madt[] = { 0, 60, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0, 0, 8, 0, 0, 1, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, 2, 10, 0, 9, 9, 0, 0, 0, 13, 0,
        9, 16, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 12, 0, 0, 0, 0, 0xe0, 0xfe };
    static const uint8_t dsdt[] = { 6, 30, 0, 8, '_', 'S', '5', '_', 0x12, 6, 4, 10, 5, 10, 5, 0, 0, 8, '_', 'S', '5', '_', 0x12, 0x46, 0, 1, 0xff };
    size_t at = 1;

    (void)room;
    if (n >= 8)
        return 0;
    data[0] = (uint8_t)(n & 3) | (n & 4 ? 8 : 4);
    at += n & 4 ? 2 : 0;
    memcpy(data + at, madt, sizeof(madt));
    at += sizeof(madt);
    data[at] = 1;
    data[at + 1] = 120;
    data[at + 3 + 113 - 36] = 4;
    data[at + 3 + 116 - 36] = 1;
    data[at + 3 + 120 - 36] = 0xf9;
    at += 123;
    memcpy(data + at, dsdt, sizeof(dsdt));
    at += sizeof(dsdt);
    data[at] = 2;
    data[at + 1] = 20;
    data[at + 23] = 3;
    data[at + 24] = 24;
    return at + 50;
}
