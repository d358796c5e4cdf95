/* SPDX-License-Identifier: MIT */
/* tools_elf.c: claim: a kernel file is either understood or refused with one
 * sentence (SPEC 3.1); no header, however forged, leads the builder out of its
 * own buffers or outside the new domain's memory. Also bzImages and layouts.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/builder/bzimage.h"
#include "dom0-tools/builder/elf.h"
#include "dom0-tools/builder/layout.h"

/* A small PV kernel: header, three program headers, notes, two segments. */
struct file {
    struct {
        uint8_t ident[16];
        uint16_t type, machine;
        uint32_t version;
        uint64_t entry, phoff, shoff;
        uint32_t flags;
        uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    } h;
    struct {
        uint32_t type, flags;
        uint64_t offset, vaddr, paddr, filesz, memsz, align;
    } p[3];
    struct {
        uint32_t namesz, descsz, type;
        char name[4];
        uint64_t value;
    } note[3];
    uint8_t text[4096], data[512];
};

#define BASE 0xffffffff80000000ull

static void good(struct file *f)
{
    memset(f, 0, sizeof(*f));
    memcpy(f->h.ident, "\177ELF\2\1\1", 7);
    f->h.type = 2;
    f->h.machine = 62;
    f->h.entry = BASE + 0x100000;
    f->h.phoff = offsetof(struct file, p);
    f->h.phentsize = sizeof(f->p[0]);
    f->h.phnum = 3;
    f->p[0].type = 1;
    f->p[0].offset = offsetof(struct file, text);
    f->p[0].paddr = 0x100000;
    f->p[0].filesz = f->p[0].memsz = sizeof(f->text);
    f->p[1].type = 1;
    f->p[1].offset = offsetof(struct file, data);
    f->p[1].paddr = 0x102000;
    f->p[1].filesz = sizeof(f->data);
    f->p[1].memsz = 0x3000;
    f->p[2].type = 4;
    f->p[2].offset = offsetof(struct file, note);
    f->p[2].filesz = f->p[2].memsz = sizeof(f->note);
    for (int i = 0; i < 3; i++) {
        f->note[i].namesz = 4;
        f->note[i].descsz = 8;
        memcpy(f->note[i].name, "Xen", 4);
    }
    f->note[0].type = 3;
    f->note[0].value = BASE;
    f->note[1].type = 1;
    f->note[1].value = BASE + 0x100010;
    f->note[2].type = 2;
    f->note[2].value = BASE + 0x100000;
}

static int try_file(const void *bytes, size_t n, struct elf_kernel *k, struct complaint *why)
{
    char path[] = "/tmp/enso-elf-XXXXXX";
    int fd = mkstemp(path), rc;
    struct image im;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
    why->text[0] = '\0';
    rc = image_open_kernel(&im, path, why);
    if (!rc) {
        rc = elf_read(k, &im, why);
        image_close(&im);
    }
    unlink(path);
    /* A refusal is a sentence that names the file. */
    if (rc)
        assert_true(strncmp(why->text, path, strlen(path)) == 0);
    return rc;
}

static void accepted(void **state)
{
    struct file f;
    struct elf_kernel k;
    struct complaint why;

    (void)state;
    good(&f);
    assert_int_equal(try_file(&f, sizeof(f), &k, &why), 0);
    assert_int_equal(k.segments, 2);
    assert_int_equal(k.start, 0x100000);
    assert_int_equal(k.end, 0x105000);
    assert_int_equal(k.entry, BASE + 0x100010);
    assert_true(k.has_hypercall_page);
}

static void paddr_offset(void **state)
{
    struct file f;
    struct elf_kernel k;
    struct complaint why;

    (void)state;
    good(&f);
    f.p[0].paddr += BASE;
    f.p[1].paddr += BASE;
    f.note[2].type = 4;
    f.note[2].value = BASE;
    assert_int_equal(try_file(&f, sizeof(f), &k, &why), 0);
    assert_int_equal(k.start, 0x100000);
}

#define REFUSED(change, says)                                                   \
    do {                                                                        \
        good(&f);                                                               \
        change;                                                                 \
        assert_int_equal(try_file(&f, sizeof(f), &k, &why), -1);                \
        if (!strstr(why.text, says))                                            \
            fail_msg("%s: said <%s>, not <%s>", #change, why.text, says);       \
    } while (0)

static void refused(void **state)
{
    struct file f;
    struct elf_kernel k;
    struct complaint why;

    (void)state;
    REFUSED(f.h.ident[0] = 0, "neither an ELF nor a bzImage");
    REFUSED(f.h.ident[4] = 1, "32-bit");
    REFUSED(f.h.machine = 183, "another processor");
    REFUSED(f.h.type = 1, "not an executable");
    REFUSED(f.h.phnum = 0, "malformed");
    REFUSED(f.h.phnum = 65535, "malformed");
    REFUSED(f.h.phentsize = 1, "malformed");
    REFUSED(f.h.phoff = UINT64_MAX - 8, "truncated");
    REFUSED(f.p[0].offset = sizeof(f), "truncated");
    REFUSED(f.p[0].offset = UINT64_MAX - 100, "malformed");
    REFUSED(f.p[1].filesz = 0x4000, "longer in the file");
    REFUSED(f.p[1].memsz = 1ull << 40, "malformed");
    REFUSED(f.p[1].paddr = UINT64_MAX - 10, "malformed");
    REFUSED(f.p[1].paddr = 1ull << 50, "too far");
    REFUSED(f.p[1].paddr = 0x100800, "overlap");
    REFUSED(f.p[2].type = 0, "no Xen notes");
    REFUSED(memset(f.note[0].name, 'x', 3); memset(f.note[1].name, 'x', 3); memset(f.note[2].name, 'x', 3),
            "no Xen notes");
    REFUSED(f.p[2].filesz = 1 << 20, "notes take");
    REFUSED(f.note[2].descsz = 0xfffffff0, "past the end");
    REFUSED(f.note[1].value = 0x1000, "entry");
    REFUSED(f.note[2].value = BASE + 0x100008, "hypercall page");
    REFUSED(f.note[2].value = BASE + 0x900000, "hypercall page");
    REFUSED(f.note[0].value = 0xffff800000000000ull; f.note[1].value = 0xffff800000100010ull; f.note[2].type = 9,
            "hypervisor's part");
    REFUSED(f.note[0].value = BASE + 8, "page-aligned");
    REFUSED(f.p[0].type = 2; f.p[1].type = 2, "without a segment");
    good(&f);
    assert_int_equal(try_file(&f, 20, &k, &why), -1);
    assert_int_equal(try_file(&f, 0, &k, &why), -1);
}

/* Every byte of the headers and notes, changed in a few ways: no crash, and
 * what is accepted lies within its own limits.                               */
static void mangled(void **state)
{
    static const uint8_t nasty[] = { 0x00, 0xff, 0x80, 0x01 };
    struct file f;
    struct elf_kernel k;
    struct complaint why;
    struct layout l;

    (void)state;
    for (size_t at = 0; at < offsetof(struct file, text); at++)
        for (size_t i = 0; i < sizeof(nasty); i++) {
            good(&f);
            ((uint8_t *)&f)[at] = nasty[i];
            if (try_file(&f, sizeof(f), &k, &why))
                continue;
            for (unsigned s = 0; s < k.segments; s++) {
                assert_true(k.segment[s].start + k.segment[s].memsz <= k.end);
                assert_true(k.segment[s].filesz <= k.segment[s].memsz);
            }
            if (layout_make(&l, &k, 8 << 8, 0, &why) == 0)
                assert_true(k.end <= 8 << 20);
        }
}

/* ---- bzImage ------------------------------------------------------------------------- */

static void bzimages(void **state)
{
    uint8_t head[BZIMAGE_HEAD] = { 0 };
    struct complaint why;
    uint64_t from, len;

    (void)state;
    assert_false(bzimage_is(head, sizeof(head)));
    head[0x1f1] = 39;
    head[0x1fe] = 0x55;
    head[0x1ff] = 0xaa;
    memcpy(head + 0x202, "HdrS", 4);
    head[0x206] = 0x0f;
    head[0x207] = 0x02;
    head[0x248] = 0xcc;
    head[0x249] = 0x02;
    head[0x24d] = 0x10;
    assert_true(bzimage_is(head, sizeof(head)));
    assert_int_equal(bzimage_payload(head, sizeof(head), 1 << 20, &from, &len, &why), 0);
    assert_int_equal(from, 40 * 512 + 0x2cc);
    assert_int_equal(len, 0x1000);
    assert_int_equal(bzimage_payload(head, sizeof(head), from + len - 1, &from, &len, &why), -1);
    assert_non_null(strstr(why.text, "truncated"));
    memset(head + 0x248, 0xff, 8);
    assert_int_equal(bzimage_payload(head, sizeof(head), 1 << 20, &from, &len, &why), -1);
    head[0x206] = 0x07;
    assert_int_equal(bzimage_payload(head, sizeof(head), 1 << 20, &from, &len, &why), -1);
    assert_non_null(strstr(why.text, "2.08"));
}

/* ---- layout: walk the tables as the CPU would ---------------------------------------------- */

#define PAGES_MAX 20000
static uint64_t *frames[PAGES_MAX];
static uint64_t mfns[PAGES_MAX];

static uint64_t *frame(void *arg, uint64_t pfn)
{
    const struct layout *l = arg;

    assert_true(pfn < l->pages);
    assert_true(layout_is_table(l, pfn));
    if (!frames[pfn])
        frames[pfn] = calloc(512, 8);
    return frames[pfn];
}

#define MFN_OF(pfn) ((pfn) * 7 % PAGES_MAX + 100000)    /* scattered, one to one */

static uint64_t pfn_of(uint64_t pte)
{
    uint64_t mfn = pte >> 12 & 0xffffffffff;

    for (uint64_t p = 0; p < PAGES_MAX; p++)
        if (mfns[p] == mfn)
            return p;
    fail_msg("a table entry points at MFN %#llx, which is not the domain's", (unsigned long long)mfn);
    return 0;
}

/* The leaf entry for va, or 0. */
static uint64_t walk(const struct layout *l, uint64_t va)
{
    uint64_t table = l->tables, pte = 0;

    for (int shift = 39; shift >= 12; shift -= 9) {
        if (!frames[table])
            return 0;
        pte = frames[table][va >> shift & 511];
        if (!(pte & 1))
            return 0;
        if (shift > 12)
            table = pfn_of(pte);
    }
    return pte;
}

static void check_layout(uint64_t base, uint64_t pages, uint64_t ramdisk, bool own_p2m)
{
    struct elf_kernel k = { .virt_base = base, .start = 0x100000, .end = 0x145678, .init_p2m = 0x8000000000,
                            .has_init_p2m = own_p2m };
    struct complaint why = { "" };
    struct layout l;

    if (layout_make(&l, &k, pages, ramdisk, &why))
        fail_msg("%s", why.text);
    for (uint64_t p = 0; p < PAGES_MAX; p++)
        mfns[p] = MFN_OF(p);
    assert_int_equal(layout_tables(&l, mfns, frame, &l), 0);
    for (uint64_t p = 0; p < l.mapped; p += p < 512 ? 1 : 61) {
        uint64_t pte = walk(&l, layout_va(&l, p));

        assert_int_equal(pfn_of(pte), p);
        assert_int_equal(!(pte & 2), layout_is_table(&l, p));
    }
    for (uint64_t p = l.tables; p < l.tables + l.table_pages; p++)
        assert_false(walk(&l, layout_va(&l, p)) & 2);
    assert_true(l.stack < l.mapped && l.start_info < l.mapped && l.console < l.mapped);
    for (uint64_t i = 0; i < l.p2m_pages; i++)
        assert_int_equal(pfn_of(walk(&l, l.p2m_va + (i << 12))), l.p2m + i);
    for (uint64_t p = 0; p < PAGES_MAX; p++) {
        free(frames[p]);
        frames[p] = NULL;
    }
}

static void layouts(void **state)
{
    (void)state;
    check_layout(BASE, 8 << 8, 0, false);
    check_layout(BASE, 8 << 8, 123456, true);
    check_layout(BASE, 64 << 8, 20 << 20, true);
    check_layout(BASE, PAGES_MAX, 70 << 20, true);
    check_layout(0, 16 << 8, 5000, false);
    check_layout(0x7ff0000000, 64 << 8, 30 << 20, false);       /* crosses a 1 GiB and a 512 GiB border */
    check_layout(0xffffffff80345000, 16 << 8, 4096, true);
}

static void layouts_refused(void **state)
{
    struct elf_kernel k = { .virt_base = BASE, .start = 0x100000, .end = 4 << 20 };
    struct complaint why;
    struct layout l;

    (void)state;
    assert_int_equal(layout_make(&l, &k, 4 << 8, 0, &why), -1);
    assert_non_null(strstr(why.text, "memory = 4 is not enough"));
    assert_int_equal(layout_make(&l, &k, 16 << 8, 14 << 20, &why), -1);
    k.has_init_p2m = true;
    k.init_p2m = 0xffffff8000000000;
    assert_int_equal(layout_make(&l, &k, 16 << 8, 0, &why), -1);
    k.init_p2m = 0xffff800000000000;
    assert_int_equal(layout_make(&l, &k, 16 << 8, 0, &why), -1);
    k.init_p2m = 0x800000000000;
    assert_int_equal(layout_make(&l, &k, 16 << 8, 0, &why), -1);
    k.has_init_p2m = false;
    k.virt_base = 1ull << 60;
    assert_int_equal(layout_make(&l, &k, 16 << 8, 0, &why), -1);
    k.virt_base = 0xfffffffffffff000;
    assert_int_equal(layout_make(&l, &k, 16 << 8, 0, &why), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted), cmocka_unit_test(paddr_offset), cmocka_unit_test(refused), cmocka_unit_test(mangled),
        cmocka_unit_test(bzimages), cmocka_unit_test(layouts),      cmocka_unit_test(layouts_refused),
    };

    return cmocka_run_group_tests_name("tools_elf", tests, NULL, NULL);
}
