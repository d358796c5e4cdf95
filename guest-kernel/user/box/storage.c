/* SPDX-License-Identifier: MIT */
/* storage.c: chown stat fsync sha256sum: what one asks of files that are kept. */
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int chown_main(int argc, char **argv)
{
    int status = 0;
    char *end, *group;
    long uid = argc > 2 ? strtol(argv[1], &end, 10) : -1, gid = -1;

    if (argc > 2 && *end == ':') {
        gid = strtol(end + 1, &group, 10);
        end = group;
    }
    if (argc < 3 || *end || uid < 0)
        return usage("UID[:GID] FILE...");
    for (int i = 2; i < argc; i++)
        if (chown(argv[i], (uid_t)uid, (gid_t)gid) < 0)
            status = fail(argv[i]);
    return status;
}

static const char *kind(mode_t mode)
{
    return S_ISREG(mode) ? "regular file" : S_ISDIR(mode) ? "directory" : S_ISLNK(mode) ? "symbolic link" :
           S_ISCHR(mode) ? "character device" : S_ISBLK(mode) ? "block device" : S_ISFIFO(mode) ? "FIFO" : "?";
}

static void show_time(const char *what, time_t t)
{
    char text[40];

    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime(&t));
    iprintf("%s: %s\n", what, text);
}

int stat_main(int argc, char **argv)
{
    int status = 0;
    struct stat st;

    if (argc < 2)
        return usage("FILE...");
    for (int i = 1; i < argc; i++) {
        if (lstat(argv[i], &st) < 0) {
            status = fail(argv[i]);
            continue;
        }
        printf("%s: %s, inode %llu on device %u, %u links\nsize %lld, %lld blocks of 512, mode %04o, owner %u:%u\n", argv[i],
               kind(st.st_mode), (unsigned long long)st.st_ino, (unsigned)st.st_dev, (unsigned)st.st_nlink, (long long)st.st_size,
               (long long)st.st_blocks, (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid, (unsigned)st.st_gid);
        show_time("accessed", st.st_atime);
        show_time("modified", st.st_mtime);
        show_time("changed ", st.st_ctime);
    }
    return status;
}

int fsync_main(int argc, char **argv)
{
    int status = 0;

    if (argc < 2)
        return usage("FILE...");
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);

        if (fd < 0 || fsync(fd) < 0)
            status = fail(argv[i]);
        if (fd >= 0)
            close(fd);
    }
    return status;
}

/* ---- SHA-256, as FIPS 180-4 describes it ---- */

struct sha {
    uint32_t h[8];
    uint64_t length;
    uint8_t  block[64];
};

static uint32_t k[64];

static uint32_t ror(uint32_t v, int n) { return v >> n | v << (32 - n); }

/* Its constants are the first bits of the fractions of roots of the first primes: computed, in whole numbers. */
static uint32_t root_fraction(uint64_t prime, int power)
{
    unsigned __int128 n = (unsigned __int128)prime << (power == 2 ? 64 : 96), low = 0, high = (unsigned __int128)1 << 40;

    while (high - low > 1) {
        unsigned __int128 mid = (low + high) / 2;

        if ((power == 2 ? mid * mid : mid * mid * mid) > n)
            high = mid;
        else
            low = mid;
    }
    return (uint32_t)low;
}

static void sha_begin(struct sha *s)
{
    int found = 0;

    memset(s, 0, sizeof(*s));
    for (uint64_t n = 2; found < 64; n++) {
        int prime = 1;

        for (uint64_t d = 2; d * d <= n; d++)
            prime &= n % d != 0;
        if (!prime)
            continue;
        if (found < 8)
            s->h[found] = root_fraction(n, 2);
        k[found++] = root_fraction(n, 3);
    }
}

static void sha_block(struct sha *s, const uint8_t *p)
{
    uint32_t w[64], v[8];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
               (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, s->h, sizeof(v));
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t t2 = (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof(*v));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        s->h[i] += v[i];
}

static void sha_add(struct sha *s, const uint8_t *p, size_t n)
{
    while (n) {
        size_t at = s->length % 64, piece = 64 - at < n ? 64 - at : n;

        memcpy(s->block + at, p, piece);
        s->length += piece;
        p += piece;
        n -= piece;
        if (s->length % 64 == 0)
            sha_block(s, s->block);
    }
}

static void sha_end(struct sha *s)
{
    uint64_t bits = s->length * 8;
    uint8_t tail[8];

    sha_add(s, (const uint8_t *)"\x80", 1);
    while (s->length % 64 != 56)
        sha_add(s, (const uint8_t *)"", 1);
    for (int i = 0; i < 8; i++)
        tail[i] = bits >> (56 - 8 * i);
    sha_add(s, tail, 8);
}

static int sum_one(int fd, const char *name)
{
    static uint8_t buf[65536];
    struct sha s;
    ssize_t n;

    sha_begin(&s);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        sha_add(&s, buf, (size_t)n);
    if (n < 0)
        return fail(name);
    sha_end(&s);
    for (int i = 0; i < 8; i++)
        printf("%08lx", (unsigned long)s.h[i]);
    printf("  %s\n", name);
    return 0;
}

int sha256sum_main(int argc, char **argv)
{
    int status = 0;

    if (argc < 2)
        return sum_one(0, "-");
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);

        status |= fd < 0 ? fail(argv[i]) : sum_one(fd, argv[i]);
        if (fd >= 0)
            close(fd);
    }
    return status;
}
