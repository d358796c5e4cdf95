/* SPDX-License-Identifier: MIT */
/* Claim: the walk over the bus meets each function once, behind whatever bridges the firmware (or a device that plays a bridge) describes:
 * chains, two bridges that name one bus, a bridge that names its own; capability lists that run in circles end; a BAR's size is read without
 * leaving it changed. A failure would mean a boot that takes for ever, or a device with two drivers. The bus is played by this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-kernel/drivers/acpi.h"
#include "guest-kernel/drivers/drivers.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/vm.h"

void *calloc(size_t n, size_t size);
void free(void *p);
int vsnprintf(char *s, size_t n, const char *f, va_list ap);

/* ---- the bus -------------------------------------------------------------------------------------- */

static struct function { bool there; uint8_t reg[256]; uint64_t bar_mask[6]; } functions[1 << 16];
static uint32_t address;
static unsigned accesses;

static void write_bar(struct function *f, unsigned bar, uint32_t v)
{
    uint32_t keep = (uint32_t)f->bar_mask[bar], old;
    memcpy(&old, f->reg + 0x10 + 4 * bar, 4);
    v = (v & keep) | (old & ~keep & 0xf);
    memcpy(f->reg + 0x10 + 4 * bar, &v, 4);
}

void plat_out(unsigned port, unsigned size, uint32_t v)
{
    struct function *f = &functions[address >> 8 & 0xffff];
    unsigned at = (address & 0xfc) + (port & 3);
    accesses++;
    if (port == 0xcf8)
        address = v;
    else if (f->there && at >= 0x10 && at < 0x28)
        write_bar(f, (at - 0x10) / 4, v);
    else if (f->there)
        memcpy(f->reg + at, &v, size);
}

uint32_t plat_in(unsigned port, unsigned size)
{
    const struct function *f = &functions[address >> 8 & 0xffff];
    uint32_t v = ~0u;
    accesses++;
    if (f->there)
        memcpy(&v, f->reg + (address & 0xfc) + (port & 3), size);
    return size == 4 ? v : v & ((1u << 8 * size) - 1);
}

static struct function *put(unsigned bus, unsigned slot, unsigned fn, uint16_t device)
{
    struct function *f = &functions[bus << 8 | slot << 3 | fn];
    *f = (struct function){ .there = true };
    f->reg[0] = 0x34, f->reg[1] = 0x12;
    memcpy(f->reg + 2, &device, 2);
    return f;
}

static struct function *put_bridge(unsigned bus, unsigned slot, unsigned below)
{
    struct function *f = put(bus, slot, 0, 0xb1d6);
    f->reg[0x0e] = 1;
    f->reg[0x0a] = 0x04, f->reg[0x0b] = 0x06;
    f->reg[0x19] = (uint8_t)below;
    return f;
}

/* ---- what the walk needs besides -------------------------------------------------------------------- */

bool plat_has_pci(void) { return true; }
void acpi_find_mcfg(struct acpi_mcfg *m) { }
void pci_irq_boot(void) { }
struct pci_bar pci_msix_table(struct pci_dev *d) { return (struct pci_bar){ 0, 0 }; }
void *kmalloc(size_t n) { return calloc(1, n); }
void *kmap_frames(const uint64_t *frames, size_t n, uint64_t bits) { return 0; }
void *kmap_reserve(size_t n) { return 0; }
uint64_t *kmap_slot(const void *va) { return 0; }
void plat_batch_begin(void) { }
void plat_batch_end(void) { }
void plat_pte_write(struct plat_space *s, int level, pte_t *slot, pte_t val) { }
uint64_t plat_pte_make_frame(uint64_t frame, uint64_t bits) { return 0; }
struct plat_space plat_kernel_space;

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    return (size_t)ksnprintf(to, size, "%s", from);
}

static unsigned probed;
static int probe(struct pci_dev *d) { probed++; return 0; }
static const struct pci_id ours[] = { { .vendor = 0x1234, .device = 0x0001 }, { 0 } }, nobodys[] = { { 0 } };
const struct pci_driver nvme_driver = { "nvme", ours, probe }, e1000e_driver = { "e1000e", nobodys, probe }, edu_driver = { "edu", nobodys, probe };

static unsigned met(uint16_t bdf)
{
    unsigned n = 0;
    list_for (d, &all_pci_devs, struct pci_dev, link)
        n += d->bdf == bdf;
    return n;
}

static unsigned total(void)
{
    unsigned n = 0;
    list_for (d, &all_pci_devs, struct pci_dev, link)
        n++;
    return n;
}

/* ---- tests ------------------------------------------------------------------------------------------ */

/* Eight bridges in each of eight buses, all of a bus naming the next: 8^8 ways lead to the last. */
static void each_once(void **state)
{
    for (unsigned bus = 0; bus < 8; bus++)
        for (unsigned slot = 0; slot < 8; slot++)
            put_bridge(bus, slot, bus + 1);
    put(8, 3, 0, 0x0001);
    put_bridge(0, 20, 0);                            /* its own bus, and one that was walked */
    put_bridge(4, 20, 2);
    struct function *f = put(0, 30, 0, 0x0002);
    f->reg[6] = 0x10, f->reg[0x34] = 0x40;           /* capabilities in a circle, MSI among them */
    f->reg[0x40] = 0x09, f->reg[0x41] = 0x50, f->reg[0x50] = 0x05, f->reg[0x51] = 0x40;
    put(0, 31, 0, 0x0003)->reg[0x0e] = 0x80;
    put(0, 31, 7, 0x0004);
    put(0, 29, 0, 0x0005);
    put(0, 29, 1, 0x0006);                           /* function 0 says that it is alone */
    pci_boot();
    assert_int_equal(met(8 << 8 | 3 << 3), 1);
    assert_int_equal(probed, 1);
    assert_int_equal(met(31 << 3 | 7), 1);
    assert_int_equal(met(29 << 3 | 1), 0);
    assert_int_equal(total(), 64 + 1 + 2 + 1 + 2 + 1);
    assert_true(accesses < 20000);
}

static struct pci_dev *dev(uint16_t bdf)
{
    list_for (d, &all_pci_devs, struct pci_dev, link)
        if (d->bdf == bdf)
            return d;
    return 0;
}

static void capabilities(void **state)
{
    assert_int_equal(dev(30 << 3)->msi_cap, 0x50);
    assert_int_equal(dev(30 << 3)->msix_cap, 0);
    assert_ptr_equal(dev(8 << 8 | 3 << 3)->bridge->bridge, dev(6 << 8));
}

static void bars(void **state)
{
    struct function *f = &functions[8 << 8 | 3 << 3];
    static const uint64_t sizes[] = { 16, 4096, 1ul << 20, 1ul << 31 };
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint64_t mask = -sizes[i], where = 0x7ul << 32 | (0xfe000000u & mask);
        uint8_t before[256];
        f->bar_mask[0] = (uint32_t)mask, f->bar_mask[1] = mask >> 32;
        uint32_t low = (uint32_t)where | 4, high = (uint32_t)(where >> 32);
        memcpy(f->reg + 0x10, &low, 4), memcpy(f->reg + 0x14, &high, 4);
        memcpy(before, f->reg, sizeof(before));
        struct pci_dev *d = dev(8 << 8 | 3 << 3);
        d->bars_known = 0;
        struct pci_bar b = pci_bar(d, 0);
        assert_int_equal(b.address, where);
        assert_int_equal(b.size, sizes[i]);
        assert_memory_equal(before, f->reg, sizeof(before));
        assert_int_equal(pci_bar(d, 6).size, 0);
        assert_int_equal(pci_bar(d, 5).size, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_once), cmocka_unit_test(capabilities), cmocka_unit_test(bars) };
    return cmocka_run_group_tests(tests, 0, 0);
}
