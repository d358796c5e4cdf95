/* SPDX-License-Identifier: MIT */
/* power.c: waiting, and the ways to end. */
#include "guest-kernel/pv/blk_glue.h"
#include "guest-kernel/pv/cpu.h"
#include "guest-kernel/pv/net_glue.h"
#include "hypercall-abi/enso.h"
#include "hypercall-abi/physdev.h"
#include "hypercall-abi/sched.h"
#include "pv-drivers/balloon.h"
#include "pv-drivers/store.h"

/* No need to open the door to see who stands there: the shared page tells. */
void plat_irq_window(void)
{
    if (events_pending())
        events_deliver();
}

/* Xen unmasks, then sleeps unless something is pending; the upcall comes on our stack, before we go on. */
static void block(void)
{
    hypercall_sched_op(SCHEDOP_block, 0);
    pv_vcpu()->evtchn_upcall_mask = 1;
    __asm__ volatile("" ::: "memory");
}

/* An event that is there already, one of our own raising perhaps, needs no hypervisor. Enso lets us sleep with events masked: we look
 * when we wake, and nobody has to build a frame for an upcall and take it down again. */
void plat_idle(void)
{
    static bool no_wait;
    if (!events_pending()) {
        if (!no_wait)
            no_wait = hypercall_sched_op(ENSO_SCHEDOP_wait, 0) == -XEN_ENOSYS;
        if (no_wait)
            block();
    }
    plat_irq_window();
}

static void __attribute__((noreturn)) stop(unsigned reason)
{
    struct sched_shutdown s = { reason };
    for (;;)
        hypercall_sched_op(SCHEDOP_shutdown, gva(&s));
}

/* A test machine ends with our exit code: dom0 asks Enso, and on Xen writes to QEMU's debug port itself. */
static void debug_exit(int code)
{
    struct enso_op op = { .cmd = ENSO_OP_machine_exit, .u.exit.code = code };
    struct physdev_set_iopl iopl = { 1 };
    if (!pv_is_dom0() || hypercall_enso_op(gva(&op)) != -XEN_ENOSYS)
        return;
    hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&iopl));
    __asm__ volatile("outl %0, %1" :: "a"(code), "Nd"((uint16_t)0xf4));
}

void plat_poweroff(int code)
{
    if (cmdline_word("debugexit"))
        debug_exit(code);
    stop(SHUTDOWN_poweroff);
}

void plat_reboot(void) { stop(SHUTDOWN_reboot); }

void plat_crash(void)
{
    if (cmdline_word("debugexit"))
        debug_exit(0x7f);
    stop(SHUTDOWN_crash);
}

unsigned plat_cpu_id(void) { return 0; }            /* the others were never started */

void plat_devices(void)
{
    xendev_privcmd_boot();
    xendev_evtchn_boot();
    xendev_xenbus_boot();
    pv_blk_boot();
    net_glue_boot(pv_is_dom0());
    if (store_ready() && balloon_start())
        kprintf("novice: no memory for the balloon\n");
    xendev_control_boot();
    hvc_boot();
    xendev_breakit_boot();
    pv_blk_settle();
    if (cmdline_word("bench"))
        bench_run();
}
