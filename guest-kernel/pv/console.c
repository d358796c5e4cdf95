/* SPDX-License-Identifier: MIT */
/* console.c: dom0 writes to the machine's console by hypercall; every other domain has a ring, pv-drivers/console.c. */
#include "guest-kernel/pv/cpu.h"
#include "pv-drivers/console.h"

static struct pv_console ring;

void plat_console_write(const char *text, size_t n)
{
    if (pv_is_dom0())
        hypercall_console_io(CONSOLEIO_write, n, gva(text));
    else if (ring.page)
        pv_console_write(&ring, text, n);
}

static void console_event(evtchn_port_t port, void *arg)
{
    char got[64];
    long n;
    while ((n = pv_is_dom0() ? hypercall_console_io(CONSOLEIO_read, sizeof(got), gva(got))
                             : (long)pv_console_read(&ring, got, sizeof(got))) > 0)
        console_input(got, n);
}

void plat_console_start(void)
{
    if (pv_is_dom0())
        event_bind_virq(VIRQ_CONSOLE, console_event, 0);
    else if (ring.page)
        event_handle(ring.port, console_event, 0);
    console_event(0, 0);
}

void console_boot(void)
{
    uint64_t pfn = plat_frame_to_pfn(pv_console_mfn);
    if (!pv_is_dom0() && pfn != PFN_NONE)
        ring = (struct pv_console){ pfn_to_virt(pfn), pv_console_port };
}
