/* SPDX-License-Identifier: MIT */
/* elf.c: headers and Xen notes of a kernel, taken apart with suspicion.
 *
 * A kernel file may come from anybody. Every offset and size in it is checked
 * against limits before use, sums are checked for overflow, and the result is
 * plain numbers that the layout (layout.c) can trust.                        */
#include "dom0-tools/builder/elf.h"

#include <string.h>

#include "dom0-tools/libenso/text.h"
#include "hypercall-abi/abi.h"
#include "hypercall-abi/elfnote.h"

struct elf_header {
    uint8_t  ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

#define PT_LOAD 1
#define PT_NOTE 4
#define EM_X86_64 62
#define PHNUM_MAX 64
#define NOTES_MAX 65536
#define IMAGE_SPAN_MAX (4ull << 30)
#define ELF_PAGE 4096ull

/* What the notes said, before it is put together. */
struct notes {
    bool any, virt_base_set, paddr_offset_set, entry_set;
    uint64_t virt_base, paddr_offset, entry;
};

static int fail(const struct image *im, struct complaint *why)
{
    return complain_about(why, im->path);
}

static int check_header(const struct elf_header *h, const struct image *im, struct complaint *why)
{
    if (memcmp(h->ident, "\177ELF", 4) != 0)
        complain(why, "not an ELF file");
    else if (h->ident[4] != 2 || h->ident[5] != 1)
        complain(why, "a %s ELF; a domain needs a 64-bit little-endian one", h->ident[4] == 1 ? "32-bit" : "big-endian");
    else if (h->machine != EM_X86_64)
        complain(why, "an ELF for another processor (machine %u), not for x86-64", h->machine);
    else if (h->type != 2 && h->type != 3)
        complain(why, "an ELF of type %u, not an executable", h->type);
    else if (h->phentsize != sizeof(struct elf_program) || h->phnum == 0 || h->phnum > PHNUM_MAX)
        complain(why, "a malformed ELF: %u program headers of %u bytes", h->phnum, h->phentsize);
    else
        return 0;
    return fail(im, why);
}

/* ---- notes -------------------------------------------------------------------------- */

static uint64_t note_number(const uint8_t *p, uint32_t n)
{
    uint64_t v = 0;

    for (uint32_t i = 0; i < n && i < 8; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static void note_text(char *to, size_t size, const uint8_t *p, uint32_t n)
{
    size_t len = n < size - 1 ? n : size - 1;

    memcpy(to, p, len);
    to[len] = '\0';
}

/* Features that the kernel cannot do without and that a PV domain has not. */
static int check_features(const char *features, const struct image *im, struct complaint *why)
{
    static const char *const impossible[] = { "!auto_translated_physmap", "!supervisor_mode_kernel",
                                              "!hvm_callback_vector" };

    for (unsigned i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++)
        if (strstr(features, impossible[i])) {
            complain(why, "the kernel requires %s, which a PV domain does not have", impossible[i] + 1);
            return fail(im, why);
        }
    return 0;
}

static int take_note(struct elf_kernel *k, struct notes *s, uint32_t type, const uint8_t *p, uint32_t n,
                     const struct image *im, struct complaint *why)
{
    char features[256];

    s->any = true;
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        s->entry = note_number(p, n);
        s->entry_set = true;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        k->hypercall_page = note_number(p, n);
        k->has_hypercall_page = true;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        s->virt_base = note_number(p, n);
        s->virt_base_set = true;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        s->paddr_offset = note_number(p, n);
        s->paddr_offset_set = true;
        break;
    case XEN_ELFNOTE_INIT_P2M:
        k->init_p2m = note_number(p, n);
        k->has_init_p2m = true;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        k->mod_start_pfn = note_number(p, n) != 0;
        break;
    case XEN_ELFNOTE_GUEST_OS:
        note_text(k->guest_os, sizeof(k->guest_os), p, n);
        break;
    case XEN_ELFNOTE_GUEST_VERSION:
        note_text(k->guest_version, sizeof(k->guest_version), p, n);
        break;
    case XEN_ELFNOTE_FEATURES:
        note_text(features, sizeof(features), p, n);
        return check_features(features, im, why);
    }
    return 0;
}

static int take_notes(struct elf_kernel *k, struct notes *s, const uint8_t *p, uint64_t size, const struct image *im,
                      struct complaint *why)
{
    uint64_t at = 0;

    while (size - at >= 12) {
        uint32_t namesz = (uint32_t)note_number(p + at, 4), descsz = (uint32_t)note_number(p + at + 4, 4);
        uint32_t type = (uint32_t)note_number(p + at + 8, 4);
        uint64_t name = at + 12, desc = name + (((uint64_t)namesz + 3) & ~3ull);
        uint64_t next = desc + (((uint64_t)descsz + 3) & ~3ull);

        if (desc > size || descsz > size - desc) {
            complain(why, "a malformed ELF: a note reaches past the end of its segment");
            return fail(im, why);
        }
        if (namesz == 4 && memcmp(p + name, "Xen", 4) == 0 && take_note(k, s, type, p + desc, descsz, im, why))
            return -1;
        at = next < size ? next : size;
    }
    return 0;
}

static int read_notes(struct elf_kernel *k, struct notes *s, const struct elf_program *ph, struct image *im,
                      struct complaint *why)
{
    static uint8_t buf[NOTES_MAX];

    if (ph->filesz > sizeof(buf)) {
        complain(why, "a malformed ELF: its notes take %llu bytes", (unsigned long long)ph->filesz);
        return fail(im, why);
    }
    if (image_read(im, ph->offset, buf, (size_t)ph->filesz, why))
        return -1;
    return take_notes(k, s, buf, ph->filesz, im, why);
}

/* ---- segments ------------------------------------------------------------------------ */

static int check_load(const struct elf_program *ph, const struct image *im, struct complaint *why)
{
    if (ph->filesz > ph->memsz)
        complain(why, "a malformed ELF: a segment is longer in the file than in memory");
    else if (ph->memsz > IMAGE_SPAN_MAX || ph->paddr + ph->memsz < ph->paddr || ph->offset + ph->filesz < ph->offset)
        complain(why, "a malformed ELF: a segment of %#llx bytes at %#llx", (unsigned long long)ph->memsz,
                 (unsigned long long)ph->paddr);
    else if (!im->how && ph->offset + ph->filesz > im->len)
        complain(why, "the file is truncated: a segment ends at byte %llu, and the file has %llu",
                 (unsigned long long)(ph->offset + ph->filesz), (unsigned long long)im->len);
    else
        return 0;
    return fail(im, why);
}

/* Insertion by file offset: a stream is then read once, forward. */
static int add_segment(struct elf_kernel *k, const struct elf_program *ph, const struct image *im, struct complaint *why)
{
    unsigned i = k->segments;

    if (ph->memsz == 0)
        return 0;
    if (k->segments == ELF_SEGMENTS) {
        complain(why, "more than %d segments to load", ELF_SEGMENTS);
        return fail(im, why);
    }
    if (check_load(ph, im, why))
        return -1;
    for (; i > 0 && k->segment[i - 1].offset > ph->offset; i--)
        k->segment[i] = k->segment[i - 1];
    k->segment[i] = (struct elf_segment){ ph->offset, ph->filesz, ph->paddr, ph->memsz };
    k->segments++;
    return 0;
}

static int check_overlaps(const struct elf_kernel *k, const struct image *im, struct complaint *why)
{
    for (unsigned i = 0; i < k->segments; i++)
        for (unsigned j = i + 1; j < k->segments; j++) {
            const struct elf_segment *a = &k->segment[i], *b = &k->segment[j];

            if (a->start < b->start + b->memsz && b->start < a->start + a->memsz) {
                complain(why, "its segments at %#llx and %#llx overlap in memory", (unsigned long long)a->start,
                         (unsigned long long)b->start);
                return fail(im, why);
            }
        }
    return 0;
}

static bool inside(const struct elf_kernel *k, uint64_t va)
{
    return va >= k->virt_base + k->start && va < k->virt_base + k->end;
}

/* p_paddr less paddr_offset is the place above virt_base. */
static int place(struct elf_kernel *k, const struct notes *s, const struct elf_header *h, const struct image *im,
                 struct complaint *why)
{
    uint64_t offset = s->paddr_offset_set ? s->paddr_offset : 0;

    k->virt_base = s->virt_base;
    k->entry = s->entry_set ? s->entry : h->entry;
    k->start = UINT64_MAX;
    for (unsigned i = 0; i < k->segments; i++) {
        struct elf_segment *seg = &k->segment[i];

        if (seg->start < offset || seg->start - offset > IMAGE_SPAN_MAX) {
            complain(why, "a segment lies at %#llx, too far from where the notes put the kernel's base",
                     (unsigned long long)seg->start);
            return fail(im, why);
        }
        seg->start -= offset;
        k->start = seg->start < k->start ? seg->start : k->start;
        k->end = seg->start + seg->memsz > k->end ? seg->start + seg->memsz : k->end;
    }
    if (k->virt_base & (ELF_PAGE - 1))
        complain(why, "its virtual base %#llx is not page-aligned", (unsigned long long)k->virt_base);
    else if (k->virt_base + k->end < k->virt_base)
        complain(why, "it would end past the end of the address space");
    else if (k->virt_base < HYPERVISOR_VIRT_END && k->virt_base + k->end > HYPERVISOR_VIRT_START)
        complain(why, "it wants to live at %#llx, in the hypervisor's part of the address space",
                 (unsigned long long)k->virt_base);
    else if (!inside(k, k->entry))
        complain(why, "its entry %#llx is outside the kernel", (unsigned long long)k->entry);
    else if (k->has_hypercall_page && (!inside(k, k->hypercall_page) || k->hypercall_page & (ELF_PAGE - 1)))
        complain(why, "its hypercall page %#llx is outside the kernel or not page-aligned",
                 (unsigned long long)k->hypercall_page);
    else if (k->has_init_p2m && (k->init_p2m & (ELF_PAGE - 1)))
        complain(why, "its place for the P2M, %#llx, is not page-aligned", (unsigned long long)k->init_p2m);
    else
        return 0;
    return fail(im, why);
}

int elf_read(struct elf_kernel *k, struct image *im, struct complaint *why)
{
    static struct elf_program ph[PHNUM_MAX];
    struct elf_header h;
    struct notes s = { 0 };

    memset(k, 0, sizeof(*k));
    if (image_read(im, 0, &h, sizeof(h), why) || check_header(&h, im, why) ||
        image_read(im, h.phoff, ph, h.phnum * sizeof(ph[0]), why))
        return -1;
    for (unsigned i = 0; i < h.phnum; i++)
        if (ph[i].type == PT_LOAD && add_segment(k, &ph[i], im, why))
            return -1;
    if (!k->segments) {
        complain(why, "an ELF without a segment to load");
        return fail(im, why);
    }
    for (unsigned i = 0; i < h.phnum; i++)
        if (ph[i].type == PT_NOTE && read_notes(k, &s, &ph[i], im, why))
            return -1;
    if (!s.any) {
        complain(why, "not a paravirtual kernel: the ELF has no Xen notes");
        return fail(im, why);
    }
    if (s.paddr_offset_set && !s.virt_base_set) {
        complain(why, "its notes have a physical offset but no virtual base");
        return fail(im, why);
    }
    return check_overlaps(k, im, why) ? -1 : place(k, &s, &h, im, why);
}
