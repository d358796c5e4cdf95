/* SPDX-License-Identifier: MIT */
/* fs_tests.c: claims about the page cache and ext2, played on fs_shim.c's machine; each in a file of its own. */
#include "guest-kernel/kernel/cache.h"
#include "tests/host/fs_machine.h"

void run_tests(const char *which, unsigned seed, unsigned rounds)
{
    bool all = strcmp(which, "all") == 0;
    for (unsigned r = 0; r < rounds; r++) {
        host_seed(seed + r);
        if (all || strcmp(which, "sizes") == 0) {
            test_sizes();
            test_many_entries();
        }
        for (unsigned f = 0; f < FORMATS; f++) {
            unsigned ops = all ? 100 : 400;
            if (all && f % 2 != r % 2)
                continue;                           /* half of them each time */
            if (all || strcmp(which, "model") == 0) {
                test_model(formats[f], 24, 1, ops, 4096);
                test_model(formats[f], 24, 3, ops, 400);
                full_disk_ok = true;
                test_model(formats[f], f == 3 ? 12 : 3, 2, ops, 1024);
                full_disk_ok = false;
            }
            if (all || strncmp(which, "crash", 5) == 0)
                test_crash(formats[f], 24, all || !which[5] ? 1 + r % 3 : (unsigned)(which[5] - '0'), 150, all ? 6 : 40);
        }
    }
    if (all || strcmp(which, "replay") == 0)
        test_replay(all ? 6 : rounds);
    if (all || strcmp(which, "edges") == 0)
        test_edges();
    if (all || strcmp(which, "hostile") == 0)
        test_hostile(seed, all ? 1500 : rounds);
}
