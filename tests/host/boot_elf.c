/* SPDX-License-Identifier: MIT */
/* boot_elf.c: claim: elf_parse takes a PV kernel's image apart, refuses by name what is truncated, overlapping or not PV, and reads nothing
 * beyond the file (SPEC 3.1, XSA-25, XSA-55). A failure means that a bad file in GRUB's menu can write where it likes. */
#include <string.h>

#include "tests/host/boot_host.h"

#include "hypercall-abi/elfnote.h"
#include "hypervisor/boot/elf.h"

#define BASE 0xffffffff80000000UL

static uint8_t img[8192];
static struct elf_image e;
static const char *why;

static void put(size_t at, uint64_t v, int n) { memcpy(img + at, &v, n); }

static void program_header(int i, uint32_t type, uint64_t off, uint64_t pa, uint64_t filesz, uint64_t memsz)
{
    size_t at = 64 + 56 * i;
    put(at, type, 4);
    put(at + 4, 7, 4);
    put(at + 8, off, 8);
    put(at + 16, BASE + pa, 8);
    put(at + 24, pa, 8);
    put(at + 32, filesz, 8);
    put(at + 40, memsz, 8);
}

static size_t notes_end;

static void note(uint32_t type, const void *desc, uint32_t n)
{
    put(notes_end, 4, 4);
    put(notes_end + 4, n, 4);
    put(notes_end + 8, type, 4);
    memcpy(img + notes_end + 12, "Xen", 4);
    memcpy(img + notes_end + 16, desc, n);
    notes_end += 16 + ((n + 3) & ~3u);
}
static void note64(uint32_t type, uint64_t v) { note(type, &v, 8); }

static void make(void)
{
    static const uint8_t ident[8] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, 0 };

    memset(img, 0, sizeof(img));
    memcpy(img, ident, 8);
    put(16, 2, 2); put(18, 62, 2); put(20, 1, 4);
    put(24, BASE + 0x101000, 8); put(32, 64, 8);
    put(52, 64, 2); put(54, 56, 2); put(56, 3, 2);
    notes_end = 512;
    note64(XEN_ELFNOTE_VIRT_BASE, BASE);
    note64(XEN_ELFNOTE_ENTRY, BASE + 0x101010);
    note64(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x102000);
    note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
    note(XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb", 42);
    program_header(0, 1, 4096, 0x100000, 4096, 0x3000);
    program_header(1, 1, 4096, 0x103000, 100, 0x2000);
    program_header(2, 4, 512, 0, notes_end - 512, notes_end - 512);
}

static int parse(size_t n)
{
    void *copy = host_copy(img, n);
    int rc = elf_parse(copy, n, &e, &why);

    free(copy);
    return rc;
}

static void refuse(const char *with)
{
    assert_int_equal(parse(sizeof(img)), -1);
    assert_non_null(strstr(why, with));
}

static void good(void **state)
{
    make();
    assert_int_equal(parse(sizeof(img)), 0);
    assert_int_equal(e.entry, BASE + 0x101010);
    assert_int_equal(e.virt_base, BASE);
    assert_int_equal(e.start, BASE + 0x100000);
    assert_int_equal(e.end, BASE + 0x105000);
    assert_int_equal(e.hypercall_page, BASE + 0x102000);
    assert_true(e.init_p2m == ELF_UNSET);
    assert_int_equal(e.nr_segments, 2);
}

static void not_pv(void **state)
{
    make();
    program_header(2, 6, 512, 0, 0, 0);
    refuse("no Xen notes");
    make();
    memcpy(img, "MZ", 2);
    refuse("not an ELF");
    make();
    put(18, 183, 2);
    refuse("64-bit x86");
    make();
    note(XEN_ELFNOTE_FEATURES, "auto|!hvm_only", 14);
    program_header(2, 4, 512, 0, notes_end - 512, notes_end - 512);
    refuse("feature");
}

static void bad_segments(void **state)
{
    make();
    program_header(1, 1, 4096, 0x102000, 100, 0x2000);
    refuse("same addresses");
    make();
    program_header(1, 1, 8000, 0x103000, 4096, 0x2000);
    refuse("cut off");
    make();
    program_header(1, 1, ~0UL - 10, 0x103000, 100, 0x2000);
    refuse("cut off");
    make();
    program_header(1, 1, 4096, 0x103000, 4096, 100);
    refuse("more bytes");
    make();
    program_header(1, 1, 4096, 0x90000000, 100, 0x2000);         /* wraps to a low address */
    refuse("addresses that no guest has");
    make();
    program_header(1, 1, 4096, 0xffff820000000000UL - BASE, 100, 0x2000);
    refuse("addresses that no guest has");
    make();
    program_header(1, 1, 4096, 0x103000, 100, ~0UL - 0x1000);
    refuse("addresses that no guest has");
}

static void bad_places(void **state)
{
    make();
    note64(XEN_ELFNOTE_ENTRY, BASE);
    program_header(2, 4, 512, 0, notes_end - 512, notes_end - 512);
    refuse("outside itself");
    make();
    note64(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x105000);
    program_header(2, 4, 512, 0, notes_end - 512, notes_end - 512);
    refuse("hypercall page");
    make();
    note64(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x102008);
    program_header(2, 4, 512, 0, notes_end - 512, notes_end - 512);
    refuse("hypercall page");
    make();
    note64(XEN_ELFNOTE_INIT_P2M, 0xffff800000000000UL);
    program_header(2, 4, 512, 0, notes_end - 512, notes_end - 512);
    refuse("P2M");
}

static void every_truncation(void **state)
{
    make();
    for (size_t n = 0; n < 4096 + 100; n++)
        assert_int_equal(parse(n), -1);
}

static void random_damage(void **state)
{
    for (int round = 0; round < 50000; round++) {
        make();
        for (int k = 0; k < 3; k++)
            img[host_random() % 800] = (uint8_t)host_random();
        if (parse(sizeof(img)))
            continue;
        for (uint32_t i = 0; i < e.nr_segments; i++) {
            const struct elf_segment *s = &e.segment[i];
            assert_true(s->offset <= sizeof(img) && s->file_size <= sizeof(img) - s->offset);
            assert_true(s->file_size <= s->mem_size && s->virt >= e.virt_base && s->virt + s->mem_size <= e.end);
        }
        assert_true(e.entry >= e.start && e.entry < e.end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good), cmocka_unit_test(not_pv), cmocka_unit_test(bad_segments), cmocka_unit_test(bad_places),
        cmocka_unit_test(every_truncation), cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
