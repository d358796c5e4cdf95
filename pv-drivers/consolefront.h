/* SPDX-License-Identifier: MIT */
/* consolefront.h: further consoles of a domain, which come by xenbus. */
#ifndef PV_DRIVERS_CONSOLEFRONT_H
#define PV_DRIVERS_CONSOLEFRONT_H

#include "pv-drivers/console.h"

/* Asked of the kernel, for console number id (1 and up): it is there; something came or there is room; it has gone. */
struct consolefront_user {
    void *(*added)(unsigned id, const struct pv_console *c);      /* what the other two are called with; null: not wanted */
    void  (*changed)(void *console);
    void  (*removed)(void *console);
};
int consolefront_start(const struct consolefront_user *user);

#endif
