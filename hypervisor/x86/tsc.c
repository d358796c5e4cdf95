/* SPDX-License-Identifier: MIT */
/* tsc.c: what time it is.                                                                               [read 14]
 *
 * The TSC is the one clock; its rate is measured once, at boot, against a clock whose rate is known: the HPET, else
 * ACPI's PM timer, else the PIT. Scaling is pvclock's (shift, multiply, take the upper half), so that the figures
 * guests are given are the hypervisor's own.                                                                  */
#include "hypervisor/x86/tsc.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/acpi.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/smpcall.h"

struct tsc_scale tsc_scale;
uint64_t wallclock_sec;
uint32_t wallclock_nsec;

static uint64_t tsc_per_ns;        /* 32.32: the inverse of tsc_scale */

#define CALIBRATION_NS 20000000UL  /* 20 ms: the error of reading the reference, 1 us, is 50 ppm of it */

/* ---- references ---- */

static volatile uint64_t *hpet;

#define HPET_CAPS    0
#define HPET_CONFIG  (0x10 / 8)
#define HPET_COUNTER (0xf0 / 8)
#define FS_PER_NS    1000000UL

/* TSC ticks in CALIBRATION_NS by the HPET; 0: there is none that counts. */
static uint64_t measure_hpet(void)
{
    uint64_t period, ticks, t0, t1, start;

    if (!acpi.hpet_base)
        return 0;
    hpet = hypmap_io(acpi.hpet_base, 1024);
    period = hpet[HPET_CAPS] >> 32;                       /* femtoseconds a tick */
    if (!period || period > 100 * FS_PER_NS)
        return 0;
    hpet[HPET_CONFIG] |= 1;
    ticks = CALIBRATION_NS * FS_PER_NS / period;
    start = hpet[HPET_COUNTER];
    t0 = rdtsc_ordered();
    for (uint64_t spins = 0; (uint32_t)(hpet[HPET_COUNTER] - start) < ticks; spins++)
        if (spins > 100000000)
            return 0;
    t1 = rdtsc_ordered();
    return t1 - t0;
}

#define PM_TIMER_HZ 3579545UL

static uint64_t measure_pm_timer(void)
{
    uint32_t ticks = PM_TIMER_HZ * (CALIBRATION_NS / 1000) / 1000000, start, spins = 0;
    uint64_t t0;

    if (!acpi.pm_timer_port)
        return 0;
    start = inl(acpi.pm_timer_port);
    t0 = rdtsc_ordered();
    while (((inl(acpi.pm_timer_port) - start) & 0xffffff) < ticks)
        if (++spins > 10000000)
            return 0;
    return rdtsc_ordered() - t0;
}

#define PIT_HZ      1193182UL
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_GATE    0x61

/* Channel 2 counts down once; its output, seen in port 0x61, rises at the end. */
static uint64_t measure_pit(void)
{
    uint32_t ticks = PIT_HZ * (CALIBRATION_NS / 1000) / 1000000, spins = 0;
    uint64_t t0;

    outb(PIT_GATE, (inb(PIT_GATE) & ~2) | 1);
    outb(PIT_COMMAND, 0xb0);
    outb(PIT_CHANNEL2, ticks & 0xff);
    outb(PIT_CHANNEL2, ticks >> 8);
    t0 = rdtsc_ordered();
    while (!(inb(PIT_GATE) & 0x20))
        if (++spins > 10000000)
            return 0;
    return rdtsc_ordered() - t0;
}

/* ---- scaling ---- */

/* mul in [2^31, 2^32) and shift, such that ns = (ticks << shift) * mul >> 32. */
static void scale_set(uint64_t khz)
{
    uint64_t hz = khz * 1000;
    int shift = 0;

    while (hz > 2000000000UL) {
        hz >>= 1;
        shift--;
    }
    while (hz <= 1000000000UL) {
        hz <<= 1;
        shift++;
    }
    tsc_scale.khz = khz;
    tsc_scale.shift = (int8_t)shift;
    tsc_scale.mul = (uint32_t)((1000000000UL << 32) / hz);
    tsc_per_ns = (khz << 32) / 1000000;
}

void tsc_init(void)
{
    const char *by = "HPET";
    uint64_t ticks = measure_hpet();

    if (!ticks) {
        by = "PM timer";
        ticks = measure_pm_timer();
    }
    if (!ticks) {
        by = "PIT";
        ticks = measure_pit();
    }
    if (!ticks)
        panic("no clock to measure the TSC against: neither HPET, PM timer nor PIT counts");
    scale_set(ticks * 1000000 / CALIBRATION_NS);
    tsc_scale.tsc_zero = rdtsc();
    tsc_scale.stable = cpu_features.invariant_tsc;
    log_debug("TSC %lu.%03lu MHz by the %s", tsc_scale.khz / 1000, tsc_scale.khz % 1000, by);
}

uint64_t tsc_to_ns(uint64_t tsc)
{
    uint64_t ticks = tsc - tsc_scale.tsc_zero;

    if ((int64_t)ticks < 0)                /* read on a pCPU that is a little behind */
        return 0;
    ticks = tsc_scale.shift < 0 ? ticks >> -tsc_scale.shift : ticks << tsc_scale.shift;
    return (uint64_t)(((unsigned __int128)ticks * tsc_scale.mul) >> 32);
}

uint64_t now_ns(void)
{
    return tsc_to_ns(rdtsc());
}

static uint64_t ns_scaled(uint64_t ns)
{
    return (uint64_t)(((unsigned __int128)ns * tsc_per_ns) >> 32);
}

/* Counted from now, so that the inverse's rounding does not add up over the machine's days. */
uint64_t ns_to_tsc(uint64_t ns)
{
    uint64_t tsc = rdtsc(), now = tsc_to_ns(tsc);

    return ns > now ? tsc + ns_scaled(ns - now) + 1 : tsc - ns_scaled(now - ns);
}

/* ---- do two pCPUs' TSCs ever step back? ---- */

static struct {
    volatile uint32_t lock;                /* no struct spinlock: waiting must not serve calls in between */
    uint64_t last;
    uint32_t backward;
} warp;

#define WARP_ROUNDS 2000

/* Each pCPU in turn: nobody may see less than what was seen before. */
static void warp_probe(void)
{
    uint64_t t;

    while (atomic_xchg(&warp.lock, 1U))
        cpu_pause();
    t = rdtsc_ordered();
    if (t < warp.last)
        warp.backward++;
    else
        warp.last = t;
    atomic_store(&warp.lock, 0U);
}

static void warp_rounds(void *arg)
{
    for (int i = 0; i < WARP_ROUNDS; i++)
        warp_probe();
}

void tsc_check_warp(void)
{
    if (nr_pcpus == 1 || !tsc_scale.stable)
        return;
    smp_call(cpus_online(), warp_rounds, NULL);            /* all at the same time */
    if (warp.backward) {
        tsc_scale.stable = false;
        log_info("the CPUs' TSCs differ: guests are told not to trust them across vCPUs");
    }
}

/* ---- the wall clock ---- */

#define RTC_INDEX 0x70
#define RTC_DATA  0x71

static uint8_t rtc_read(uint8_t reg)
{
    outb(RTC_INDEX, reg);
    return inb(RTC_DATA);
}

static unsigned from_bcd(unsigned v, bool bcd)
{
    return bcd ? (v >> 4) * 10 + (v & 15) : v;
}

/* Days from 1970-01-01 to a date, by the calendar that begins in March. */
static uint64_t days_since_1970(unsigned y, unsigned m, unsigned d)
{
    unsigned shifted = (m + 9) % 12;
    uint64_t year = y - (m <= 2);

    return year * 365 + year / 4 - year / 100 + year / 400 + (shifted * 306 + 5) / 10 + d - 1 - 719468;
}

static void rtc_snapshot(uint8_t t[6])
{
    static const uint8_t regs[6] = { 0, 2, 4, 7, 8, 9 };   /* s min h day month year */

    for (unsigned spins = 0; (rtc_read(0x0a) & 0x80) && spins < 100000; spins++)
        ;
    for (int i = 0; i < 6; i++)
        t[i] = rtc_read(regs[i]);
}

void wallclock_init(void)
{
    uint8_t t[6], again[6], status = rtc_read(0x0b);
    bool bcd = !(status & 4), pm;
    unsigned hour, year;
    uint64_t now;

    rtc_snapshot(t);
    for (int tries = 0; tries < 3; tries++) {              /* two equal readings: no update came between */
        rtc_snapshot(again);
        if (!__builtin_memcmp(t, again, sizeof(t)))
            break;
        __builtin_memcpy(t, again, sizeof(t));
    }
    pm = !(status & 2) && (t[2] & 0x80);
    hour = from_bcd(t[2] & 0x7f, bcd);
    if (!(status & 2))
        hour = hour % 12 + (pm ? 12 : 0);
    year = 2000 + from_bcd(t[5], bcd);
    wallclock_sec = days_since_1970(year, from_bcd(t[4], bcd), from_bcd(t[3], bcd)) * 86400 +
                    hour * 3600 + from_bcd(t[1], bcd) * 60 + from_bcd(t[0], bcd);
    now = now_ns();                                        /* the RTC says now; we keep system time 0 */
    wallclock_sec -= now / 1000000000 + 1;
    wallclock_nsec = 1000000000 - (uint32_t)(now % 1000000000);
    if (wallclock_nsec == 1000000000) {
        wallclock_nsec = 0;
        wallclock_sec++;
    }
}
