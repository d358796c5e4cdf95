/* SPDX-License-Identifier: MIT */
/* fs_replay.c: claim: a journal that others wrote (debugfs here: several transactions, blocks revoked, blocks that look like the
 * journal's own) is replayed as e2fsck replays it, block for block. A failure means that a disk of a Linux that was cut off comes
 * back with what had been replaced. */
#include "guest-kernel/kernel/cache.h"
#include "tests/host/fs_machine.h"

#define FIRST 5000                                   /* blocks of nobody's */
#define COUNT 200
#define BLOCK 1024u

static void add_transaction(char *script, size_t size, unsigned n)
{
    static uint8_t data[24 * BLOCK];
    size_t at = strlen(script);
    unsigned blocks = 1 + host_dice(20);
    uint32_t magic = 0x98393bc0;                     /* big-endian, as it lies in a journal */
    host_fill(data, sizeof(data));
    for (unsigned k = 0; k < blocks; k++) {
        memset(data + k * BLOCK, n * 16 + k, BLOCK);
        if (host_dice(5) == 0)
            memcpy(data + k * BLOCK, &magic, 4);
    }
    at += ksnprintf(script + at, size - at, "jw -b ");
    for (unsigned k = 0, b = FIRST + host_dice(COUNT - 100); k < blocks; k++, b += 1 + host_dice(4))
        at += ksnprintf(script + at, size - at, "%s%u", k ? "," : "", b);
    at += ksnprintf(script + at, size - at, " %s\n", host_data(data, blocks * BLOCK));
    if (host_dice(2))
        return;
    at += ksnprintf(script + at, size - at, "jw -r ");
    for (unsigned k = 0, b = FIRST + host_dice(30); k < 12; k++, b += 1 + host_dice(9))
        at += ksnprintf(script + at, size - at, "%s%u", k ? "," : "", b);
    ksnprintf(script + at, size - at, "\n");
}

void test_replay(unsigned rounds)
{
    static uint8_t theirs[COUNT * BLOCK], ours[COUNT * BLOCK];
    static char script[8192];
    unsigned differ = 0;
    host_say("journals of others\n");
    for (unsigned r = 0; r < rounds; r++) {
        host_mkfs("-t ext3 -b 1024 -J size=1", 8);
        strlcpy(script, "jo\n", sizeof(script));
        for (unsigned n = 1 + host_dice(6); n; n--)
            add_transaction(script, sizeof(script), n);
        strlcpy(script + strlen(script), "jc\n", 8);
        host_debugfs(script);
        void *cut = host_disk_copy();
        CHECK(host_fsck("-fp") <= 1, "e2fsck's replay\n");
        host_disk_read(theirs, FIRST * BLOCK, sizeof(theirs));
        host_disk_set(cut, host_disk_size());
        host_free(cut);
        CHECK(mount_it() == 0, "our replay\n");
        cache_boot();
        unmount_it();
        host_disk_read(ours, FIRST * BLOCK, sizeof(ours));
        for (unsigned k = 0; k < COUNT; k++)
            CHECK(memcmp(theirs + k * BLOCK, ours + k * BLOCK, BLOCK) == 0, "round %u: block %u was replayed otherwise (%x, e2fsck: %x)\n%s", r,
                  FIRST + k, ours[k * BLOCK + 9], theirs[k * BLOCK + 9], script);
        for (unsigned k = 0; k < COUNT; k++)
            differ += ours[k * BLOCK + 9] != 0;
        fsck_clean("after our replay");
    }
    CHECK(differ > rounds, "only %u blocks were in journals\n", differ);
}
