/* SPDX-License-Identifier: MIT */
/* apic.c: the local APIC: who am I, interrupts to other pCPUs, the timer.                               [read 10]
 *
 * x2APIC where the CPU has it (untested: QEMU 7.2's emulation has none), else the register page. The timer is armed
 * for a TSC value: directly by the TSC-deadline MSR (untested likewise), else by a one-shot count that boot
 * measured against the TSC.                                                                                  */
#include "hypervisor/x86/apic.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/acpi.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/tsc.h"

#define APIC_ID      0x020
#define APIC_TPR     0x080
#define APIC_EOI     0x0b0
#define APIC_SVR     0x0f0
#define APIC_ICR     0x300
#define APIC_ICR_HI  0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF  0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INIT  0x380
#define APIC_TIMER_COUNT 0x390
#define APIC_TIMER_DIV   0x3e0

#define BASE_ENABLE  (1UL << 11)
#define BASE_X2APIC  (1UL << 10)
#define SVR_ENABLE   (1U << 8)
#define LVT_MASKED   (1U << 16)
#define LVT_NMI      (4U << 8)
#define LVT_DEADLINE (2U << 17)
#define TIMER_DIV_1  0xb
#define ICR_PENDING  (1U << 12)
#define ICR_ASSERT   (1U << 14)
#define ICR_INIT     (5U << 8)
#define ICR_STARTUP  (6U << 8)
#define ICR_NMI      (4U << 8)
#define MSR_X2APIC   0x800

static struct {
    volatile uint32_t *page;     /* xAPIC registers; NULL in x2APIC mode */
    uint64_t ticks_per_tsc;      /* 32.32: timer ticks a TSC tick; 0: TSC deadline */
} apic;

static uint32_t reg_read(uint32_t reg)
{
    return apic.page ? apic.page[reg / 4] : (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
}

static void reg_write(uint32_t reg, uint32_t v)
{
    if (apic.page)
        apic.page[reg / 4] = v;
    else
        wrmsr(MSR_X2APIC + reg / 16, v);
}

static uint32_t timer_count(void) { return reg_read(APIC_TIMER_COUNT); }

/* How many timer ticks fall into a stretch of TSC, 10 ms. Interrupts are off. */
static void timer_calibrate(void)
{
    uint64_t t0 = 0, t1 = 0;
    uint32_t c0 = 0, c1 = 0;

    reg_write(APIC_TIMER_DIV, TIMER_DIV_1);
    reg_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
    reg_write(APIC_TIMER_INIT, ~0U);
    tsc_sample(timer_count, &t0, &c0);
    while (rdtsc_ordered() - t0 < tsc_scale.khz * 10)
        cpu_pause();
    tsc_sample(timer_count, &t1, &c1);
    reg_write(APIC_TIMER_INIT, 0);
    apic.ticks_per_tsc = ((uint64_t)(c0 - c1) << 32) / (t1 - t0);
    if (!apic.ticks_per_tsc)
        panic("the local APIC's timer does not count");
}

static void enable_mode(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;

    wrmsr(MSR_APIC_BASE, base);
    if (cpu_features.x2apic)
        wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
    else if (!apic.page)
        apic.page = hypmap_io(acpi.lapic_base, PAGE_SIZE);
}

static void timer_init_this(void)
{
    if (cpu_features.tsc_deadline) {
        reg_write(APIC_LVT_TIMER, LVT_DEADLINE | VEC_TIMER);
        __asm__ volatile("mfence" ::: "memory");     /* the mode must be set before the first deadline is */
        return;
    }
    if (!apic.ticks_per_tsc)
        timer_calibrate();
    reg_write(APIC_TIMER_DIV, TIMER_DIV_1);
    reg_write(APIC_LVT_TIMER, VEC_TIMER);
}

void apic_init_this(void)
{
    enable_mode();
    reg_write(APIC_TPR, 0);
    reg_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
    reg_write(APIC_LVT_THERMAL, LVT_MASKED);
    reg_write(APIC_LVT_PERF, LVT_MASKED);
    reg_write(APIC_LVT_LINT0, LVT_MASKED);
    reg_write(APIC_LVT_LINT1, this_pcpu()->id ? LVT_MASKED : LVT_NMI);
    reg_write(APIC_LVT_ERROR, LVT_MASKED);
    timer_init_this();
    this_pcpu()->apic_id = apic_id();
}

uint32_t apic_id(void)
{
    uint32_t id = reg_read(APIC_ID);

    return apic.page ? id >> 24 : id;
}

void apic_eoi(void)
{
    reg_write(APIC_EOI, 0);
}

/* xAPIC: two writes, and the last command must have left. Runs with IF=0; an NMI sends nothing. */
static void icr_send(uint32_t dest, uint32_t command)
{
    if (!apic.page) {
        __asm__ volatile("mfence; lfence" ::: "memory");    /* x2APIC MSR writes order nothing */
        wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)dest << 32 | command);
        return;
    }
    while (reg_read(APIC_ICR) & ICR_PENDING)
        cpu_pause();
    reg_write(APIC_ICR_HI, dest << 24);
    reg_write(APIC_ICR, command);
}

void apic_send(uint32_t id, uint8_t vector)          { icr_send(id, ICR_ASSERT | vector); }
void apic_send_init(uint32_t id)                     { icr_send(id, ICR_ASSERT | ICR_INIT); }
void apic_send_startup(uint32_t id, uint8_t page)    { icr_send(id, ICR_ASSERT | ICR_STARTUP | page); }
void apic_send_nmi(uint32_t id)                      { icr_send(id, ICR_ASSERT | ICR_NMI); }

static void oneshot_arm(uint64_t tsc)
{
    int64_t ahead = (int64_t)(tsc - rdtsc());
    uint64_t ticks = 1;

    if (ahead > 0)
        ticks = (uint64_t)(((unsigned __int128)(uint64_t)ahead * apic.ticks_per_tsc) >> 32) + 1;
    if (ticks > 0x7fffffff)
        ticks = 0x7fffffff;            /* it fires early; whoever armed it looks at the clock and arms again */
    reg_write(APIC_TIMER_INIT, (uint32_t)ticks);
}

void apic_timer_arm(uint64_t tsc)
{
    if (cpu_features.tsc_deadline)
        wrmsr(MSR_TSC_DEADLINE, tsc);
    else if (!tsc)
        reg_write(APIC_TIMER_INIT, 0);
    else
        oneshot_arm(tsc);
}

void pcpu_kick(struct pcpu *p, uint32_t work)
{
    uint32_t old = atomic_or(&p->info->work, work);

    /* Bits that were set already have their interrupt under way, or p is inside and looks before it leaves. */
    if (p != this_pcpu() && (old & work) != work)
        apic_send(p->apic_id, VEC_WAKE);
}
