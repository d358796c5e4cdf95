/* SPDX-License-Identifier: MIT */
/* pattern.c: data that can be checked: a file filled from a seed, and read back.
 *
 * Each 8 bytes are a mix of the seed and their place in the file, so that a block that is lost, stale or in the wrong
 * place shows, and where. The tests compile this file for the build machine too (-DPATTERN_HOST), to read a guest's
 * data out of its disk image by another way than the guest's.                                                  */
#ifndef PATTERN_HOST
#include "guest-kernel/user/box/box.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE (256 * 1024)

static uint64_t buffer[PIECE / 8];

static uint64_t word_at(uint64_t seed, uint64_t index)
{
    uint64_t x = (index + seed * 0x9e3779b97f4a7c15ul) * 0xbf58476d1ce4e5b9ul;
    return x ^ x >> 29;
}

static int trouble(const char *what, uint64_t at)
{
    fprintf(stderr, "pattern: %s at byte %llu: %s\n", what, (unsigned long long)at, strerror(errno));
    return 1;
}

static int write_all(int fd, uint64_t bytes, uint64_t seed)
{
    for (uint64_t at = 0; at < bytes; at += PIECE) {
        size_t n = bytes - at < PIECE ? bytes - at : PIECE;

        for (size_t i = 0; i < (n + 7) / 8; i++)
            buffer[i] = word_at(seed, at / 8 + i);
        for (size_t done = 0; done < n;) {
            ssize_t got = write(fd, (char *)buffer + done, n - done);

            if (got <= 0)
                return trouble("writing", at + done);
            done += got;
        }
    }
    return fsync(fd) && errno != EINVAL ? trouble("fsync", bytes) : 0;
}

static int check_all(int fd, uint64_t bytes, uint64_t seed)
{
    for (uint64_t at = 0; at < bytes; at += PIECE) {
        size_t n = bytes - at < PIECE ? bytes - at : PIECE;

        for (size_t done = 0; done < n;) {
            ssize_t got = read(fd, (char *)buffer + done, n - done);

            if (got < 0)
                return trouble("reading", at + done);
            if (got == 0)
                return fprintf(stderr, "pattern: only %llu bytes are there\n", (unsigned long long)(at + done)), 1;
            done += got;
        }
        for (size_t i = 0; i < n / 8; i++)
            if (buffer[i] != word_at(seed, at / 8 + i)) {
                fprintf(stderr, "pattern: byte %llu is wrong: %016llx, not %016llx\n", (unsigned long long)(at + 8 * i),
                        (unsigned long long)buffer[i], (unsigned long long)word_at(seed, at / 8 + i));
                return 1;
            }
    }
    return 0;
}

static int run(int argc, char **argv)
{
    if (argc < 5 || (strcmp(argv[1], "write") && strcmp(argv[1], "check"))) {
        fprintf(stderr, "usage: pattern write|check FILE MIB SEED [OFFSET-MIB]\n");
        return 2;
    }
    int writing = argv[1][0] == 'w';
    int fd = open(argv[2], writing ? O_RDWR | O_CREAT : O_RDONLY, 0644);
    uint64_t bytes = strtoull(argv[3], NULL, 0) << 20, skip = argc > 5 ? strtoull(argv[5], NULL, 0) << 20 : 0;

    if (fd < 0 || (skip && lseek(fd, skip, SEEK_SET) < 0))
        return trouble(argv[2], skip);
    int rc = writing ? write_all(fd, bytes, strtoull(argv[4], NULL, 0)) : check_all(fd, bytes, strtoull(argv[4], NULL, 0));

    close(fd);
    if (rc == 0)
        printf("pattern: %s MiB %s\n", argv[3], writing ? "written" : "equal");
    return rc;
}

#ifdef PATTERN_HOST
int main(int argc, char **argv) { return run(argc, argv); }
#else
int pattern_main(int argc, char **argv) { return run(argc, argv); }
#endif
