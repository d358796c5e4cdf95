/* SPDX-License-Identifier: MIT */
/* memory.c: brk, mmap, munmap, mprotect, demand zero, copy on write, running out. */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

void *sbrk(ptrdiff_t change);

static char *map(size_t pages, int protection)
{
    char *p = mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED && ((uintptr_t)p & (PAGE - 1)) == 0);
    return p;
}

static void touch_it(void *arg)
{
    *(volatile char *)arg = 1;
}

static void read_it(void *arg)
{
    (void)*(volatile char *)arg;
}

static void brk_moves(void)
{
    char *start = sbrk(0), *more;

    CHECK(sbrk(10 * PAGE) == start);
    for (int i = 0; i < 10 * PAGE; i++)
        CHECK(start[i] == 0);
    memset(start, 0x55, 10 * PAGE);
    CHECK(sbrk(-10 * PAGE) == start + 10 * PAGE);
    char *gone = (char *)(((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1)) + PAGE;

    CHECK(dies_of(SIGSEGV, touch_it, gone));
    more = sbrk(10 * PAGE);
    CHECK(more == start);
    for (int i = PAGE; i < 10 * PAGE; i++)
        CHECK(start[i] == 0);            /* what comes back is not what was given away */
    CHECK_ERRNO((intptr_t)sbrk((ptrdiff_t)1 << 50), ENOMEM);
    CHECK(sbrk(0) == start + 10 * PAGE);
}

static void malloc_pattern(void)
{
    enum { SLOTS = 64 };
    unsigned char *slot[SLOTS] = { 0 };
    size_t size[SLOTS];
    unsigned seed = 7;

    for (int turn = 0; turn < 3000; turn++) {
        seed = seed * 1103515245 + 12345;
        int i = (int)(seed >> 16) % SLOTS;

        if (slot[i]) {
            for (size_t n = 0; n < size[i]; n += 61)
                CHECK(slot[i][n] == (unsigned char)(i + (int)n));
            free(slot[i]);
            slot[i] = NULL;
        } else {
            size[i] = seed % 5000 + 1;
            slot[i] = malloc(size[i]);
            CHECK(slot[i]);
            for (size_t n = 0; n < size[i]; n++)
                slot[i][n] = (unsigned char)(i + (int)n);
        }
    }
}

static void mmap_zero(void)
{
    char *p = map(16, PROT_READ | PROT_WRITE), *q = map(16, PROT_READ | PROT_WRITE);

    CHECK(p + 16 * PAGE <= q || q + 16 * PAGE <= p);
    for (int i = 0; i < 16 * PAGE; i += 64)
        CHECK(p[i] == 0);
    memset(p, 0xaa, 16 * PAGE);
    memset(q, 0xbb, 16 * PAGE);
    CHECK((unsigned char)p[16 * PAGE - 1] == 0xaa && (unsigned char)q[0] == 0xbb);
    CHECK(munmap(p, 16 * PAGE) == 0);
    p = map(16, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 16 * PAGE; i += 64)
        CHECK(p[i] == 0);
}

static void mmap_fixed(void)
{
    char *hint = map(4, PROT_READ | PROT_WRITE);

    hint[0] = hint[PAGE] = 1;
    char *p = mmap(hint + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    CHECK(p == hint + PAGE && hint[0] == 1 && p[0] == 0);       /* replaced, the neighbour untouched */
    p[0] = hint[3 * PAGE] = 2;
    CHECK(mmap((void *)0x10001, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap((void *)0xffff800000000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    CHECK(mmap((void *)0x7ffffffff000, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
}

static void mmap_refusals(void)
{
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, ~(size_t)0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    CHECK(mmap(NULL, (size_t)1 << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED && errno == EBADF);
    CHECK_ERRNO(munmap((void *)1, PAGE), EINVAL);
    CHECK(munmap((void *)0xffff800000000000, PAGE) == -1);
    CHECK(munmap((void *)0x7fffffffe000, ~(size_t)0 & ~(size_t)4095) == -1);
    CHECK(mprotect((void *)1, PAGE, PROT_READ) == -1);
    CHECK(mprotect((void *)0x500000000000, PAGE, PROT_READ) == -1);    /* nothing is there */
}

static void munmap_middle(void)
{
    char *p = map(8, PROT_READ | PROT_WRITE);

    for (int i = 0; i < 8; i++)
        p[i * PAGE] = (char)i;
    CHECK(munmap(p + 3 * PAGE, 2 * PAGE) == 0);
    CHECK(p[2 * PAGE] == 2 && p[5 * PAGE] == 5);
    CHECK(dies_of(SIGSEGV, read_it, p + 3 * PAGE));
    CHECK(dies_of(SIGSEGV, read_it, p + 5 * PAGE - 1));
    CHECK(munmap(p, 8 * PAGE) == 0);                 /* over a hole */
    CHECK(dies_of(SIGSEGV, read_it, p));
}

static void mprotect_stops(void)
{
    char *p = map(4, PROT_READ | PROT_WRITE);

    memset(p, 7, 4 * PAGE);
    CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
    CHECK(p[PAGE] == 7 && (p[0] = 8) == 8 && (p[2 * PAGE] = 9) == 9);
    CHECK(dies_of(SIGSEGV, touch_it, p + PAGE));
    CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
    CHECK(dies_of(SIGSEGV, read_it, p + PAGE));
    CHECK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK(p[PAGE] == 7);                             /* the contents outlive the protection */
    p[PAGE] = 1;
}

static void read_only_child(void *arg)
{
    CHECK(mprotect(arg, PAGE, PROT_READ) == 0);
}

static void mprotect_is_own(void)
{
    char *p = map(1, PROT_READ | PROT_WRITE);

    p[0] = 1;
    CHECK(in_child(read_only_child, p) == 0);
    p[0] = 2;
    CHECK(p[0] == 2);
}

static void mprotect_code(void)
{
    static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };   /* mov $42, %eax; ret */
    unsigned char *p = (unsigned char *)map(1, PROT_READ | PROT_WRITE);

    memcpy(p, code, sizeof(code));
    CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK(((int (*)(void))(uintptr_t)p)() == 42);
    CHECK(dies_of(SIGSEGV, touch_it, p));
}

static void mmap_file(void)
{
    char back[8];
    char *text = calloc(1, 2 * PAGE);

    strcpy(text, "first");
    strcpy(text + PAGE, "second");
    write_file("f", text, PAGE + 6);
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    CHECK(p != MAP_FAILED && strcmp(p, "first") == 0 && strcmp(p + PAGE, "second") == 0);
    CHECK(p[PAGE + 100] == 0);                       /* zero behind the end */
    p[0] = 'F';
    CHECK(pread(fd, back, 5, 0) == 5 && memcmp(back, "first", 5) == 0);     /* private */
    char *q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);

    CHECK(q != MAP_FAILED && strcmp(q, "second") == 0);
    CHECK(close(fd) == 0 && strcmp(q, "second") == 0);
}

static void demand_zero(void)
{
    struct sysinfo info;

    CHECK(sysinfo(&info) == 0);
    size_t pages = info.total_pages / 2;             /* only what is touched counts */
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long before = free_pages();

    CHECK(p != MAP_FAILED);
    for (size_t i = 0; i < 20; i++) {
        CHECK(p[i * (pages / 20) * PAGE] == 0);
        p[i * (pages / 20) * PAGE] = 1;
    }
    long used = before - free_pages();

    CHECK(used >= 20 && used < 120);
    CHECK(munmap(p, pages * PAGE) == 0);
    CHECK(before - free_pages() < 20);
}

static void memory_returns(void)
{
    long before = 0;

    for (int i = 0; i < 8; i++) {
        char *p = map(64, PROT_READ | PROT_WRITE);

        memset(p, i, 64 * PAGE);
        CHECK(munmap(p, 64 * PAGE) == 0);
        if (i == 2)
            before = free_pages();
    }
    CHECK(before - free_pages() < 4);
}

static int deep(int levels)
{
    volatile char frame[1024];

    frame[0] = (char)levels;
    frame[1023] = 1;
    return levels == 0 ? 0 : deep(levels - 1) + frame[1023] + (frame[0] != (char)levels);
}

static void go_deep(void *arg)
{
    CHECK(deep((int)(size_t)arg) == (int)(size_t)arg);
}

static volatile int never;

static int endless(volatile char *above)
{
    volatile char frame[512];

    frame[0] = above ? above[0] : 1;
    return never ? 0 : endless(frame) + frame[0];
}

static void go_too_deep(void *arg)
{
    (void)arg;
    endless(NULL);
}

static void stack_grows(void)
{
    CHECK(in_child(go_deep, (void *)256) == 0);      /* a quarter of a MiB */
}

static void stack_ends(void)
{
    CHECK(dies_of(SIGSEGV, go_too_deep, NULL));
}

static void take_all(void *arg)
{
    char *p;

    (void)arg;
    for (;;) {
        p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            _exit(0);
        for (int i = 0; i < 64; i++)
            p[i * PAGE] = 1;
    }
}

static void out_of_memory(void)
{
    long before = free_pages();
    int status = in_child(take_all, NULL);           /* refused, or killed: but it alone */

    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS
                              : WEXITSTATUS(status) == 0);
    CHECK(before - free_pages() < 32);
    CHECK(exits_with(0, start_child(read_it, &before)));
}

/* Memory runs out while a parent's pages are copied for a child that writes. */
static void write_all(void *arg)
{
    struct { char *p; size_t pages; } *area = arg;

    for (size_t i = 0; i < area->pages; i++)
        area->p[i * PAGE]++;
}

static long swap_pages(void)
{
    static char text[1024];
    int fd = open("/proc/meminfo", O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    const char *at;

    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = '\0';
    at = strstr(text, "SwapFree:");
    return at ? atol(at + 9) / 4 : 0;
}

static void out_of_memory_copying(void)
{
    long before = free_pages(), swap = swap_pages();
    struct { char *p; size_t pages; } area = { NULL, (size_t)(before + swap) * 6 / 10 };

    area.p = map(area.pages, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < area.pages; i++)
        area.p[i * PAGE] = 1;
    pid_t pid = fork();

    if (pid == 0) {
        write_all(&area);
        _exit(0);
    }
    if (pid > 0) {
        int status = wait_status(pid);

        CHECK(WIFSIGNALED(status));
    }
    for (size_t i = 0; i < area.pages; i += 7)
        CHECK(area.p[i * PAGE] == 1);
    CHECK(munmap(area.p, area.pages * PAGE) == 0);
    CHECK(before - free_pages() < 48);
    CHECK(swap - swap_pages() < 256);                /* others' pages may be there now */
}

/* The one to end waits for a file's lock, which the one that asks for memory holds: neither may wait for the other for ever. */
static void append_bytes(void *arg)
{
    long pages = *(long *)arg;
    char *p = map((size_t)pages, PROT_READ | PROT_WRITE);
    int fd = open("/tmp/appended", O_WRONLY | O_APPEND | O_CREAT, 0600);

    for (long i = 0; i < pages; i++)
        p[i * PAGE] = 1;
    while (write(fd, p, 1) == 1)
        ;
    pause();
}

static void append_much(void *arg)
{
    long pages = *(long *)arg;
    char *p = map((size_t)pages, PROT_READ | PROT_WRITE);
    int fd = open("/tmp/appended", O_WRONLY | O_APPEND | O_CREAT, 0600);

    for (int i = 0; i < 500 && free_pages() > pages; i++)
        usleep(10000);                               /* the other is to have its memory first */
    _exit(write(fd, p, (size_t)pages * PAGE) < 0);
}

static void out_of_memory_locked(void)
{
    long before = free_pages(), most = before * 7 / 10, rest = before * 4 / 10;
    pid_t large = start_child(append_bytes, &most), writer = start_child(append_much, &rest);

    wait_status(writer);                             /* killed, or done: but it ends */
    kill(large, SIGKILL);
    wait_status(large);
    CHECK(unlink("/tmp/appended") == 0);
    CHECK(before - free_pages() < 1024);             /* the file may be in the cache yet */
}

const struct test memory_tests[] = {
    { "brk_moves", brk_moves }, { "malloc_pattern", malloc_pattern }, { "mmap_zero", mmap_zero },
    { "mmap_fixed", mmap_fixed }, { "mmap_refusals", mmap_refusals }, { "munmap_middle", munmap_middle },
    { "mprotect_stops", mprotect_stops }, { "mprotect_is_own", mprotect_is_own }, { "mprotect_code", mprotect_code },
    { "mmap_file", mmap_file }, { "demand_zero", demand_zero }, { "memory_returns", memory_returns },
    { "stack_grows", stack_grows }, { "stack_ends", stack_ends }, { "out_of_memory", out_of_memory },
    { "out_of_memory_copying", out_of_memory_copying }, { "out_of_memory_locked", out_of_memory_locked }, { 0 },
};
