/* SPDX-License-Identifier: MIT */
/* volume.h: a disk, read in bytes, and the partitions on it.
 *
 * All that is read here was written by a guest and may be anything. Every read
 * is checked against the volume's end, and the sum of all reads is bounded, so
 * that no table can send a reader round for ever.                            */
#ifndef ENSO_VOLUME_H
#define ENSO_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOLUME_PARTITIONS 64

struct volume {
    int      fd;
    uint64_t size;              /* bytes                                         */
    uint64_t budget;            /* bytes that may still be read; a small read counts as 256 */
};

struct extent {
    uint64_t start, len;        /* bytes                                         */
};

/* Exactly n bytes; false if they are not all there, or the budget is used up. */
bool volume_read(struct volume *v, uint64_t at, void *buf, size_t n);

/* The partitions in the table's order (GPT, MBR with logical ones), or, without
 * a table, the whole disk as one. How many.                                  */
unsigned volume_partitions(struct volume *v, struct extent part[VOLUME_PARTITIONS]);

static inline uint32_t le16(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
    return le16(p) | le16(p + 2) << 16;
}

static inline uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

#endif
