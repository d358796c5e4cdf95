/* SPDX-License-Identifier: MIT */
/* mb2.c: the Multiboot2 information, read with suspicion.                                               [read 88]
 *
 * The boot loader is trusted, its bytes are not: lengths may be damaged, strings may lack their end, and modules may
 * lie on one another. Nothing is read beyond `available`, and nothing outside the tag that claims it. This file
 * includes no hypervisor header but its own, so that the host's tests run it under sanitizers.                    */
#include "hypervisor/boot/mb2.h"

#include <stdbool.h>

#define TAG_END      0
#define TAG_CMDLINE  1
#define TAG_MODULE   3
#define TAG_MMAP     6
#define TAG_ACPI_OLD 14
#define TAG_ACPI_NEW 15

/* Fields may lie at odd places in a damaged structure: byte by byte. */
static uint64_t get(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}
static uint32_t get32(const uint8_t *p) { return (uint32_t)get(p, 4); }

static void complain(struct mb2_info *out, const char *what)
{
    if (!out->complaint)
        out->complaint = what;
}

/* The string that fills [p, p + n), or NULL when it has no end. */
static const char *string_in(const uint8_t *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!p[i])
            return (const char *)p;
    return NULL;
}

static bool module_overlaps(const struct mb2_info *out, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < out->nr_modules; i++)
        if (start < out->module[i].end && out->module[i].start < end)
            return true;
    return false;
}

static void tag_module(const uint8_t *tag, uint32_t size, struct mb2_info *out)
{
    const char *text = size >= 17 ? string_in(tag + 16, size - 16) : NULL;
    struct mb2_module m;

    if (!text) {
        complain(out, "a module's entry is cut off; it is not used");
        return;
    }
    m = (struct mb2_module){ get32(tag + 8), get32(tag + 12), text };
    if (m.end < m.start)
        complain(out, "a module ends before it starts; it is not used");
    else if (module_overlaps(out, m.start, m.end))
        complain(out, "two modules lie on one another; the later one is not used");
    else if (out->nr_modules == MB2_MAX_MODULES)
        complain(out, "there are more than 96 modules; the rest is not used");
    else
        out->module[out->nr_modules++] = m;
}

static void tag_mmap(const uint8_t *tag, uint32_t size, struct mb2_info *out)
{
    uint32_t entry_size = size >= 16 ? get32(tag + 8) : 0;

    if (entry_size < 24) {
        complain(out, "the memory map's entries have an impossible size");
        return;
    }
    for (uint32_t off = 16; size - off >= entry_size; off += entry_size) {
        const uint8_t *e = tag + off;
        struct mb2_range r = { get(e, 8), get(e + 8, 8), get32(e + 16) };
        if (!r.size)
            continue;
        if (r.addr + r.size < r.addr)
            r.size = -r.addr;
        if (out->nr_ranges == MB2_MAX_RANGES) {
            complain(out, "the memory map has more than 128 entries; the rest is not used");
            return;
        }
        out->range[out->nr_ranges++] = r;
    }
}

static void tag_cmdline(const uint8_t *tag, uint32_t size, struct mb2_info *out)
{
    const char *s = string_in(tag + 8, size - 8);

    if (s)
        out->cmdline = s;
    else
        complain(out, "the command line has no end; it is not used");
}

/* A newer RSDP wins over an old one. */
static void tag_rsdp(uint32_t type, uint32_t offset, uint32_t size, struct mb2_info *out)
{
    if (size < 8 + (type == TAG_ACPI_NEW ? 36 : 20))
        complain(out, "the copy of the ACPI root is cut off; it is not used");
    else if (type == TAG_ACPI_NEW || !out->rsdp_offset)
        out->rsdp_offset = offset + 8;
}

static void one_tag(const uint8_t *base, uint32_t offset, uint32_t type, uint32_t size, struct mb2_info *out)
{
    switch (type) {
    case TAG_CMDLINE: tag_cmdline(base + offset, size, out); break;
    case TAG_MODULE:  tag_module(base + offset, size, out); break;
    case TAG_MMAP:    tag_mmap(base + offset, size, out); break;
    case TAG_ACPI_OLD:
    case TAG_ACPI_NEW: tag_rsdp(type, offset, size, out); break;
    }
}

int mb2_parse(const void *mbi, size_t available, struct mb2_info *out)
{
    const uint8_t *base = mbi;
    uint32_t total;

    *out = (struct mb2_info){ .cmdline = "" };
    if (available < 8 || (total = get32(base)) < 8 || total > available) {
        complain(out, "the boot information's length is impossible");
        return -1;
    }
    for (uint32_t off = 8; total - off >= 8;) {
        uint32_t type = get32(base + off), size = get32(base + off + 4);
        if (type == TAG_END)
            return 0;
        if (size < 8 || size > total - off) {
            complain(out, "a tag of the boot information has an impossible length; what follows it is not used");
            return 0;
        }
        one_tag(base, off, type, size, out);
        size = (size + 7) & ~7u;
        if (size > total - off)
            break;
        off += size;
    }
    complain(out, "the boot information has no end tag");
    return 0;
}
