/* SPDX-License-Identifier: MIT */
/* elf.c: reads a PV kernel's ELF headers and its Xen notes, with suspicion.                             [read 86]
 *
 * The image may be anything that somebody put into GRUB's menu. Every offset is checked against the file's size before
 * it is followed, in 64 bits and without sums that could wrap. Addresses follow Xen's rule: a segment goes to
 * p_paddr - PADDR_OFFSET + VIRT_BASE. SPEC 3.1. This file runs under the host's sanitizers as it is.              */
#include "hypervisor/boot/elf.h"
#include "hypercall-abi/abi.h"
#include "hypercall-abi/elfnote.h"
#include "hypervisor/lib/string.h"

struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr { uint32_t type, flags; uint64_t offset, vaddr, paddr, filesz, memsz, align; };
struct shdr { uint32_t name, type; uint64_t flags, addr, offset, size; uint32_t link, info; uint64_t addralign, entsize; };
struct nhdr { uint32_t namesz, descsz, type; };

#define PT_LOAD    1
#define PT_NOTE    4
#define SHT_NOTE   7
#define EM_X86_64  62
#define ET_EXEC    2
#define ET_DYN     3
#define MAX_HEADERS 128

/* What is known while reading. */
struct reader {
    const uint8_t *image;
    size_t size;
    struct ehdr eh;
    struct elf_image *out;
    const char *why;
    uint64_t paddr_offset;         /* ELF_UNSET: not said */
    bool xen;                      /* a Xen note was seen */
};

static int fail(struct reader *r, const char *why)
{
    r->why = why;
    return -1;
}

static bool in_file(const struct reader *r, uint64_t offset, uint64_t n)
{
    return offset <= r->size && n <= r->size - offset;
}

static int read_header(struct reader *r)
{
    static const uint8_t magic[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };   /* 64 bits, little-endian */
    const struct ehdr *eh = &r->eh;

    if (!in_file(r, 0, sizeof(*eh)))
        return fail(r, "is too short to be an ELF file");
    memcpy(&r->eh, r->image, sizeof(*eh));
    if (memcmp(eh->ident, magic, 4))
        return fail(r, "is not an ELF file (a bzImage? dom0's `enso create` takes those)");
    if (memcmp(eh->ident, magic, sizeof(magic)) || eh->machine != EM_X86_64)
        return fail(r, "is not an ELF file for 64-bit x86");
    if (eh->type != ET_EXEC && eh->type != ET_DYN)
        return fail(r, "is an ELF file that is not linked to run");
    if (eh->phentsize != sizeof(struct phdr) || !eh->phnum || eh->phnum > MAX_HEADERS)
        return fail(r, "has program headers of an impossible size or number");
    if (!in_file(r, eh->phoff, (uint64_t)eh->phnum * sizeof(struct phdr)))
        return fail(r, "is cut off in its program headers");
    return 0;
}

static struct phdr program_header(const struct reader *r, unsigned i)
{
    struct phdr ph;

    memcpy(&ph, r->image + r->eh.phoff + i * sizeof(ph), sizeof(ph));
    return ph;
}

/* ---- notes ---- */

/* A number of 4 or 8 bytes. */
static uint64_t note_number(const uint8_t *desc, uint32_t n)
{
    uint64_t v = 0;

    memcpy(&v, desc, n < 8 ? n : 8);
    return v;
}

static bool text_equals(const uint8_t *desc, uint32_t n, const char *s)
{
    size_t len = strlen(s);

    return n >= len && !memcmp(desc, s, len) && (n == len || !desc[len]);
}

/* Does the list of features (names joined by |) demand one that Enso does not have? */
static bool demands_unknown(const uint8_t *desc, uint32_t n)
{
    static const char *const had[] = { "writable_page_tables", "pae_pgdir_above_4gb", "dom0" };

    for (uint32_t i = 0; i < n && desc[i];) {
        uint32_t len = 0;
        bool known = desc[i] != '!';
        while (i + len < n && desc[i + len] && desc[i + len] != '|')
            len++;
        for (size_t k = 0; !known && k < sizeof(had) / sizeof(had[0]); k++)
            known = len - 1 == strlen(had[k]) && !memcmp(desc + i + 1, had[k], len - 1);
        if (!known)
            return true;
        i += len + (i + len < n && desc[i + len] == '|');
    }
    return false;
}

static int take_note(struct reader *r, uint32_t type, const uint8_t *desc, uint32_t n)
{
    struct elf_image *out = r->out;

    r->xen = true;
    switch (type) {
    case XEN_ELFNOTE_ENTRY:          out->entry = note_number(desc, n); break;
    case XEN_ELFNOTE_HYPERCALL_PAGE: out->hypercall_page = note_number(desc, n); break;
    case XEN_ELFNOTE_VIRT_BASE:      out->virt_base = note_number(desc, n); break;
    case XEN_ELFNOTE_PADDR_OFFSET:   r->paddr_offset = note_number(desc, n); break;
    case XEN_ELFNOTE_INIT_P2M:       out->init_p2m = note_number(desc, n); break;
    case XEN_ELFNOTE_XEN_VERSION:
        if (!text_equals(desc, n, "xen-3.0"))
            return fail(r, "is for another interface than xen-3.0");
        break;
    case XEN_ELFNOTE_FEATURES:
        if (demands_unknown(desc, n))
            return fail(r, "demands a feature that Enso does not have");
        break;
    }
    return 0;
}

static uint64_t up4(uint64_t n) { return (n + 3) & ~3UL; }

/* All notes in [offset, offset + n) of the file. Notes of other owners are passed over. */
static int take_notes(struct reader *r, uint64_t offset, uint64_t n)
{
    struct nhdr nh;

    if (!in_file(r, offset, n))
        return fail(r, "is cut off in its notes");
    while (n >= sizeof(nh)) {
        const uint8_t *name = r->image + offset + sizeof(nh);
        uint64_t whole;
        memcpy(&nh, r->image + offset, sizeof(nh));
        whole = sizeof(nh) + up4(nh.namesz) + up4(nh.descsz);
        if (sizeof(nh) + up4(nh.namesz) + nh.descsz > n)
            return fail(r, "is cut off in its notes");
        if (nh.namesz == 4 && !memcmp(name, "Xen", 4) && take_note(r, nh.type, name + 4, nh.descsz))
            return -1;
        if (whole >= n)
            break;
        offset += whole;
        n -= whole;
    }
    return 0;
}

static int notes_by_segments(struct reader *r)
{
    for (unsigned i = 0; i < r->eh.phnum; i++) {
        struct phdr ph = program_header(r, i);
        if (ph.type == PT_NOTE && take_notes(r, ph.offset, ph.filesz))
            return -1;
    }
    return 0;
}

/* Kernels whose linker script made no PT_NOTE still have the sections. */
static int notes_by_sections(struct reader *r)
{
    struct shdr sh;

    if (r->eh.shentsize != sizeof(sh) || !in_file(r, r->eh.shoff, (uint64_t)r->eh.shnum * sizeof(sh)))
        return 0;
    for (unsigned i = 0; i < r->eh.shnum; i++) {
        memcpy(&sh, r->image + r->eh.shoff + i * sizeof(sh), sizeof(sh));
        if (sh.type == SHT_NOTE && take_notes(r, sh.offset, sh.size))
            return -1;
    }
    return 0;
}

static int read_notes(struct reader *r)
{
    if (notes_by_segments(r) || (!r->xen && notes_by_sections(r)))
        return -1;
    if (!r->xen)
        return fail(r, "has no Xen notes: it is not a kernel for this interface");
    if (r->out->virt_base == ELF_UNSET)
        r->out->virt_base = 0;
    if (r->paddr_offset == ELF_UNSET)
        r->paddr_offset = 0;
    return 0;
}

/* ---- segments ---- */

/* [va, va + n) lies in one half of the address space, outside the hypervisor's slots. */
static bool guest_range(uint64_t va, uint64_t n)
{
    uint64_t end = va + n;

    if (end < va)
        return false;
    return end <= 0x0000800000000000UL || va >= HYPERVISOR_VIRT_END;
}

static bool overlaps_earlier(const struct elf_image *out, const struct elf_segment *s)
{
    for (uint32_t i = 0; i < out->nr_segments; i++) {
        const struct elf_segment *e = &out->segment[i];
        if (s->virt < e->virt + e->mem_size && e->virt < s->virt + s->mem_size)
            return true;
    }
    return false;
}

static int take_segment(struct reader *r, const struct phdr *ph)
{
    struct elf_image *out = r->out;
    struct elf_segment s = { ph->offset, ph->filesz, ph->paddr - r->paddr_offset + out->virt_base, ph->memsz };

    if (!ph->memsz)
        return 0;
    if (!in_file(r, ph->offset, ph->filesz))
        return fail(r, "is cut off: a segment lies beyond its end");
    if (ph->filesz > ph->memsz)
        return fail(r, "has a segment with more bytes in the file than in memory");
    if (!guest_range(s.virt, s.mem_size) || s.virt < out->virt_base)
        return fail(r, "has a segment at addresses that no guest has");
    if (overlaps_earlier(out, &s))
        return fail(r, "has two segments at the same addresses");
    if (out->nr_segments == ELF_MAX_SEGMENTS)
        return fail(r, "has too many segments");
    out->segment[out->nr_segments++] = s;
    if (s.virt < out->start)
        out->start = s.virt;
    if (s.virt + s.mem_size > out->end)
        out->end = s.virt + s.mem_size;
    return 0;
}

static int read_segments(struct reader *r)
{
    for (unsigned i = 0; i < r->eh.phnum; i++) {
        struct phdr ph = program_header(r, i);
        if (ph.type == PT_LOAD && take_segment(r, &ph))
            return -1;
    }
    return r->out->nr_segments ? 0 : fail(r, "has nothing to load");
}

static int check_places(struct reader *r)
{
    struct elf_image *out = r->out;

    if (out->entry == ELF_UNSET)
        out->entry = r->eh.entry;
    if (out->entry < out->start || out->entry >= out->end)
        return fail(r, "starts at an address outside itself");
    if (out->hypercall_page != ELF_UNSET &&
        ((out->hypercall_page & 0xfff) || out->hypercall_page < out->start || out->hypercall_page > out->end - 4096))
        return fail(r, "wants its hypercall page outside itself");
    if (out->virt_base & 0xfff)
        return fail(r, "has a VIRT_BASE that is no page's address");
    if (out->init_p2m != ELF_UNSET && ((out->init_p2m & 0x1fffff) || !guest_range(out->init_p2m, 1UL << 30)))
        return fail(r, "wants its P2M at an address that cannot be");
    return 0;
}

int elf_parse(const void *image, size_t size, struct elf_image *out, const char **why)
{
    struct reader r = { .image = image, .size = size, .out = out, .paddr_offset = ELF_UNSET };

    *out = (struct elf_image){ .entry = ELF_UNSET, .virt_base = ELF_UNSET, .start = ELF_UNSET,
                               .hypercall_page = ELF_UNSET, .init_p2m = ELF_UNSET };
    if (read_header(&r) || read_notes(&r) || read_segments(&r) || check_places(&r)) {
        *why = r.why;
        return -1;
    }
    return 0;
}
