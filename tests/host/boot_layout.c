/* SPDX-License-Identifier: MIT */
/* boot_layout.c: claim: the areas of a new domain's memory never overlap, the tables suffice to map them, and what does not fit is refused
 * (SPEC 3.2). A failure means a guest that starts on top of its own page tables. */
#include "tests/host/boot_host.h"

#include "hypervisor/boot/layout.h"

#define BASE 0xffffffff80000000UL

static uint64_t tables_needed(uint64_t from, uint64_t to)
{
    uint64_t n = 1;

    for (unsigned shift = 21; shift <= 39; shift += 9)
        n += ((to - 1) >> shift) - (from >> shift) + 1;
    return n;
}

static void check(const struct layout *l, uint64_t frames)
{
    uint64_t end = l->virt_base + l->mapped * 4096;

    assert_true(l->p2m == l->ramdisk + l->nr_ramdisk);
    assert_true(l->p2m_tables == l->p2m + l->nr_p2m);
    assert_true(l->start_info == l->p2m_tables + l->nr_p2m_tables);
    assert_true(l->store == l->start_info + 1 && l->console == l->store + 1 && l->tables == l->console + 1);
    assert_true(l->stack == l->tables + l->nr_tables);
    assert_true(l->mapped >= l->stack + 1 + (512 << 10) / 4096 && l->mapped <= frames);
    assert_int_equal(end % (4 << 20), 0);
    assert_true(l->nr_tables >= tables_needed(l->virt_base, end));
    assert_true(l->nr_p2m * 512 >= frames);
}

static void shapes(void **state)
{
    struct elf_image e = { .virt_base = BASE, .init_p2m = ELF_UNSET };
    struct layout l;
    const char *why;

    for (int round = 0; round < 20000; round++) {
        uint64_t frames = 16 + host_random() % 300000;
        size_t ramdisk = host_random() % 4 ? host_random() % (64 << 20) : 0;
        e.end = BASE + 0x100000 + host_random() % (16 << 20);
        e.init_p2m = host_random() % 2 ? ELF_UNSET : 0x8000000000UL;
        if (!layout_make(&e, ramdisk, frames, &l, &why))
            check(&l, frames);
        else
            assert_non_null(why);
    }
}

static void small_and_large(void **state)
{
    struct elf_image e = { .virt_base = BASE, .end = BASE + 0x110000, .init_p2m = ELF_UNSET };
    struct layout l;
    const char *why;

    assert_int_equal(layout_make(&e, 0, 2048, &l, &why), 0);             /* 8 MiB */
    check(&l, 2048);
    assert_int_equal(layout_make(&e, 0, 100, &l, &why), -1);
    assert_int_equal(layout_make(&e, 16 << 20, 2048, &l, &why), -1);
    e.virt_base = 0xffffffffff000000UL;                                  /* its window would wrap */
    e.end = e.virt_base + 0x110000;
    assert_int_equal(layout_make(&e, 64 << 20, 65536, &l, &why), -1);
    e.virt_base = 0;
    e.end = 0x200000;
    assert_int_equal(layout_make(&e, 0, 65536, &l, &why), 0);
    check(&l, 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(shapes), cmocka_unit_test(small_and_large) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
