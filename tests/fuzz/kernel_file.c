/* SPDX-License-Identifier: MIT */
/* kernel_file.c: a kernel from anybody, as the domain builder reads it: bzImage, gzip, xz, zstd, lz4 and ELF with its notes; then its
 * segments read, its layout made and the page tables written into frames that hold exactly them.                             */
#include "tests/fuzz/fuzz.h"

#include <unistd.h>

#include "dom0-tools/builder/layout.h"

#define PAGES 16384u

struct tables { const struct layout *l; uint64_t *frame[PAGES]; uint64_t used[PAGES], n; };

static uint64_t *table(void *arg, uint64_t pfn)
{
    struct tables *t = arg;

    FUZZ_CHECK(pfn < t->l->pages && layout_is_table(t->l, pfn));
    if (!t->frame[pfn]) {
        t->frame[pfn] = calloc(512, 8);
        t->used[t->n++] = pfn;
    }
    return t->frame[pfn];
}

static void lay_out(const struct elf_kernel *k, uint64_t pages, uint64_t ramdisk)
{
    static uint64_t mfns[PAGES];
    static struct tables t;
    struct complaint why;
    struct layout l;

    if (layout_make(&l, k, pages, ramdisk, &why))
        return;
    FUZZ_CHECK(PAGES >= pages && l.mapped <= pages && l.stack < l.pages && l.start_info < l.pages && l.console < l.pages);
    FUZZ_CHECK(l.tables + l.table_pages <= l.pages && l.p2m + l.p2m_pages <= l.pages);
    FUZZ_CHECK(l.p2m_tables + l.p2m_table_pages <= l.pages && (k->end + 4095) >> 12 <= l.pages);
    t.l = &l;
    FUZZ_CHECK(layout_tables(&l, mfns, table, &t) == 0);
    while (t.n) {
        free(t.frame[t.used[--t.n]]);
        t.frame[t.used[t.n]] = NULL;
    }
}

static void load(struct image *im, const struct elf_kernel *k)
{
    static uint8_t buf[65536];
    struct complaint why;

    for (unsigned i = 0; i < k->segments; i++) {
        const struct elf_segment *s = &k->segment[i];

        FUZZ_CHECK(s->filesz <= s->memsz && s->start + s->memsz <= k->end && s->start >= k->start);
        for (uint64_t at = 0; at < s->filesz && at < 1 << 20; at += sizeof(buf)) {
            size_t n = s->filesz - at < sizeof(buf) ? (size_t)(s->filesz - at) : sizeof(buf);

            if (image_read(im, s->offset + at, buf, n, &why))
                return;
            fuzz_read(buf, n);
        }
    }
    FUZZ_CHECK(k->entry >= k->virt_base + k->start && k->entry < k->virt_base + k->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_kernel k;
    struct complaint why = { "" };
    struct image im;
    char path[32];
    int fd = fuzz_file(data, size);

    sprintf(path, "/proc/self/fd/%d", fd);
    if (image_open_kernel(&im, path, &why) == 0) {
        if (elf_read(&k, &im, &why) == 0) {
            load(&im, &k);
            lay_out(&k, PAGES, 0);
            lay_out(&k, 2048, 123456);
        } else {
            FUZZ_CHECK(!strncmp(why.text, path, strlen(path)));
        }
        image_close(&im);
    } else {
        FUZZ_CHECK(why.text[0]);
    }
    close(fd);
    return 0;
}

/* ---- seeds ---------------------------------------------------------------------------------------------------------- */

struct file {
    struct { uint8_t ident[16]; uint16_t type, machine; uint32_t version; uint64_t entry, phoff, shoff; uint32_t flags;
             uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx; } h;
    struct { uint32_t type, flags; uint64_t offset, vaddr, paddr, filesz, memsz, align; } p[3];
    struct { uint32_t namesz, descsz, type; char name[4]; uint64_t value; } note[5];
    char text[64];
};

static void good(struct file *f)
{
    static const uint32_t types[] = { 1, 2, 3, 13, 10 };
    uint64_t base = 0xffffffff80000000, values[] = { base + 0x100010, base + 0x100000, base, 0x8000000000, 0 };

    memset(f, 0, sizeof(*f));
    memcpy(f->h.ident, "\177ELF\2\1\1", 7);
    f->h.type = 2;
    f->h.machine = 62;
    f->h.phoff = sizeof(f->h);
    f->h.phentsize = sizeof(f->p[0]);
    f->h.phnum = 3;
    for (unsigned i = 0; i < 2; i++) {
        f->p[i].type = 1;
        f->p[i].offset = offsetof(struct file, text) + 32 * i;
        f->p[i].paddr = 0x100000 + i * 0x3000;
        f->p[i].filesz = 32;
        f->p[i].memsz = 0x1800;
    }
    f->p[2].type = 4;
    f->p[2].offset = offsetof(struct file, note);
    f->p[2].filesz = sizeof(f->note);
    for (unsigned i = 0; i < 5; i++) {
        f->note[i].namesz = 4;
        f->note[i].descsz = 8;
        f->note[i].type = types[i];
        memcpy(f->note[i].name, "Xen", 4);
        f->note[i].value = values[i];
    }
    memcpy(&f->note[4].value, "!dom0|a", 8);
}

static size_t packed(const char *tool, uint8_t *data, size_t room)
{
    char line[200], path[] = "/tmp/fuzz-kernel-XXXXXX";
    struct file f;
    int fd = mkstemp(path);
    size_t n = 0;
    FILE *p;

    good(&f);
    if (fd < 0 || write(fd, &f, sizeof(f)) != sizeof(f))
        return 0;
    close(fd);
    snprintf(line, sizeof(line), "%s <%s 2>/dev/null", tool, path);
    p = popen(line, "r");
    if (p) {
        n = fread(data, 1, room, p);
        pclose(p);
    }
    unlink(path);
    return n;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const char *const tools[] = { "cat", "gzip -c", "xz --check=crc32 --x86 -c", "zstd -q -c", "lz4 -l -c" };
    size_t size;

    if (n >= 10)
        return 0;
    if (n < 5)
        return (size = packed(tools[n], data, room)) ? size : 1;
    size = packed(tools[n - 5], data + 1024, room - 1024);
    data[0x1f1] = 1;
    data[0x1fe] = 0x55;
    data[0x1ff] = 0xaa;
    memcpy(data + 0x202, "HdrS\x0f\x02", 6);
    memcpy(data + 0x24c, &size, 4);
    return 1024 + size;
}
