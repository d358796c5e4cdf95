/* SPDX-License-Identifier: MIT */
/* xendev_control.c: the toolstack's wish that this domain end itself.
 *
 * Enso raises a virtual interrupt and tells by enso_op what is wished; we hand it to init as a signal, SIGUSR2 to power
 * off and SIGTERM to reboot, and init runs everything down in order. Xen, which does this by its store, has neither
 * interrupt nor call: then nothing is bound, and nothing comes.                                                  */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/enso.h"
#include "hypercall-abi/sched.h"

static void wish(evtchn_port_t port, void *arg)
{
    struct enso_op op = { .cmd = ENSO_OP_get_shutdown_request, .domid = DOMID_SELF };
    struct proc *init = proc_find(1);
    if (hypercall_enso_op(gva(&op)) < 0 || !init)
        return;
    signal_send(init, op.u.shutdown.reason == SHUTDOWN_reboot ? SIGTERM : SIGUSR2);
}

void xendev_control_boot(void)
{
    struct enso_op op = { .cmd = ENSO_OP_get_shutdown_request, .domid = DOMID_SELF };
    if (hypercall_enso_op(gva(&op)) != -XEN_ENOSYS)
        event_bind_virq(VIRQ_ENSO_CONTROL, wish, 0);
}
