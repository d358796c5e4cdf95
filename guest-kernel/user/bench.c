/* SPDX-License-Identifier: MIT */
/* bench.c: what the calls of a small Unix cost here.
 *
 *     bench [instructions | ns] [TURNS]
 *
 * The same program runs on Novice natively, on Enso and on Xen, so that the differences are the kernel's floor. Lines are
 * `BENCH row,unit,value`, each the mean of a loop. Unit `instructions` reads the TSC, which counts them under QEMU's
 * -icount shift=0; unit `ns` reads the clock. tests/bench/run.py boots it everywhere and puts the figures side by side. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define TOUCHED 128

static int by_clock;
static unsigned scale = 1;

static uint64_t now(void)
{
    if (by_clock) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    }
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void report(const char *row, uint64_t taken, unsigned times)
{
    iprintf("BENCH %s,%s,%llu\n", row, by_clock ? "ns" : "instructions", (unsigned long long)((taken + times / 2) / times));
    fflush(stdout);
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void system_calls(void)
{
    unsigned times = 2000 * scale;
    uint64_t start = now();
    for (unsigned i = 0; i < times; i++)
        getpid();
    report("system call (getpid)", now() - start, times);
}

static void page_faults(void)
{
    uint64_t fault = 0, map = 0;
    unsigned rounds = 8 * scale;
    for (unsigned r = 0; r < rounds; r++) {
        uint64_t start = now();
        char *p = mmap(NULL, TOUCHED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            die("mmap");
        uint64_t mapped = now();
        for (unsigned i = 0; i < TOUCHED; i++)
            ((volatile char *)p)[i * PAGE] = 1;
        uint64_t touched = now();
        munmap(p, TOUCHED * PAGE);
        fault += touched - mapped;
        map += now() - touched + mapped - start;
    }
    report("page fault (fresh page)", fault, rounds * TOUCHED);
    report("mmap and munmap of 128 touched pages", map, rounds);
}

static void forks(void)
{
    unsigned times = 20 * scale;
    uint64_t start = now();
    for (unsigned i = 0; i < times; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    report("fork then exit and wait", now() - start, times);
}

static void execs(char *self)
{
    static char word[] = "nothing";
    char *argv[] = { self, word, NULL };
    unsigned times = 20 * scale;
    uint64_t start = now();
    for (unsigned i = 0; i < times; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            execv(self, argv);
            _exit(127);
        }
        waitpid(pid, NULL, 0);
    }
    report("fork then exec and exit and wait", now() - start, times);
}

static void pipes(void)
{
    static char buf[PAGE];
    unsigned times = 1000 * scale;
    int fd[2];
    if (pipe(fd))
        die("pipe");
    uint64_t start = now();
    for (unsigned i = 0; i < times; i++)
        if (write(fd[1], buf, 1) != 1 || read(fd[0], buf, 1) != 1)
            die("pipe");
    report("pipe one byte through", now() - start, times);
    start = now();
    for (unsigned i = 0; i < times; i++)
        if (write(fd[1], buf, 2048) != 2048 || read(fd[0], buf, 2048) != 2048)
            die("pipe");
    report("pipe 2048 bytes through", now() - start, times);
    close(fd[0]);
    close(fd[1]);
}

/* Two processes hand a byte to each other: each hand-over is a write, a read and a switch. */
static void switches(void)
{
    unsigned times = 500 * scale;
    int to[2], from[2];
    char c = 0;
    if (pipe(to) || pipe(from))
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        for (unsigned i = 0; i < times + 1; i++)
            if (read(to[0], &c, 1) != 1 || write(from[1], &c, 1) != 1)
                _exit(1);
        _exit(0);
    }
    uint64_t start = 0;
    for (unsigned i = 0; i < times + 1; i++) {
        if (i == 1)
            start = now();
        if (write(to[1], &c, 1) != 1 || read(from[0], &c, 1) != 1)
            die("pipe");
    }
    report("context switch (byte handed over)", now() - start, 2 * times);
    waitpid(pid, NULL, 0);
}

static void handler(int sig) { (void)sig; }

static void signals(void)
{
    unsigned times = 500 * scale;
    signal(SIGUSR1, handler);
    uint64_t start = now();
    for (unsigned i = 0; i < times; i++)
        kill(getpid(), SIGUSR1);
    report("signal sent and handled", now() - start, times);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "nothing") == 0)
        return 0;
    by_clock = argc > 1 && strcmp(argv[1], "ns") == 0;
    if (argc > 2)
        scale = (unsigned)atoi(argv[2]);
    system_calls();
    page_faults();
    forks();
    execs(argv[0]);
    pipes();
    switches();
    signals();
    iprintf("BENCH end of processes\n");
    return 0;
}
