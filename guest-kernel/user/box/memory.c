/* SPDX-License-Identifier: MIT */
/* memory.c: what has to do with memory and swap: mkswap swapon swapoff memload. */
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

/* ---- mkswap ---- */

int mkswap_main(int argc, char **argv)
{
    static char page[PAGE];
    if (argc != 2)
        return usage("DEVICE|FILE");
    int fd = open(argv[1], O_RDWR);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (size < 0)
        return fail(argv[1]);
    if (size < 10 * PAGE) {
        fprintf(stderr, "mkswap: %s: too small: a swap area has 40 KiB at least\n", argv[1]);
        return 1;
    }
    uint32_t last = size / PAGE > 0xfffffffe ? 0xfffffffe : (uint32_t)(size / PAGE - 1), version = 1;
    memcpy(page + 1024, &version, 4);
    memcpy(page + 1028, &last, 4);
    for (int i = 0; i < 16; i++)                    /* a UUID that nobody needs to trust */
        page[1036 + i] = (char)(rand() >> 7 ^ time(NULL) >> i);
    memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
    if (lseek(fd, 0, SEEK_SET) < 0 || write(fd, page, PAGE) != PAGE || fsync(fd))
        return fail(argv[1]);
    close(fd);
    printf("%s: %lu KiB of swap\n", argv[1], (unsigned long)last * 4);
    return 0;
}

/* ---- swapon, swapoff ---- */

static int show_swaps(void)
{
    int fd = open("/proc/swaps", O_RDONLY);
    return fd < 0 || copy_fd(fd, 1) ? fail("/proc/swaps") : 0;
}

static const char *reason(int e)
{
    return e == EINVAL ? "no swap area is there (mkswap makes one)" : e == EBUSY ? "in use" : e == ENXIO ? "no such device" :
           e == ENOMEM ? "memory is too short to bring everything back" : strerror(e);
}

/* Swap is written past the file system, so every block of its file has to be there. */
static bool has_holes(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (off_t)st.st_blocks * 512 < st.st_size;
}

int swapon_main(int argc, char **argv)
{
    if (argc == 1)
        return show_swaps();
    for (int i = 1; i < argc; i++)
        if (swapon(argv[i], 0)) {
            fprintf(stderr, "swapon: %s: %s\n", argv[i], errno == EINVAL && has_holes(argv[i])
                    ? "the file has holes: write all of it (dd if=/dev/zero), then mkswap" : reason(errno));
            return 1;
        }
    return 0;
}

int swapoff_main(int argc, char **argv)
{
    if (argc < 2)
        return usage("DEVICE|FILE ...");
    for (int i = 1; i < argc; i++)
        if (swapoff(argv[i])) {
            fprintf(stderr, "swapoff: %s: %s\n", argv[i], errno == EINVAL ? "not in use as swap" : reason(errno));
            return 1;
        }
    return 0;
}

/* ---- memload: uses memory, and checks that it keeps what was put there ---- */

static uint64_t value(uint64_t seed, uint64_t page, uint64_t word)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15ull + page * 0xbf58476d1ce4e5b9ull + word;
    return x ^ x >> 31;
}

static int pace;                    /* ms to wait after each MiB of the first round */

/* Words at both ends and in the middle tell a page from any other. */
static void fill(uint64_t *at, uint64_t seed, uint64_t page)
{
    static const unsigned words[] = { 0, 255, 256, 511 };
    for (unsigned i = 0; i < 4; i++)
        at[words[i]] = value(seed, page, words[i]);
}

static int check(const uint64_t *at, uint64_t seed, uint64_t page)
{
    static const unsigned words[] = { 0, 255, 256, 511 };
    for (unsigned i = 0; i < 4; i++)
        if (at[words[i]] != value(seed, page, words[i])) {
            printf("memload: page %lu word %u has %016lx and should have %016lx\n", (unsigned long)page, words[i], (unsigned long)at[words[i]],
                   (unsigned long)value(seed, page, words[i]));
            return 1;
        }
    return 0;
}

/* As a guest's only program: the boot line says memload=MIB,ROUNDS,WAIT,PACE,LINGER (seconds but for PACE, ms a MiB), and perhaps swap=DEVICE. */
static int from_environment(const char *words)
{
    int mib = 1, rounds = 1, wait = 0, linger = 0;
    char *swap[] = { "swap", getenv("swap"), NULL };
    char a[16], b[16], *argv[] = { "memload", a, b, NULL };

    sscanf(words, "%d,%d,%d,%d,%d", &mib, &rounds, &wait, &pace, &linger);
    sleep((unsigned)wait);
    for (int i = 0; swap[1] && access(swap[1], F_OK) && i < 100; i++)
        usleep(100000);                             /* a disk may be on its way to us */
    sniprintf(a, sizeof(a), "%d", mib);
    sniprintf(b, sizeof(b), "%d", rounds);
    if (swap[1] && (mkswap_main(2, swap) || swapon_main(2, swap)))
        return 1;
    printf("memload: begins with %s MiB\n", a);
    int rc = memload_main(3, argv);
    printf("memload: status %d\n", rc);
    fflush(stdout);
    sleep((unsigned)linger);
    return rc;
}

int memload_main(int argc, char **argv)
{
    if (argc == 1 && getenv("memload"))
        return from_environment(getenv("memload"));
    bool good = argc >= 2 && argc <= 4;
    bool fork_too = good && strcmp(argv[1], "-f") == 0, shared = good && strcmp(argv[1], "-s") == 0;
    argc -= fork_too + shared;
    argv += fork_too + shared;
    long mib = good && argc > 1 ? parse_number(argv[1], &good) : 0, rounds = good && argc > 2 ? parse_number(argv[2], &good) : 1;
    if (!good || mib < 1 || rounds < 1)
        return usage("[-f|-s] MIB [ROUNDS]     (-f: half of the rounds in a child, too; -s: in turns with children, in shared memory)");
    uint64_t pages = (uint64_t)mib << 8;
    char *mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED)
        return fail("memory");
    for (uint64_t p = 0; p < pages; p++) {
        fill((uint64_t *)(mem + p * PAGE), 0, p);
        if (pace && p % 256 == 255)
            usleep((useconds_t)pace * 1000);
    }
    for (long r = 1; r <= rounds; r++) {
        pid_t child = (fork_too || shared) && r % 2 ? fork() : -1;
        for (uint64_t p = 0; p < pages && !(shared && child > 0); p++) {
            uint64_t *at = (uint64_t *)(mem + p * PAGE);
            if (check(at, (uint64_t)r - 1, p))
                return 1;
            fill(at, (uint64_t)r, p);
        }
        if (child == 0)
            _exit(0);
        int status = 0;
        if (child > 0 && (waitpid(child, &status, 0) != child || status))
            return fail("child");
    }
    for (uint64_t p = 0; p < pages; p++)
        if (check((uint64_t *)(mem + p * PAGE), (uint64_t)rounds, p))
            return 1;
    munmap(mem, pages * PAGE);
    printf("memload: %ld MiB, %ld rounds, as it should be\n", mib, rounds);
    return 0;
}
