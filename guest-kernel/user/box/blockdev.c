/* SPDX-License-Identifier: MIT */
/* blockdev.c: what can be asked of a block device besides reading and writing it. */
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BLKRRPART    0x125f
#define BLKFLSBUF    0x1261
#define BLKDISCARD   0x1277
#define BLKGETSIZE64 0x80081272

static int ask(int fd, char **argv)
{
    uint64_t range[2];

    if (strcmp(argv[1], "size") == 0) {
        int rc = ioctl(fd, BLKGETSIZE64, range);
        if (rc == 0)
            printf("%llu\n", (unsigned long long)range[0]);
        return rc;
    }
    if (strcmp(argv[1], "flush") == 0)
        return ioctl(fd, BLKFLSBUF, 0);
    if (strcmp(argv[1], "rescan") == 0)
        return ioctl(fd, BLKRRPART, 0);
    if (strcmp(argv[1], "discard") == 0 && argv[3] && argv[4]) {
        range[0] = strtoull(argv[3], 0, 0);
        range[1] = strtoull(argv[4], 0, 0);
        return ioctl(fd, BLKDISCARD, range);
    }
    errno = EINVAL;
    return -1;
}

int blockdev_main(int argc, char **argv)
{
    int fd, rc;

    if (argc < 3) {
        fprintf(stderr, "blockdev: size|flush|rescan DEVICE, discard DEVICE OFFSET LENGTH\n");
        return 2;
    }
    fd = open(argv[2], strcmp(argv[1], "discard") == 0 ? O_RDWR : O_RDONLY);
    rc = fd < 0 ? -1 : ask(fd, argv);
    if (rc < 0)
        fprintf(stderr, "blockdev: %s: %s\n", argv[2], strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc < 0;
}
