/* SPDX-License-Identifier: MIT */
/* time.c: the older forms of sleeping and of asking for the time, and sysconf. */
#include <errno.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int getpagesize(void);

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
