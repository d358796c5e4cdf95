/* SPDX-License-Identifier: MIT */
/* unpack.c: which decompressor a file wants, by its first bytes.             */
#include "dom0-tools/builder/unpack.h"

#include <string.h>

const struct unpacker *unpack_find(const uint8_t *head, size_t n)
{
    static const struct unpacker *const all[] = { &unpack_gzip, &unpack_xz, &unpack_zstd, &unpack_lz4 };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (n >= all[i]->magic_len && memcmp(head, all[i]->magic, all[i]->magic_len) == 0)
            return all[i];
    return NULL;
}
