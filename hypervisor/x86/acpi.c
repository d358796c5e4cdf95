/* SPDX-License-Identifier: MIT */
/* acpi.c: which pCPUs, IO-APICs and clocks there are, by the firmware's tables.                         [read 9]
 *
 * Runs on the boot page tables, through which every table below 4 GiB can be read. Firmware is not hostile but often
 * wrong: every table's length and checksum is looked at, entries end where the table ends, and a bad table is named
 * and passed over. Power-off values come from the bytes of the _S5 package, the one piece of AML that can be read
 * without an interpreter.                                                                                       */
#include "hypervisor/x86/acpi.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/insn.h"

struct acpi_info acpi;

struct sdt {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

#define REACH     (4UL << 30)            /* the boot page tables end here */
#define SDT_LIMIT (1UL << 20)            /* no table that we read is larger */

static bool checksum_ok(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t sum = 0;

    while (n--)
        sum += *b++;
    return !sum;
}

/* Little-endian values at odd places. */
static uint16_t get16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static uint32_t get32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static uint64_t get64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }

/* A table whose header and checksum are good, or NULL. */
static const struct sdt *table_at(uint64_t pa)
{
    const struct sdt *t;

    if (!pa || pa > REACH - SDT_LIMIT)
        return NULL;
    t = phys_to_virt(pa);
    if (t->length < sizeof(*t) || t->length > SDT_LIMIT || !checksum_ok(t, t->length)) {
        log_warn("ACPI: the table at 0x%lx is damaged and not used", pa);
        return NULL;
    }
    return t;
}

/* ---- MADT ---- */

static void add_cpu(uint32_t id, uint32_t flags)
{
    if (!(flags & 1))                    /* not enabled */
        return;
    if (acpi.nr_cpus == 64) {
        log_warn("ACPI: more than 64 CPUs, the rest stays off");
        return;
    }
    for (uint32_t i = 0; i < acpi.nr_cpus; i++)
        if (acpi.apic_ids[i] == id)
            return;
    acpi.apic_ids[acpi.nr_cpus++] = id;
}

static void add_ioapic(const uint8_t *e)
{
    uint32_t n = acpi.nr_ioapics;

    if (n == 8)
        return;
    acpi.ioapic[n].base = get32(e + 4);
    acpi.ioapic[n].gsi_base = get32(e + 8);
    acpi.nr_ioapics++;
}

static void add_override(const uint8_t *e)
{
    uint32_t n = acpi.nr_overrides;

    if (n == 16 || e[3] > 15)
        return;
    acpi.override[n].irq = e[3];
    acpi.override[n].gsi = get32(e + 4);
    acpi.override[n].flags = get16(e + 8);
    acpi.nr_overrides++;
}

static void madt_entry(const uint8_t *e, unsigned len)
{
    switch (e[0]) {
    case 0:
        if (len >= 8)
            add_cpu(e[3], get32(e + 4));
        break;
    case 1:
        if (len >= 12)
            add_ioapic(e);
        break;
    case 2:
        if (len >= 10)
            add_override(e);
        break;
    case 5:
        if (len >= 12)
            acpi.lapic_base = get64(e + 4);
        break;
    case 9:
        if (len >= 16)
            add_cpu(get32(e + 4), get32(e + 8));
        break;
    }
}

static void parse_madt(const struct sdt *t)
{
    const uint8_t *b = (const uint8_t *)t;

    if (t->length < 44)
        return;
    acpi.lapic_base = get32(b + 36);
    for (uint32_t off = 44; off + 2 <= t->length;) {
        unsigned len = b[off + 1];
        if (len < 2 || len > t->length - off)
            break;
        madt_entry(b + off, len);
        off += len;
    }
}

/* ---- FADT, and _S5 in the DSDT ---- */

/* An AML integer of one byte, with or without its prefix. */
static uint8_t aml_byte(const uint8_t **p)
{
    if (**p == 0x0a)
        (*p)++;
    return *(*p)++;
}

/* "_S5_" is followed by a package: 0x12, its length in 1 to 4 bytes, its number of elements, the elements. */
static void find_s5(const struct sdt *dsdt)
{
    const uint8_t *b = (const uint8_t *)dsdt, *end = b + dsdt->length - 16;

    for (const uint8_t *p = b + sizeof(*dsdt); p < end; p++) {
        if (memcmp(p, "_S5_", 4) || p[4] != 0x12)
            continue;
        p += 5;
        p += (*p >> 6) + 2;
        acpi.s5_typ_a = aml_byte(&p);
        acpi.s5_typ_b = aml_byte(&p);
        acpi.s5_valid = true;
        return;
    }
}

#define FADT_RESET_SUPPORTED (1U << 10)

static void parse_fadt(const struct sdt *t)
{
    const uint8_t *b = (const uint8_t *)t;
    const struct sdt *dsdt;

    if (t->length < 116)
        return;
    acpi.pm1a_cnt = (uint16_t)get32(b + 64);
    acpi.pm1b_cnt = (uint16_t)get32(b + 68);
    acpi.pm_timer_port = (uint16_t)get32(b + 76);
    if (t->length >= 129 && (get32(b + 112) & FADT_RESET_SUPPORTED) && b[116] == 1) {
        acpi.reset_port = (uint16_t)get64(b + 120);
        acpi.reset_value = b[128];
        acpi.reset_valid = acpi.reset_port != 0;
    }
    dsdt = table_at(get32(b + 40));
    if (dsdt && dsdt->length > sizeof(*dsdt) + 16)
        find_s5(dsdt);
}

/* ---- HPET ---- */

static void parse_hpet(const struct sdt *t)
{
    const uint8_t *b = (const uint8_t *)t;

    if (t->length >= 56 && b[40] == 0)   /* in memory */
        acpi.hpet_base = get64(b + 44);
}

/* ---- the roots ---- */

static void parse_table(uint64_t pa)
{
    static const struct { char name[5]; void (*parse)(const struct sdt *t); } known[] = {
        { "APIC", parse_madt }, { "FACP", parse_fadt }, { "HPET", parse_hpet },
    };
    const struct sdt *t = table_at(pa);

    for (size_t i = 0; t && i < sizeof(known) / sizeof(known[0]); i++)
        if (!memcmp(t->signature, known[i].name, 4))
            known[i].parse(t);
}

static void parse_root(const struct sdt *root)
{
    unsigned width = root->signature[0] == 'X' ? 8 : 4;
    const uint8_t *b = (const uint8_t *)root;

    for (uint32_t off = sizeof(*root); off + width <= root->length; off += width)
        parse_table(width == 8 ? get64(b + off) : get32(b + off));
}

static uint64_t scan(uint64_t from, uint64_t to)
{
    for (uint64_t pa = from; pa < to; pa += 16)
        if (!memcmp(phys_to_virt(pa), "RSD PTR ", 8) && checksum_ok(phys_to_virt(pa), 20))
            return pa;
    return 0;
}

static uint64_t find_rsdp(void)
{
    uint64_t ebda = (uint64_t)get16(phys_to_virt(0x40e)) << 4;
    uint64_t found = ebda >= 0x80000 && ebda < 0xa0000 ? scan(ebda, ebda + 1024) : 0;

    return found ? found : scan(0xe0000, 0x100000);
}

static const struct sdt *root_of(uint64_t rsdp)
{
    const uint8_t *b = phys_to_virt(rsdp);
    const struct sdt *root = NULL;

    if (rsdp > REACH - 64 || memcmp(b, "RSD PTR ", 8) || !checksum_ok(b, 20))
        return NULL;
    if (b[15] >= 2 && checksum_ok(b, 36))
        root = table_at(get64(b + 24));
    return root ? root : table_at(get32(b + 16));
}

void acpi_init(uint64_t rsdp)
{
    const struct sdt *root;

    if (!rsdp)
        rsdp = find_rsdp();
    acpi.lapic_base = 0xfee00000;
    root = rsdp ? root_of(rsdp) : NULL;
    if (root)
        parse_root(root);
    else
        log_warn("ACPI: no tables found; one CPU and no interrupt lines");
}
