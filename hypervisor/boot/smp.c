/* SPDX-License-Identifier: MIT */
/* smp.c: wakes the other pCPUs.                                                                         [read 90]
 *
 * One at a time: the boot pCPU prepares everything that the other needs (stack, descriptors, timers, idle vCPU), sends
 * INIT and two startup IPIs, and waits for the sign of life. trampoline.S brings it from real mode to smp_ap_main.
 * One that stays silent is named and left out; should it wake later it finds that it is not wanted and halts.       */
#include "hypervisor/boot/smp.h"
#include "hypervisor/boot/trampoline.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/acpi.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/desc.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/smpcall.h"
#include "hypervisor/x86/tsc.h"

extern const char trampoline_start[], trampoline_end[], trampoline_cr3[];
extern struct cpu_info *ap_boot_info;
void smp_ap_main(void);

struct cpu_info *ap_boot_info;               /* where the pCPU that starts now finds its stack: read by trampoline.S */

/* pcpu.online while a pCPU starts. */
enum { AP_AWAITED, AP_ONLINE, AP_GIVEN_UP };

#define START_TIMEOUT_NS 2000000000UL        /* an emulated CPU on a busy machine may be slow */

static struct pcpu *pcpu_new(uint32_t id, uint32_t apic)
{
    struct pcpu *p = kalloc(sizeof(*p));

    if (!p)
        return NULL;
    p->id = id;
    p->apic_id = apic;
    return desc_alloc(p) ? NULL : p;
}

struct pcpu *smp_boot_pcpu_init(void)
{
    struct pcpu *p = pcpu_new(0, 0);

    if (!p)
        panic("no memory for the boot CPU's stacks");
    p->online = AP_ONLINE;
    pcpus[0] = p;
    nr_pcpus = 1;
    return p;
}

void smp_init_this(struct pcpu *p)
{
    cpu_init_this();
    desc_load(p);
    apic_init_this();
}

/* In C, on its own stack, on the final page tables. */
void smp_ap_main(void)
{
    struct pcpu *p = this_pcpu();
    uint32_t awaited = AP_AWAITED;

    smp_init_this(p);
    cpu_info()->curr = p->idle;
    flush_tlb_this();
    if (!atomic_cmpxchg(&p->online, &awaited, AP_ONLINE))
        for (;;)
            __asm__ volatile("cli; hlt");
    idle_loop();
}

/* ---- the boot pCPU's side ---- */

static void wait_ns(uint64_t ns)
{
    for (uint64_t until = now_ns() + ns; now_ns() < until;)
        spin_relax();
}

static bool came_up(struct pcpu *p, uint64_t ns)
{
    for (uint64_t until = now_ns() + ns; now_ns() < until;) {
        if (atomic_load(&p->online) == AP_ONLINE)
            return true;
        spin_relax();
    }
    return false;
}

/* SDM vol. 3, "MP Initialization Protocol": INIT, 10 ms, startup, and once more if there is no answer. */
static bool start(struct pcpu *p)
{
    uint32_t awaited = AP_AWAITED;

    ap_boot_info = p->info;
    apic_send_init(p->apic_id);
    wait_ns(10000000);
    apic_send_startup(p->apic_id, TRAMPOLINE_PHYS >> PAGE_SHIFT);
    if (came_up(p, 20000000))
        return true;
    apic_send_startup(p->apic_id, TRAMPOLINE_PHYS >> PAGE_SHIFT);
    if (came_up(p, START_TIMEOUT_NS))
        return true;
    return !atomic_cmpxchg(&p->online, &awaited, AP_GIVEN_UP);
}

static void start_one(uint32_t apic)
{
    struct pcpu *p = pcpu_new(nr_pcpus, apic);

    pcpus[nr_pcpus] = p;                     /* cross calls skip it until it is online */
    if (!p || timer_init_pcpu(p) || sched_init_pcpu(p)) {
        log_warn("no memory to start the CPU with APIC id %u", apic);
        pcpus[nr_pcpus] = NULL;
        return;
    }
    nr_pcpus++;
    if (start(p))
        return;
    pcpus[--nr_pcpus] = NULL;
    log_warn("the CPU with APIC id %u does not start; going on without it", apic);
}

static void trampoline_install(void)
{
    uint8_t *low = phys_to_virt(TRAMPOLINE_PHYS);
    uint32_t cr3 = (uint32_t)(idle_root.raw << PAGE_SHIFT);

    memcpy(low, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    memcpy(low + (trampoline_cr3 - trampoline_start), &cr3, sizeof(cr3));
}

void smp_start_all(uint32_t maxcpus)
{
    uint32_t self = apic_id();

    if (acpi.nr_cpus <= 1 || maxcpus <= 1)
        return;
    hypmap_identity_low(true);
    trampoline_install();
    for (uint32_t i = 0; i < acpi.nr_cpus && nr_pcpus < maxcpus && nr_pcpus < MAX_PCPUS; i++)
        if (acpi.apic_ids[i] != self)
            start_one(acpi.apic_ids[i]);
    hypmap_identity_low(false);
}
