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

/* ---- references ---- */

/* A counter of known rate. */
struct reference { const char *name; uint32_t (*read)(void); uint32_t mask; uint64_t hz; };

static volatile uint64_t *hpet;

#define HPET_CAPS    0
#define HPET_CONFIG  (0x10 / 8)
#define HPET_COUNTER (0xf0 / 8)
#define FS_PER_S     1000000000000000UL

static uint32_t hpet_read(void) { return (uint32_t)hpet[HPET_COUNTER]; }

static bool use_hpet(struct reference *r)
{
    uint64_t period;

    if (!acpi.hpet_base)
        return false;
    hpet = hypmap_io(acpi.hpet_base, 1024);
    period = hpet[HPET_CAPS] >> 32;                       /* femtoseconds a tick, at most 100 ns */
    if (!period || period > 100000000)
        return false;
    hpet[HPET_CONFIG] |= 1;
    *r = (struct reference){ "HPET", hpet_read, ~0U, FS_PER_S / period };
    return true;
}

static uint32_t pm_timer_read(void) { return inl(acpi.pm_timer_port); }

static bool use_pm_timer(struct reference *r)
{
    *r = (struct reference){ "PM timer", pm_timer_read, 0xffffff, 3579545 };
    return acpi.pm_timer_port != 0;
}

#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_GATE     0x61

/* Channel 2 counts down from 65535 again and again, its speaker off. */
static uint32_t pit_read(void)
{
    uint32_t count;

    outb(PIT_COMMAND, 0x80);                              /* latch */
    count = inb(PIT_CHANNEL2);
    count |= (uint32_t)inb(PIT_CHANNEL2) << 8;
    return -count;
}

static bool use_pit(struct reference *r)
{
    outb(PIT_GATE, (inb(PIT_GATE) & ~2) | 1);
    outb(PIT_COMMAND, 0xb4);                              /* mode 2 */
    outb(PIT_CHANNEL2, 0);
    outb(PIT_CHANNEL2, 0);
    *r = (struct reference){ "PIT", pit_read, 0xffff, 1193182 };
    return true;
}

/* ---- measuring ---- */

#define TRIES          8
#define STRETCHES_A_S  50          /* 20 ms */
#define SPINS_MAX      2000000

void tsc_sample(uint32_t (*read)(void), uint64_t *tsc, uint32_t *count)
{
    uint64_t best = ~0UL;

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = rdtsc_ordered(), after;
        uint32_t c = read();
        after = rdtsc_ordered();
        if (after - before < best) {
            best = after - before;
            *tsc = before + best / 2;
            *count = c;
        }
    }
}

/* The TSC's kHz; 0: the reference does not count. */
static uint64_t measure(const struct reference *r)
{
    uint64_t t0, t1;
    uint32_t c0, c1, passed, spins = 0;

    tsc_sample(r->read, &t0, &c0);
    while (((r->read() - c0) & r->mask) < r->hz / STRETCHES_A_S)
        if (++spins > SPINS_MAX)
            return 0;
    tsc_sample(r->read, &t1, &c1);
    passed = (c1 - c0) & r->mask;
    return (t1 - t0) * r->hz / passed / 1000;
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
    static bool (*const use[])(struct reference *r) = { use_hpet, use_pm_timer, use_pit };
    struct reference r;
    uint64_t khz = 0;

    for (unsigned i = 0; i < sizeof(use) / sizeof(use[0]) && !khz; i++)
        if (use[i](&r))
            khz = measure(&r);
    if (!khz)
        panic("no clock to measure the TSC against: neither HPET, PM timer nor PIT counts");
    scale_set(khz);
    tsc_scale.tsc_zero = rdtsc();
    tsc_scale.stable = cpu_features.invariant_tsc;
    log_debug("TSC %lu.%03lu MHz by the %s", khz / 1000, khz % 1000, r.name);
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
