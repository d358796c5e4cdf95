/* SPDX-License-Identifier: MIT */
/* timer.c: the time by the TSC, the alarm by the local APIC's one-shot timer, both measured against the 8254. */
#include "guest-kernel/drivers/rtc.h"
#include "guest-kernel/native/cpu.h"
#include "guest-kernel/uapi/timepage.h"

enum { APIC_ID = 0x20, APIC_EOI = 0xb0, APIC_SPURIOUS = 0xf0, APIC_LVT_TIMER = 0x320, APIC_INITIAL = 0x380,
       APIC_CURRENT = 0x390, APIC_DIVIDE = 0x3e0 };
#define PIT_HZ        1193182
#define CALIBRATE_MS  10

static volatile uint8_t *apic;
static uint64_t tsc_start;
static uint64_t tsc_mult;          /* ns = (cycles * tsc_mult) >> 32   */
static uint64_t apic_mult;         /* ticks = (ns * apic_mult) >> 32   */
static uint64_t wall_start;        /* at tsc_start                      */

static uint32_t apic_read(unsigned reg) { return *(volatile uint32_t *)(apic + reg); }
static void apic_write(unsigned reg, uint32_t v) { *(volatile uint32_t *)(apic + reg) = v; }
static uint64_t scale(uint64_t v, uint64_t mult) { return (unsigned __int128)v * mult >> 32; }

void plat_timer_set(uint64_t deadline)
{
    if (deadline == 0) {
        apic_write(APIC_INITIAL, 0);
        return;
    }
    uint64_t now = plat_clock_ns();
    uint64_t ticks = deadline > now ? scale(MIN(deadline - now, 30 * NSEC_PER_SEC), apic_mult) : 0;
    apic_write(APIC_INITIAL, MIN(MAX(ticks, 1ul), 0xfffffffful));
}

uint64_t plat_clock_ns(void) { return scale(rdtsc() - tsc_start, tsc_mult); }
uint64_t plat_wall_ns(void) { return wall_start + plat_clock_ns(); }

/* tsc_mult has 32 bits of fraction; it exceeds them below 1 GHz, so a shift takes it into range. */
int plat_time_page(struct time_page *page)
{
    uint64_t mult = tsc_mult;
    for (; mult >> 32; mult >>= 1)
        page->shift++;
    page->mul = mult;
    page->tsc_stamp = tsc_start;
    page->version = 2;
    return 0;
}

void timer_eoi(void) { apic_write(APIC_EOI, 0); }

/* Channel 2 counts down once; its output, in bit 5 of port 0x61, rises at the end. */
static void pit_wait(void)
{
    unsigned count = PIT_HZ * CALIBRATE_MS / 1000;
    outb(0x61, (inb(0x61) & ~2) | 1);
    outb(0x43, 0xb0);
    outb(0x42, count & 0xff);
    outb(0x42, count >> 8);
    while (!(inb(0x61) & 0x20))
        ;
}

static void calibrate(void)
{
    apic_write(APIC_INITIAL, 0xffffffff);
    uint64_t t0 = rdtsc();
    pit_wait();
    uint64_t cycles = rdtsc() - t0;
    uint64_t ticks = 0xffffffff - apic_read(APIC_CURRENT);
    apic_write(APIC_INITIAL, 0);
    tsc_mult = (CALIBRATE_MS * NSEC_PER_MS << 32) / MAX(cycles, 1ul);
    apic_mult = (ticks << 32) / (CALIBRATE_MS * NSEC_PER_MS);
}

void timer_boot(void)
{
    volatile uint32_t *ioapic = mmio_map(0xfec00000);
    apic = mmio_map(0xfee00000);
    apic_write(APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    apic_write(APIC_DIVIDE, 3);                     /* by 16 */
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    calibrate();
    tsc_start = rdtsc();
    wall_start = rtc_read() * NSEC_PER_SEC;
    ioapic[0] = 0x10 + 2 * 4 + 1;                   /* line 4, the serial port: to this CPU, edge, on */
    ioapic[4] = apic_read(APIC_ID) & 0xff000000;
    ioapic[0] = 0x10 + 2 * 4;
    ioapic[4] = VECTOR_SERIAL;
}
