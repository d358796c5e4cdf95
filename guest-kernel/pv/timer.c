/* SPDX-License-Identifier: MIT */
/* timer.c: the time by the hypervisor's scale of the TSC, the alarm by its one-shot timer. No calibration. */
#include "guest-kernel/pv/cpu.h"
#include "guest-kernel/uapi/timepage.h"
#include "hypercall-abi/time.h"
#include "hypercall-abi/vcpu.h"

#define FAR_FUTURE (1ul << 62)     /* a hundred years: no deadline is later */

static uint64_t start;             /* system time when we began  */
static uint64_t last;              /* what was last told, so that it never steps back */
static uint64_t wall_start;        /* 1970 to system time 0      */

void plat_timer_set(uint64_t deadline)
{
    hypercall_set_timer_op(deadline == 0 ? 0 : deadline < FAR_FUTURE ? start + deadline : FAR_FUTURE);
}

uint64_t plat_clock_ns(void) { return pv_system_time() - start; }

uint64_t plat_wall_ns(void) { return wall_start + start + plat_clock_ns(); }

/* The hypervisor writes its scale there by itself whenever it writes ours. */
int plat_time_page(struct time_page *page)
{
    struct vcpu_register_time_memory_area area = { .addr.v = (uintptr_t)page };
    int rc = hypercall_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, gva(&area));
    page->boot_ns = start;
    return rc;
}

static uint64_t wall_at_zero(void)
{
    uint32_t version;
    uint64_t ns;
    do {
        version = __atomic_load_n(&pv_shared.wc_version, __ATOMIC_ACQUIRE);
        ns = ((uint64_t)pv_shared.wc_sec_hi << 32 | pv_shared.wc_sec) * NSEC_PER_SEC + pv_shared.wc_nsec;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) || version != pv_shared.wc_version);
    return ns;
}

/* After a move to another pCPU the TSC may read a little behind. */
uint64_t pv_system_time(void)
{
    uint64_t now = pvclock_read(&pv_vcpu()->time, rdtsc);
    return last = MAX(now, last);
}

static void timer_event(evtchn_port_t port, void *arg) { timer_interrupt(); }

void timer_boot(void)
{
    hypercall_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0);   /* Xen starts a vCPU with one of 100 Hz */
    start = pv_system_time();
    wall_start = wall_at_zero();
    must(event_bind_virq(VIRQ_TIMER, timer_event, 0));
}
