/* SPDX-License-Identifier: MIT */
/* diskbench.c: how fast a block device is: large requests in a row, small ones anywhere, many or one at a time.
 *
 * Prints BENCH lines for tests/bench: nanoseconds a request (which are instructions where the machine counts those). What
 * stands on the device is overwritten.                                                                         */
#include "guest-kernel/uapi/blkmeasure.h"
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct {
    const char *row;
    struct blk_measure m;
} rows[] = {
    { "disk write sequential 1 MiB", { .write = 1, .bytes = 1 << 20, .depth = 4 } },
    { "disk read sequential 1 MiB", { .bytes = 1 << 20, .depth = 4 } },
    { "disk write random 4 KiB depth 32", { .write = 1, .random = 1, .bytes = 4096, .depth = 32 } },
    { "disk read random 4 KiB depth 32", { .random = 1, .bytes = 4096, .depth = 32 } },
    { "disk write random 4 KiB depth 1", { .write = 1, .random = 1, .bytes = 4096, .depth = 1 } },
    { "disk read random 4 KiB depth 1", { .random = 1, .bytes = 4096, .depth = 1 } },
};

int diskbench_main(int argc, char **argv)
{
    int fd, few;

    if (argc < 4) {
        fprintf(stderr, "diskbench: DEVICE ns|instructions MIB [ROW [COUNT]]: overwrites the first MIB of the device\n");
        return 2;
    }
    few = strcmp(argv[2], "instructions") == 0;
    fd = open(argv[1], O_RDWR);
    for (unsigned i = 0; fd >= 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct blk_measure m = rows[i].m;
        if (argc > 4 && !strstr(rows[i].row, argv[4]))
            continue;
        m.span = strtoull(argv[3], 0, 0) << 20;
        m.count = m.bytes > 4096 ? m.span / m.bytes : few ? 512 : m.depth > 1 ? 16384 : 2048;
        if (argc > 5)
            m.count = strtoull(argv[5], 0, 0);
        if (ioctl(fd, BLKMEASURE, &m) < 0) {
            fprintf(stderr, "diskbench: %s: %s\n", rows[i].row, strerror(errno));
            return 1;
        }
        printf("BENCH %s,%s,%llu\n", rows[i].row, argv[2], (unsigned long long)(m.ns / m.count));
    }
    if (fd < 0)
        fprintf(stderr, "diskbench: %s: %s\n", argv[1], strerror(errno));
    return fd < 0;
}
