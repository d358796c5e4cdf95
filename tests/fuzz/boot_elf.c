/* SPDX-License-Identifier: MIT */
/* boot_elf.c: a kernel among GRUB's modules, read by the hypervisor, and the layout that is made for it. */
#include "hypervisor/boot/elf.h"
#include "hypervisor/boot/layout.h"
#include "tests/fuzz/fuzz.h"

static void lay_out(const struct elf_image *e, size_t ramdisk, uint64_t frames)
{
    const char *why = NULL;
    struct layout l;

    if (layout_make(e, ramdisk, frames, &l, &why)) {
        FUZZ_CHECK(why);
        return;
    }
    FUZZ_CHECK(l.ramdisk + l.nr_ramdisk <= l.p2m && l.p2m + l.nr_p2m <= l.p2m_tables && l.p2m_tables + l.nr_p2m_tables <= l.start_info);
    FUZZ_CHECK(l.start_info < l.store && l.store < l.console && l.console < l.tables && l.tables + l.nr_tables <= l.stack);
    FUZZ_CHECK(l.stack < l.mapped && l.mapped <= frames && (e->end - e->virt_base + 4095) / 4096 <= l.ramdisk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *exact = malloc(size ? size : 1);
    const char *why = NULL;
    struct elf_image e;

    memcpy(exact, data, size);
    if (elf_parse(exact, size, &e, &why)) {
        FUZZ_CHECK(why);
    } else {
        FUZZ_CHECK(e.nr_segments && e.nr_segments <= ELF_MAX_SEGMENTS && e.start >= e.virt_base && e.entry >= e.start && e.entry < e.end);
        for (uint32_t i = 0; i < e.nr_segments; i++) {
            const struct elf_segment *s = &e.segment[i];

            FUZZ_CHECK(s->offset <= size && s->file_size <= size - s->offset && s->file_size <= s->mem_size);
            FUZZ_CHECK(s->virt >= e.start && s->virt + s->mem_size <= e.end && s->virt + s->mem_size >= s->virt);
        }
        lay_out(&e, 0, 4096);
        lay_out(&e, 5000001, 1 << 18);
        lay_out(&e, 0, 1 << 30);
    }
    free(exact);
    return 0;
}

struct file {
    struct { uint8_t ident[16]; uint16_t type, machine; uint32_t version; uint64_t entry, phoff, shoff; uint32_t flags;
             uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx; } h;
    struct { uint32_t type, flags; uint64_t offset, vaddr, paddr, filesz, memsz, align; } p[3];
    struct { uint32_t name, type; uint64_t flags, addr, offset, size; uint32_t link, info; uint64_t addralign, entsize; } s;
    struct { uint32_t namesz, descsz, type; char name[4]; uint64_t value; } note[7];
    char text[64];
};

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint32_t types[] = { 1, 2, 3, 13, 5, 10, 4 };
    uint64_t base = 0xffffffff80000000, values[] = { base + 0x100010, base + 0x100000, base, 0x8000000000, 0, 0, 0 };
    struct file *f = (struct file *)data;

    (void)room;
    if (n >= 3)
        return 0;
    memcpy(f->h.ident, "\177ELF\2\1\1", 7);
    f->h.type = 2;
    f->h.machine = 62;
    f->h.phoff = sizeof(f->h);
    f->h.phentsize = sizeof(f->p[0]);
    f->h.phnum = 3 - (n == 1);
    f->h.shoff = offsetof(struct file, s);
    f->h.shentsize = sizeof(f->s);
    f->h.shnum = 1;
    f->s.type = 7;
    f->s.offset = offsetof(struct file, note);
    f->s.size = sizeof(f->note);
    for (unsigned i = 0; i < 2; i++) {
        f->p[i].type = 1;
        f->p[i].offset = offsetof(struct file, text) + 32 * i;
        f->p[i].paddr = (n == 2 ? base : 0) + 0x100000 + i * 0x3000;
        f->p[i].filesz = 32;
        f->p[i].memsz = 0x1800;
    }
    f->p[2].type = 4;
    f->p[2].offset = offsetof(struct file, note);
    f->p[2].filesz = sizeof(f->note);
    for (unsigned i = 0; i < 7; i++) {
        f->note[i].namesz = 4;
        f->note[i].descsz = 8;
        f->note[i].type = types[i];
        memcpy(f->note[i].name, "Xen", 4);
        f->note[i].value = values[i];
    }
    memcpy(&f->note[4].value, "xen-3.0", 8);
    memcpy(&f->note[5].value, "!dom0|a", 8);
    f->note[6].value = n == 2 ? base : 0;
    return sizeof(*f);
}
