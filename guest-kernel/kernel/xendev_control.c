/* SPDX-License-Identifier: MIT */
/* xendev_control.c: the toolstack's wish that this domain end itself.
 *
 * It is written to control/shutdown in the domain's part of the store; we take it by writing an empty value in its place, and
 * hand it to init as a signal, SIGUSR2 to power off and SIGTERM to reboot, and init runs everything down in order.        */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/system.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/enso.h"
#include "pv-drivers/os.h"
#include "pv-drivers/store.h"

static void tell_init(bool reboot)
{
    signal_init(reboot ? SIGTERM : SIGUSR2);
}

static struct store_watch shutdown_watch = { .path = "control/shutdown" };

static void shutdown_written(struct store_watch *w, const char *path)
{
    char word[32];
    if (store_read(0, w->path, word, sizeof(word)) <= 0)
        return;
    store_write(0, w->path, "");
    if (strcmp(word, "poweroff") == 0 || strcmp(word, "halt") == 0)
        tell_init(false);
    else if (strcmp(word, "reboot") == 0)
        tell_init(true);
    else
        kprintf("novice: the toolstack wishes \"%s\", which we do not know\n", word);
}

static void listen_to_store(void *arg)
{
    shutdown_watch.fn = shutdown_written;
    store_write(0, "control/feature-poweroff", "1");
    store_write(0, "control/feature-reboot", "1");
    store_watch_add(&shutdown_watch);
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
    if (store_ready() && !pv_is_dom0())
        os_thread("control", listen_to_store, 0);
}
