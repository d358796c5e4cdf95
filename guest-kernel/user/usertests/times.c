/* SPDX-License-Identifier: MIT */
/* times.c: clocks, sleeping, and who gets the processor. */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest-kernel/uapi/syscall.h"
#include "guest-kernel/uapi/timepage.h"

static long us(void)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
    return (long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void clock_monotonic(void)
{
    long first = us(), before = first;

    for (int i = 0; i < 5000; i++) {
        long now = us();

        CHECK(now >= before);
        before = now;
    }
    CHECK(before > first);
}

static void clock_wall(void)
{
    struct timespec a, b;
    struct timeval v;

    CHECK(clock_gettime(CLOCK_REALTIME, &a) == 0 && gettimeofday(&v, NULL) == 0 && clock_gettime(CLOCK_REALTIME, &b) == 0);
    CHECK(a.tv_sec <= v.tv_sec && v.tv_sec <= b.tv_sec && v.tv_usec < 1000000);
    CHECK(a.tv_sec > 1577836800);                    /* 2020: the machine's own clock was read */
    CHECK_ERRNO(clock_gettime(99, &a), EINVAL);
    CHECK(clock_getres(CLOCK_MONOTONIC, &a) == 0 && a.tv_sec == 0 && a.tv_nsec > 0);
}

/* The page from which the C library reads the time is everybody's: nobody may write to it. */
static void spoil_time_page(void *arg)
{
    (void)arg;
    if (mprotect((void *)TIME_PAGE, 4096, PROT_READ | PROT_WRITE) == 0)
        memset((void *)TIME_PAGE, 0xff, 64);
    else
        *(volatile char *)TIME_PAGE = 1;
    pause_ms(10);
}

static void clock_page(void)
{
    struct timespec call, page;

    CHECK(raw_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)(size_t)&call, 0, 0, 0, 0) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &page) == 0);
    long apart = (long)(page.tv_sec - call.tv_sec) * 1000 + (page.tv_nsec - call.tv_nsec) / 1000000;

    CHECK(apart >= -5 && apart < 500);
    in_child(spoil_time_page, NULL);
    long before = us();

    pause_ms(20);
    CHECK(us() - before >= 20000 && us() - before < 2000000);
    CHECK(*(volatile unsigned *)TIME_PAGE != ~0u);
}

static void sleep_long_enough(void)
{
    static const int lengths[] = { 1, 5, 20, 100 };

    for (int i = 0; i < 4; i++) {
        struct timespec t = { 0, lengths[i] * 1000000 };
        long start = us();

        CHECK(nanosleep(&t, NULL) == 0);
        long took = us() - start;

        CHECK(took >= lengths[i] * 1000 && took < lengths[i] * 1000 + 2000000);
    }
    struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };

    CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
    CHECK_ERRNO(nanosleep(&negative, NULL), EINVAL);
}

static void nothing(int sig)
{
    (void)sig;
}

static void sleep_interrupted(void)
{
    struct itimerval soon = { { 0, 0 }, { 0, 50000 } };
    struct sigaction act = { .sa_handler = nothing };
    struct timespec t = { 10, 0 }, left = { 0, 0 };

    CHECK(sigaction(SIGALRM, &act, NULL) == 0 && setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK_ERRNO(nanosleep(&t, &left), EINTR);
    CHECK(left.tv_sec >= 7 && left.tv_sec < 10);
    alarm(30);
}

static void sleep_for(void *arg)
{
    pause_ms((int)(size_t)arg);
    _exit((int)(size_t)arg / 40);
}

static void sleepers_wake_in_order(void)
{
    pid_t pids[4];
    int status;

    for (int i = 0; i < 4; i++)
        pids[i] = start_child(sleep_for, (void *)(size_t)(160 - 40 * i + 40));
    for (int i = 3; i >= 0; i--)
        CHECK(wait(&status) == pids[i]);
}

static void cpu_time_counts(void)
{
    struct rusage before, after;
    struct timespec cpu;
    struct tms t;
    volatile long n = 0;

    CHECK(getrusage(RUSAGE_SELF, &before) == 0);
    pause_ms(100);
    CHECK(getrusage(RUSAGE_SELF, &after) == 0);
    long slept = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000 + (after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1000;

    CHECK(slept < 60);                               /* sleeping is free */
    for (long start = now_ms(); now_ms() - start < 150;)
        for (int i = 0; i < 10000; i++)
            n++;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0 && cpu.tv_sec * 1000 + cpu.tv_nsec / 1000000 >= 20);
    CHECK(times(&t) != (clock_t)-1 && t.tms_utime + t.tms_stime >= 20);
    CHECK_ERRNO(getrusage(5, &after), EINVAL);
}

static void spin_for_ever(void *arg)
{
    for (;;)
        (*(volatile long *)arg)++;
}

/* Three processes that never call the kernel: the parent must still get its turns. */
static void preemption(void)
{
    pid_t pids[3];
    static long turns;

    for (int i = 0; i < 3; i++)
        pids[i] = start_child(spin_for_ever, &turns);
    long worst = 0;

    for (int i = 0; i < 20; i++) {
        long start = now_ms();

        pause_ms(5);
        long late = now_ms() - start - 5;

        worst = late > worst ? late : worst;
    }
    for (int i = 0; i < 3; i++) {
        CHECK(kill(pids[i], SIGKILL) == 0);
        CHECK(WTERMSIG(wait_status(pids[i])) == SIGKILL);
    }
    CHECK(worst < 1000);
}

static void count_for(void *arg)
{
    volatile unsigned long n = 0;

    for (long start = now_ms(); now_ms() - start < 600;)
        for (int i = 0; i < 2000; i++)
            n++;
    unsigned long result = n;

    CHECK(write((int)(size_t)arg, &result, sizeof(result)) == sizeof(result));
}

static void fairness(void)
{
    unsigned long count[2];
    int fds[2];

    CHECK(pipe(fds) == 0);
    pid_t a = start_child(count_for, (void *)(size_t)fds[1]), b = start_child(count_for, (void *)(size_t)fds[1]);

    CHECK(exits_with(0, a));
    CHECK(exits_with(0, b));
    for (int i = 0; i < 2; i++)
        CHECK(read(fds[0], &count[i], sizeof(count[i])) == sizeof(count[i]));
    CHECK(count[0] < count[1] * 3 && count[1] < count[0] * 3);
}

const struct test time_tests[] = {
    { "clock_monotonic", clock_monotonic }, { "clock_wall", clock_wall }, { "clock_page", clock_page }, { "sleep_long_enough", sleep_long_enough },
    { "sleep_interrupted", sleep_interrupted }, { "sleepers_wake_in_order", sleepers_wake_in_order },
    { "cpu_time_counts", cpu_time_counts }, { "preemption", preemption }, { "fairness", fairness }, { 0 },
};
