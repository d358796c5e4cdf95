/* SPDX-License-Identifier: MIT */
/* xendev_control.c: the toolstack's wish that this domain end itself.
 *
 * Enso raises a virtual interrupt and tells by enso_op what is wished; we hand it to init as a signal, SIGUSR2 to power
 * off and SIGTERM to reboot, and init runs everything down in order. Xen, which does this by its store, has neither
 * interrupt nor call: then nothing is bound, and nothing comes.                                                  */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/system.h"
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

/* The toolstack knows us by a name: a system that is given none takes it. */
static void take_name(void)
{
    struct enso_op op = { .cmd = ENSO_OP_get_name, .domid = DOMID_SELF };
    char given[2];
    if (!cmdline_value("hostname", given, sizeof(given)) && hypercall_enso_op(gva(&op)) == 0 && op.u.name.name[0])
        strlcpy(system_name.nodename, op.u.name.name, MIN(sizeof(system_name.nodename), sizeof(op.u.name.name)));
}

void xendev_control_boot(void)
{
    take_name();
    struct enso_op op = { .cmd = ENSO_OP_get_shutdown_request, .domid = DOMID_SELF };
    if (hypercall_enso_op(gva(&op)) != -XEN_ENOSYS)
        event_bind_virq(VIRQ_ENSO_CONTROL, wish, 0);
}
