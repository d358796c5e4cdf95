/* SPDX-License-Identifier: MIT */
/* time.c: reading the clock without a call, the older forms of sleeping and of asking for the time, and sysconf. */
#include <errno.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "guest-kernel/uapi/timepage.h"

int getpagesize(void);
int __sys_clock_gettime(clockid_t clock, struct timespec *out);

static const volatile struct time_page *const page = (const volatile struct time_page *)TIME_PAGE;

static uint64_t scaled_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) :: "memory");
    uint64_t tsc = (uint64_t)high << 32 | low, stamp = page->tsc_stamp;
    uint64_t delta = tsc > stamp ? tsc - stamp : 0;

    delta = page->shift < 0 ? delta >> -page->shift : delta << page->shift;
    return page->stamp_ns + (uint64_t)((unsigned __int128)delta * page->mul >> 32);
}

/* Nanoseconds since boot. Clamped, since two processors' counters may differ a little. */
static uint64_t monotonic(void)
{
    static uint64_t last;
    uint32_t version;
    uint64_t now;

    do {
        version = __atomic_load_n(&page->version, __ATOMIC_ACQUIRE);
        now = scaled_tsc() - page->boot_ns;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) || version != page->version);
    return last = now > last ? now : last;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || page->version == 0)
        return __sys_clock_gettime(clock, out);
    uint64_t ns = monotonic() + (clock == CLOCK_REALTIME ? page->wall_ns : 0);

    out->tv_sec = (time_t)(ns / 1000000000);
    out->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

unsigned sleep(unsigned seconds)
{
    struct timespec want = { (time_t)seconds, 0 }, left = { 0, 0 };

    return nanosleep(&want, &left) == 0 ? 0 : (unsigned)left.tv_sec + (left.tv_nsec >= 500000000);
}

int usleep(useconds_t us)
{
    struct timespec want = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };

    return nanosleep(&want, NULL);
}

/* Newlib's own counts in the unit of times(), which is the kernel's millisecond. */
clock_t clock(void)
{
    struct timespec used;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) < 0)
        return (clock_t)-1;
    return (clock_t)used.tv_sec * CLOCKS_PER_SEC + (clock_t)used.tv_nsec / (1000000000 / CLOCKS_PER_SEC);
}

int getpagesize(void)
{
    return 4096;
}

long sysconf(int name)
{
    struct sysinfo info;

    switch (name) {
    case _SC_PAGESIZE: return 4096;
    case _SC_CLK_TCK:  return 1000;
    case _SC_NPROCESSORS_ONLN: return 1;
    case _SC_PHYS_PAGES:
    case _SC_AVPHYS_PAGES:
        if (sysinfo(&info) < 0)
            return -1;
        return (long)(name == _SC_PHYS_PAGES ? info.total_pages : info.free_pages);
    default:
        errno = EINVAL;
        return -1;
    }
}
