/* SPDX-License-Identifier: MIT */
/* ext2.c: the claim of tests/host/fs_hostile.c, its damage and its use chosen by coverage: a valid image of one of six kinds, two of
 * them with a journal to replay, a few fields of it changed to what an attacker would choose or to any bytes at all, mounted, used by
 * a sequence of operations whose disk requests end in any order, and unmounted: no crash, no hang, nothing lost. */
#include "tests/host/fs_hostile.c"
#include "tests/fuzz/dice.h"

DICE_OF_THIS_TARGET;

static uint32_t after;

/* fs_host.c's own dice are renamed. When the input is used up, what is under way still wants turns. */
unsigned host_dice(unsigned sides)
{
    if (!dice_left && sides)
        return after++ % sides;
    return dice(sides);
}

int fs_host_main(int argc, char **argv);

/* fs_host_main calls this between making its folder and removing it. */
void run_tests(const char *which, unsigned seed, unsigned rounds)
{
    host_page_limit = 2048;
    promises_off();
    host_seed(1);
    for (unsigned kind = 0; kind < KINDS; kind++)
        forges[kind] = prepare(kind);
    boot();
    cache_boot();
}

/* Bytes of the input over what stands in a place that the forge knows. */
static void overwrite(struct forge *f)
{
    uint8_t bytes[16];
    uint32_t at = host_dice(2) ? f->inode[host_dice(f->inodes)] + 4 * host_dice(32) : f->dir[host_dice(f->dirs)] + 4 * host_dice(f->block / 4);

    if (host_dice(4) == 0)
        at = f->logs ? f->log[host_dice(f->logs)] + 4 * host_dice(64) : 1024 + 4 * host_dice(64);
    dice_bytes(bytes, sizeof(bytes));
    host_disk_write(bytes, at, 1 + host_dice(16));
}

static void mount_use_unmount(void)
{
    if (fs_mount("/dev/disk", "/", "ext2", host_dice(8) == 7 ? MS_RDONLY : 0))
        return;
    for (unsigned steps = 0; dice_left && steps < 200; steps++)
        use(1);
    struct mount *m = the_mount();
    cache_sync_all();
    host_bad_reads = host_bad_memory = 0;
    CHECK(m->type->umount(m) == 0, "umount\n");
    kfree(m);
    list_init(&all_mounts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char *argv[] = { "ext2", 0 };

    dice_begin(bytes, 0);
    if (!forges[0])
        fs_host_main(1, argv);
    after = 0;
    dice_begin(bytes, n);
    struct forge *f = forges[host_dice(KINDS)];
    size_t before = host_pieces();
    host_disk_set(f->clean, f->size);
    boot();
    for (unsigned k = host_dice(16); k; k--)
        if (host_dice(3))
            forge_one(f);
        else
            overwrite(f);
    unsigned trouble = host_dice(16);
    host_bad_reads = trouble == 1 ? 40 : 0;
    host_bad_writes = trouble == 1 || trouble == 2 ? 40 : 0;
    host_bad_memory = trouble == 3 ? 60 : 0;
    mount_use_unmount();
    host_bad_reads = host_bad_writes = host_bad_memory = 0;
    CHECK(host_pages_used() == 0, "pages lost: %zu\n", host_pages_used());
    CHECK(host_pieces() == before, "of the heap were lost: %zd\n", host_pieces() - before);
    CHECK(!host_dev.claimed, "the disk is still taken\n");
    return 0;
}
