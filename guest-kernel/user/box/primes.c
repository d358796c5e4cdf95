/* SPDX-License-Identifier: MIT */
/* primes.c: primes and spin: work to look at.
 *
 * The demonstration's guest "alice" runs primes: it computes without pause, so that pausing or weighing its domain
 * shows, and prints at most a line a second, so that its console stays readable.                     */
#include "guest-kernel/user/box/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool is_prime(unsigned long n)
{
    if (n % 2 == 0)
        return n == 2;
    for (unsigned long d = 3; d * d <= n; d += 2)
        if (n % d == 0)
            return false;
    return n > 1;
}

int primes_main(int argc, char **argv)
{
    unsigned long count = 0, limit = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
    time_t shown = 0;

    for (unsigned long n = 2; n != 0; n++) {
        if (!is_prime(n))
            continue;
        struct timespec now;

        count++;
        if (limit && count >= limit) {
            iprintf("%lu primes up to %lu\n", count, n);
            return 0;
        }
        if (count % 64)
            continue;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec != shown) {
            shown = now.tv_sec;
            iprintf("%lu primes up to %lu\n", count, n);
            fflush(stdout);
        }
    }
    return 0;
}

int spin_main(int argc, char **argv)
{
    time_t seconds = argc > 1 ? atoi(argv[1]) : 0;
    struct timespec start, now;
    volatile unsigned long turns = 0;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (unsigned i = 0; i < 1000000; i++)
            turns++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!seconds || now.tv_sec - start.tv_sec < seconds);
    return 0;
}
