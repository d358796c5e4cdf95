/* SPDX-License-Identifier: MIT */
/* bzimage.c: Linux's setup header, as Documentation/x86/boot.rst gives it.
 *
 * From boot protocol 2.08 on the header says where, behind the real-mode code,
 * the compressed vmlinux starts and how long it is; that ELF carries the Xen
 * notes, so the bzImage's own decompressor never runs.                       */
#include "dom0-tools/builder/bzimage.h"

#define SETUP_SECTS     0x1f1
#define BOOT_FLAG       0x1fe
#define HEADER_MAGIC    0x202
#define HEADER_VERSION  0x206
#define PAYLOAD_OFFSET  0x248
#define PAYLOAD_LENGTH  0x24c

static uint32_t word(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

bool bzimage_is(const uint8_t *head, size_t n)
{
    return n >= BZIMAGE_HEAD && head[BOOT_FLAG] == 0x55 && head[BOOT_FLAG + 1] == 0xaa &&
           word(head + HEADER_MAGIC) == 0x53726448;
}

int bzimage_payload(const uint8_t *head, size_t n, uint64_t size, uint64_t *from, uint64_t *len, struct complaint *why)
{
    unsigned version = word(head + HEADER_VERSION) & 0xffff;
    unsigned sects = head[SETUP_SECTS] ? head[SETUP_SECTS] : 4;
    uint64_t start, length;

    if (n < BZIMAGE_HEAD)
        return complain(why, "the file is too short for a Linux setup header");
    if (version < 0x208)
        return complain(why, "a Linux bzImage of boot protocol %x.%02x; 2.08 (Linux 2.6.26) or later is needed",
                        version >> 8, version & 0xff);
    start = (uint64_t)(sects + 1) * 512 + word(head + PAYLOAD_OFFSET);
    length = word(head + PAYLOAD_LENGTH);
    if (length < 16 || start > size || length > size - start)
        return complain(why, "a truncated bzImage: its payload should end at byte %llu, and the file has %llu",
                        (unsigned long long)(start + length), (unsigned long long)size);
    *from = start;
    *len = length;
    return 0;
}
